import Curvature
import Presentation
import TensorPrograms

/// Heavy-ball momentum `v <- beta v + g`, `x <- x - eta v`, at rest in the beginning.
///
/// Stable on a quadratic for `eta lambda < 2 + 2 beta`.
/// Reference: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
public struct Momentum: Optimizer {
  public static let entry = OptimizerEntry(
    "momentum", formula: "v <- beta v + g; x <- x - rate v",
    hyperparameters: [.momentum]
  ) { Momentum(beta: $0["momentum"]!) }

  public let name = "momentum"
  /// The share of the velocity that a step keeps, in [0, 1); 0.9 as in PyTorch's examples.
  public let beta: Double

  public init(beta: Double = 0.9) {
    precondition(0 <= beta && beta < 1, "momentum \(beta) is outside of [0, 1)")
    self.beta = beta
  }

  public var phrase: String { "heavy-ball momentum \(Wording.share(beta))" }
  public var hyperparameters: [String: Double] { ["momentum": beta] }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("velocity", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.heavyBall(beta)
  }

  public var stability: StepRule? { .momentum(beta) }

  public func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor? {
    StepFactor(rate: rate, eigenvalue: eigenvalue, momentum: beta)
  }
}

extension Hyperparameter {
  static let momentum = Hyperparameter(
    "momentum", 0.9, .from(0, below: 1), "the share of the velocity that a step keeps")
}

extension OptimizerStep {
  /// `v <- beta v + g`, `x <- x - eta v`.
  func heavyBall(_ beta: Double) -> OptimizerUpdate {
    eachParameter(slots: 1) { step in
      let velocity = step.state[0] * beta + step.gradient
      return (step.value - step.rate * velocity, [velocity])
    }
  }
}

extension StepRule {
  /// `v = b v + g`, `x -= eta v`: stable for `eta lambda < 2 + 2b`. It adds up `1 / (1 - b)` steps, and is
  /// slow below a share of its limit that is so much smaller.
  public static func momentum(_ b: Double) -> StepRule {
    StepRule(criticalProduct: 2 + 2 * b, slowBelow: 0.05 * (1 - b) / (1 + b), momentum: b)
  }

  /// `m = b m + (1 - b) g`, `x -= eta m`: stable for `eta lambda < (2 + 2b) / (1 - b)`.
  public static func averagedMomentum(_ b: Double) -> StepRule {
    StepRule(
      criticalProduct: (2 + 2 * b) / (1 - b), slowBelow: 0.05 * (1 - b) / (1 + b), momentum: b)
  }
}
