import Curvature
import LinearMaps
import TensorPrograms
import Training

/// Loss and metrics of one data set at any point.
struct DataEvaluation<Scalar: LinearMapScalar> {
  let loss: any Loss<Scalar>
  private let means: OutputMeans<Scalar>?
  private let metric: OutputMetric?

  init(_ problem: DiagnosisProblem, _ loss: any Loss<Scalar>) {
    self.loss = loss
    metric = OutputMetric(problem)
    means =
      if let metric, let objective = loss.objective {
        OutputMeans(objective) { [metric.mean($0, $1[$1.count - 1])] }
      } else { nil }
  }

  func reading(at point: [Scalar]) throws -> DataReading {
    guard let means, let metric else {
      return DataReading(loss: try loss.value(at: point))
    }
    let (loss, values) = try means(at: point)
    return switch metric {
    case .accuracy: DataReading(loss: loss, accuracy: values[0])
    case .rSquared(let total):
      DataReading(loss: loss, rSquared: total > 0 ? 1 - values[0] / total : nil)
    }
  }
}

/// What is told of a model's outputs beside their loss.
private enum OutputMetric {
  /// The share of labels that the largest output names; `factor` makes the mean over all labels that over those
  /// that count.
  case accuracy(ModelLoss, factor: Double)
  /// `1 - SSE / SST`; `total` is `SST / n`.
  case rSquared(total: Double)

  /// Nil where the loss is of no labels and no numbers.
  init?(_ problem: DiagnosisProblem) {
    guard let loss = problem.lossName.flatMap(ModelLoss.named), let target = problem.data.last,
      problem.definition?.composite != nil
    else { return nil }
    switch loss.name {
    case "cross-entropy", "nll", "binary":
      let values = target.doubles
      let ignored = values.count { $0 == Double(ModelLoss.ignoredLabel) }
      guard ignored < values.count else { return nil }
      self = .accuracy(loss, factor: Double(values.count) / Double(values.count - ignored))
    case "mse", "half-squared-error", "mae", "huber":
      self = .rSquared(total: Self.meanSquareOfDeviations(target))
    default: return nil
    }
  }

  /// The sum over a sample's targets of their squared distance from the mean of their column, in the mean.
  private static func meanSquareOfDeviations(_ target: Tensor) -> Double {
    let samples = target.shape.dimensions.first ?? 1
    let columns = target.shape.count / max(1, samples)
    let values = target.doubles
    return (0..<columns).reduce(0) { total, column in
      let numbers = (0..<samples).map { values[$0 * columns + column] }
      let mean = numbers.reduce(0, +) / Double(samples)
      return total + numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(samples)
    }
  }

  /// The mean over a batch.
  @Sendable func mean(_ outputs: Traced, _ target: Traced) -> Traced {
    switch self {
    case .rSquared:
      let difference = outputs - target.reshaped(outputs.shape).converted(to: outputs.element)
      return difference.square().sum() * (1 / Double(outputs.shape.dimensions.first ?? 1))
    case .accuracy(let loss, let factor):
      let hits: Traced
      if let axis = loss.classAxis(outputs.type, target.type) {
        let named = outputs.argMax(axis: axis)
        hits = named.compare(
          .equal, target.reshaped(named.shape).converted(to: named.element))
      } else if loss.name == "binary" {
        let labels = target.reshaped(outputs.shape).converted(to: outputs.element)
        hits = outputs.compare(.greater, outputs.scalar(0))
          .compare(.equal, labels.compare(.greater, labels.scalar(0.5)))
      } else {
        hits = outputs.argMax(axis: 1).compare(.equal, target.argMax(axis: 1))
      }
      return hits.converted(to: outputs.element).mean() * factor
    }
  }
}
