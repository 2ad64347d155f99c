import Curvature
import TensorPrograms

/// Rectified Adam: Adam's step times a factor that grows from 0 to 1 as the mean square gathers samples, and
/// the plain mean gradient in the first steps, in which that factor is not defined (five at the defaults).
///
/// Reference: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265,
/// algorithm 2; defaults of PyTorch's `RAdam`, which adds `eps` to the root of the uncorrected mean.
public struct RAdam: Optimizer {
  public static let entry = OptimizerEntry(
    "radam", formula: "m, v <- moving means of g, g^2; x <- x - rate r m' / (sqrt v' + eps)",
    hyperparameters: Hyperparameter.adam
  ) { RAdam(beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!) }

  public let name = "radam"
  public let phrase = "RAdam"
  private let means: AdamMeans

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
  }

  public var hyperparameters: [String: Double] { means.hyperparameters }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
  }

  /// The most samples that the mean square is worth.
  private var most: Double { 2 / (1 - means.beta2) - 1 }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    let second = count.biasCorrection(means.beta2)
    let samples = most - count * 2 * (1 - second) / second
    let isRectified = samples.compare(.greater, samples.scalar(5))
    // Selected, as its root is of a negative number before.
    let rectified =
      ((samples - 4) * (samples - 2) / samples * (most / ((most - 4) * (most - 2)))).sqrt()
      * second.sqrt()
    let factor = isRectified.select(rectified, count.scalar(1)) / count.biasCorrection(means.beta1)
    return step.eachParameter(slots: 2) { step in
      let m = step.mean(0, keeping: means.beta1)
      let v = step.meanSquare(1, keeping: means.beta2)
      let root = isRectified.select(v.sqrt() + means.epsilon, v.scalar(1))
      return (step.value - step.rate * factor * m / root, [m, v])
    }
  }

  public var stability: StepRule? { .adam(beta1: means.beta1) }

  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    let moments = state("v")
    guard step >= 1, moments.allSatisfy({ $0 >= 0 }) else { return nil }
    let first = biasCorrection(means.beta1, step)
    let second = biasCorrection(means.beta2, step)
    let samples = most - 2 * Double(step) * (1 - second) / second
    guard samples > 5 else { return moments.map { _ in first } }
    let factor =
      ((samples - 4) * (samples - 2) * most / ((most - 4) * (most - 2) * samples) * second)
      .squareRoot()
    return moments.map { first * ($0.squareRoot() + means.epsilon) / factor }
  }
}
