import Curvature
import TensorPrograms

/// Lion: `x <- x - eta (sign(b1 m + (1 - b1) g) + decay x)`, `m <- b2 m + (1 - b2) g`.
///
/// Every entry moves by the rate itself, so rates are three to ten times smaller than Adam's.
/// Reference: Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, program 1;
/// defaults of optax's `lion`.
public struct Lion: Optimizer {
  public static let entry = OptimizerEntry(
    "lion", formula: "x <- x - rate (sign(b1 m + (1 - b1) g) + decay x); m <- moving mean of g",
    hyperparameters: [
      Hyperparameter(
        "beta1", 0.9, .from(0, below: 1), "the share of the mean gradient in the sign"),
      Hyperparameter(
        "beta2", 0.99, .from(0, below: 1), "the share of the mean gradient that a step keeps"),
      .weightDecay(1e-3),
    ]
  ) { Lion(beta1: $0["beta1"]!, beta2: $0["beta2"]!, decay: $0["weight-decay"]!) }

  public let name = "lion"
  public let phrase = "Lion"
  public let beta1: Double
  public let beta2: Double
  public let decay: Double

  public init(beta1: Double = 0.9, beta2: Double = 0.99, decay: Double = 1e-3) {
    precondition(0 <= beta1 && beta1 < 1, "beta1 \(beta1) is outside of [0, 1)")
    precondition(0 <= beta2 && beta2 < 1, "beta2 \(beta2) is outside of [0, 1)")
    precondition(decay >= 0, "the weight decay \(decay) is negative")
    self.beta1 = beta1
    self.beta2 = beta2
    self.decay = decay
  }

  public var hyperparameters: [String: Double] {
    ["beta1": beta1, "beta2": beta2, "weight-decay": decay]
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: 1) { step in
      let direction = step.mean(0, keeping: beta1).sign()
      return (step.value - step.rate * direction, [step.mean(0, keeping: beta2)])
    }
  }

  public var hasBoundedSteps: Bool { true }
}
