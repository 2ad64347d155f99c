import Curvature
import LinearMaps
import TensorPrograms

/// Mean and population standard deviation of a regression target, and the change of variables that
/// standardises it: `y' = (y - mean) / deviation`.
///
/// A squared error of the outputs `f` against `y` is `deviation^2` times that of `(f - mean) / deviation`
/// against `y'`, so that losses on the scaled target are told in the user's units.
struct TargetScaling {
  let mean: Double
  let deviation: Double
  /// The root mean square, about zero.
  let size: Double
  /// The loss of the best constant output, in the user's units, penalty excluded; of all samples where
  /// their losses are added up.
  let lossAtBestConstant: Double

  /// Nil for classes, for losses that are no squared errors, for a target that does not vary, and for
  /// targets of several outputs: these have no one scale.
  init?(_ problem: DiagnosisProblem) {
    let values: [Double]
    if let table = problem.table {
      if let rows = table.compression {
        guard let known = rows.targetScaling else { return nil }
        self = known
        return
      }
      values = table.numericTarget
    } else {
      // The last array is the target, where the loss compares it with outputs.
      guard problem.definition?.composite != nil, problem.data.count > 1,
        let target = problem.data.last, target.element.isFloating,
        target.shape.count == target.shape.dimensions.first
      else { return nil }
      values = target.doubles
    }
    self.init(values, lossName: problem.lossName, weight: problem.table?.lossWeight ?? 1)
  }

  /// - Parameter weight: what the mean of the samples' losses is multiplied by.
  init?(_ values: [Double], lossName loss: String?, weight: Double) {
    guard loss == ModelLoss.halfSquaredError.name || loss == ModelLoss.meanSquaredError.name else {
      return nil
    }
    guard let peak = values.lazy.map(abs).max(), peak > 0, peak < 1e150, peak > 1e-150 else {
      return nil
    }
    let count = Double(values.count)
    // About the first value, so that equal targets have no deviation of rounding.
    let shift = values.reduce(0) { $0 + ($1 - values[0]) } / count
    let mean = values[0] + shift
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    guard variance.squareRoot() > 1e-12 * peak else { return nil }
    self.mean = mean
    deviation = variance.squareRoot()
    size = (values.reduce(0) { $0 + $1 * $1 } / count).squareRoot()
    let factor = loss == ModelLoss.meanSquaredError.name ? 1 : 0.5
    lossAtBestConstant = variance * factor * weight
  }

  /// `deviation^2`: the loss in the user's units over that on the scaled target.
  var lossFactor: Double { deviation * deviation }

  /// Whether the target's root mean square is ten times off one: outputs of a network start near that size.
  /// A mean far from zero or a small spread beside it shows there too, unless the mean is near one.
  var isFarFromOne: Bool { size >= 10 || size <= 0.1 || abs(mean) >= 10 * deviation }

  func applied(to values: [Double]) -> [Double] { values.map { ($0 - mean) / deviation } }

  /// The target of a table on this scale; of compressed rows each has its own share of the mean.
  func applied(to table: TabularProblem) -> [Double] {
    guard let rows = table.compression else { return applied(to: table.numericTarget) }
    return zip(table.numericTarget, rows.bias).map { value, bias in
      ((DoubleDouble(value) - DoubleDouble(mean) * bias) / DoubleDouble(deviation)).value
    }
  }
}
