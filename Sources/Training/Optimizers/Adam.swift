import Curvature
import LinearMaps
import TensorPrograms

/// Adam: `m <- b1 m + (1 - b1) g`, `v <- b2 v + (1 - b2) g^2`,
/// `x <- x - eta (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`.
///
/// Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, algorithm 1,
/// whose defaults these are.
public struct Adam: Optimizer {
  public static let entry = OptimizerEntry(
    "adam", formula: "m, v <- moving means of g, g^2; x <- x - rate m' / (sqrt v' + eps)",
    hyperparameters: [
      Hyperparameter(
        "beta1", 0.9, .from(0, below: 1), "the share of the mean gradient that a step keeps"),
      Hyperparameter(
        "beta2", 0.999, .from(0, below: 1), "the share of the mean square that a step keeps"),
      Hyperparameter("epsilon", 1e-8, .above(0), "added to the root of the mean square"),
    ]
  ) { Adam(beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!) }

  public let name = "adam"
  public let phrase = "Adam"
  public let beta1: Double
  public let beta2: Double
  public let epsilon: Double

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    precondition(0 <= beta1 && beta1 < 1, "beta1 \(beta1) is outside of [0, 1)")
    precondition(0 <= beta2 && beta2 < 1, "beta2 \(beta2) is outside of [0, 1)")
    precondition(epsilon > 0, "epsilon \(epsilon) is not above 0")
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  public var hyperparameters: [String: Double] {
    ["beta1": beta1, "beta2": beta2, "epsilon": epsilon]
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    return step.eachParameter(slots: 2) { step in
      let m = step.state[0] * beta1 + step.gradient * (1 - beta1)
      let v = step.state[1] * beta2 + step.gradient.square() * (1 - beta2)
      let first = 1 - count.scalar(beta1).power(count)
      let second = 1 - count.scalar(beta2).power(count)
      return (step.value - step.rate * (m / first) / ((v / second).sqrt() + epsilon), [m, v])
    }
  }

  public var stability: StepRule? { .adam(beta1: beta1) }
  public var hasBoundedSteps: Bool { true }

  /// `(1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)`.
  ///
  /// Reference: Cohen et al., arXiv:2207.14484.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    let moments = state("v")
    guard step >= 1, moments.allSatisfy({ $0 >= 0 }) else { return nil }
    return try? DiagonalPreconditioner<Double>.adam(
      secondMoments: moments, step: step, beta1: beta1, beta2: beta2, epsilon: epsilon
    ).diagonal
  }
}

extension StepRule {
  /// Adam's averaged momentum on the curvature preconditioned by its second moments.
  ///
  /// Reference: Cohen et al., arXiv:2207.14484.
  public static func adam(beta1: Double) -> StepRule {
    let plain = averagedMomentum(beta1)
    return StepRule(
      criticalProduct: plain.criticalProduct, slowBelow: plain.slowBelow, momentum: beta1,
      isPreconditioned: true)
  }
}
