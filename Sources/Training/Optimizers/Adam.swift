import Curvature
import LinearMaps
import TensorPrograms

/// Adam: `m <- b1 m + (1 - b1) g`, `v <- b2 v + (1 - b2) g^2`,
/// `x <- x - eta (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`.
///
/// Without the correction of the bias the step is `eta m / (sqrt(v) + eps)`, the form that is often
/// written down: its first steps are `(1 - b1) / sqrt(1 - b2)` as long, 3.16 times at the defaults.
///
/// Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, algorithm 1,
/// whose defaults these are.
public struct Adam: Optimizer {
  public static let entry = OptimizerEntry(
    "adam", formula: "m, v <- moving means of g, g^2; x <- x - rate m' / (sqrt v' + eps)",
    hyperparameters: Hyperparameter.adam + [
      Hyperparameter(
        "bias-correction", 1, .flag, "1 to divide the means by the weight that they have so far")
    ]
  ) {
    Adam(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!,
      correctsBias: $0["bias-correction"] == 1)
  }

  public let name = "adam"
  private let means: AdamMeans
  /// Whether the means are divided by `1 - b^t`.
  public let correctsBias: Bool

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, correctsBias: Bool = true
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    self.correctsBias = correctsBias
  }

  public var beta1: Double { means.beta1 }
  public var beta2: Double { means.beta2 }
  public var epsilon: Double { means.epsilon }
  public var phrase: String { correctsBias ? "Adam" : "Adam without bias correction" }

  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(["bias-correction": correctsBias ? 1 : 0]) { $1 }
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    return step.eachParameter(slots: 2) { step in
      let m = step.mean(0, keeping: beta1)
      let v = step.meanSquare(1, keeping: beta2)
      let move =
        correctsBias
        ? means.move(step.rate, m, v, count: count) : step.rate * m / (v.sqrt() + epsilon)
      return (step.value - move, [m, v])
    }
  }

  public var stability: StepRule? { .adam(beta1: beta1) }
  public var hasBoundedSteps: Bool { true }

  /// `(1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)`, or `sqrt(v) + eps` without the correction.
  ///
  /// Reference: Cohen et al., arXiv:2207.14484.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    let moments = state("v")
    guard step >= 1, moments.allSatisfy({ $0 >= 0 }) else { return nil }
    return correctsBias
      ? means.diagonal(moments, step: step) : moments.map { $0.squareRoot() + epsilon }
  }
}

extension StepRule {
  /// Adam's averaged momentum on the curvature preconditioned by its second moments.
  ///
  /// Reference: Cohen et al., arXiv:2207.14484.
  public static func adam(beta1: Double) -> StepRule {
    averagedMomentum(beta1).preconditioned
  }

  /// The same for the curvature preconditioned by what a step is divided by.
  var preconditioned: StepRule {
    StepRule(
      criticalProduct: criticalProduct, slowBelow: slowBelow, momentum: momentum,
      isPreconditioned: true)
  }
}
