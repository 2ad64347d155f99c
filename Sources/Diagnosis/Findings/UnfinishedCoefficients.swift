import Foundation
import LinearMaps
import Training

/// What is left of a linear model's coefficients to go when its loss is finished, in closed form: the error
/// along eigenvector `v_i` after `k` steps is `p_k(lambda_i) v_i'(w_0 - w*)`.
struct UnfinishedCoefficients {
  /// `||w_k - w*|| / ||w*||` over the weights, in the user's units.
  let error: Double
  /// The coefficient that is off most for its size, of those that matter to the outputs.
  let worst: (column: Int, value: Double, minimiser: Double)
  /// `|p_k|` along the flattest direction.
  let share: Double
  /// Steps until `|p_k|` is below a hundredth along every direction for good; nil beyond 1e15.
  let stepsToOnePercent: Int?

  /// - Parameters:
  ///   - start: in the variables that the modes are of.
  ///   - factor: of the error along a direction of an eigenvalue.
  ///   - restored: the weights and bias in the user's units from those variables.
  ///   - influences: per column, how much a unit of its weight moves the outputs.
  /// - Returns: nil where no weight is left to compare with.
  init?(
    _ modes: LeastSquaresModes, from start: [Double], after steps: Int,
    factor: (Double) -> StepFactor, restored: ([Double]) -> [Double], influences: [Double]
  ) {
    let target = modes.minimiser
    let offset = zip(start, target).map { $0 - $1 }
    var point = target
    let factors = modes.modes.map { factor($0.eigenvalue) }
    for (mode, factor) in zip(modes.modes, factors) {
      let length = zip(mode.vector, offset).reduce(0) { $0 + $1.0 * $1.1 }
      let left = factor.value(after: Double(steps)) * length
      for index in point.indices { point[index] += left * mode.vector[index] }
    }
    let columns = influences.indices
    let (minimiser, reached) = (restored(target), restored(point))
    let norm = columns.reduce(0) { $0 + minimiser[$1] * minimiser[$1] }.squareRoot()
    let distance = columns.reduce(0) { $0 + pow(reached[$1] - minimiser[$1], 2) }.squareRoot()
    // A coefficient of next to nothing is off by any multiple of itself.
    let strongest = columns.map { abs(minimiser[$0]) * influences[$0] }.max() ?? 0
    let telling = columns.filter { abs(minimiser[$0]) * influences[$0] >= 0.01 * strongest }
    func off(_ column: Int) -> Double {
      abs(reached[column] - minimiser[column]) / abs(minimiser[column])
    }
    guard norm > 0, strongest > 0, distance.isFinite, let flattest = factors.last,
      let column = telling.max(by: { off($0) < off($1) })
    else { return nil }
    error = distance / norm
    worst = (column, reached[column], minimiser[column])
    share = abs(flattest.value(after: Double(steps)))
    stepsToOnePercent = Self.firstStep { step in
      factors.allSatisfy { $0.envelope(after: Double(step)) <= 0.01 }
    }
  }

  /// Whether there is anything to tell.
  var isTelling: Bool {
    error >= 0.05 || abs(worst.value - worst.minimiser) >= 0.1 * abs(worst.minimiser)
  }

  /// The first step from which a condition holds that stays once it holds.
  private static func firstStep(_ holds: (Int) -> Bool) -> Int? {
    var high = 1
    while !holds(high) {
      guard high < 1_000_000_000_000_000 else { return nil }
      high *= 2
    }
    var low = 0
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if holds(middle) { high = middle } else { low = middle }
    }
    return high
  }
}

extension Measurements {
  /// What is left of the coefficients after so many steps of a prescription; nil where no closed form tells
  /// it: for losses that are no quadratic, for optimizers without a forecast, and for a change of variables
  /// other than standardising.
  func unfinished(_ prescription: Prescription, after steps: Int) -> UnfinishedCoefficients? {
    guard let table = start.problem.table, let scaling, let raw = exactLoss(survey),
      let rate = prescription.predicted.rate
    else { return nil }
    var (modes, point) = (raw, start.point.map { Double($0) })
    var optimizer: any Optimizer = GradientDescent()
    var restored: ([Double]) -> [Double] = { $0 }
    switch Prescription.Kind(rawValue: prescription.id) {
    case .safeRate, .fastestRate: break
    case .asGiven: optimizer = start.optimizer
    case .momentum: optimizer = Momentum(beta: prescription.predicted.momentum ?? 0)
    case .standardiseFeatures:
      guard let standardised, let exact = exactLoss(standardised.survey) else { return nil }
      (modes, point) = (exact, standardised.start.map { Double($0) })
      restored = { scaling.restored($0, outputs: 1) }
    default: return nil
    }
    guard optimizer.hasForecast else { return nil }
    return UnfinishedCoefficients(
      modes, from: point, after: steps,
      factor: { optimizer.stepFactor(rate: rate, eigenvalue: $0)! }, restored: restored,
      influences: (0..<table.featureCount).map {
        scaling.isCentred && !scaling.constantColumns.contains($0)
          ? scaling.deviations[$0] : scaling.sizes[$0]
      })
  }
}
