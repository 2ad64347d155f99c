import Curvature
import Presentation
import TensorPrograms

/// Nesterov's momentum `v <- b v + g(x - eta b v)`, `x <- x - eta v`, at rest in the beginning: the gradient
/// is taken where the velocity alone would lead.
///
/// The loss that a step reports is that of the lookahead point `y = x - eta b v`, which PyTorch's
/// `SGD(nesterov=True)` keeps as its parameters: the losses printed are the same.
///
/// Stable on a quadratic for `eta lambda < (2 + 2 b) / (1 + 2 b)`.
/// Reference: Nesterov, "A method of solving a convex programming problem with convergence rate
/// O(1/k^2)" (1983); Sutskever et al., "On the importance of initialization and momentum in deep learning"
/// (2013), equations 3 and 4.
public struct Nesterov: Optimizer {
  public static let entry = OptimizerEntry(
    "nesterov", formula: "v <- beta v + g(x - rate beta v); x <- x - rate v",
    hyperparameters: [.momentum]
  ) { Nesterov(beta: $0["momentum"]!) }

  public let name = "nesterov"
  /// The share of the velocity that a step keeps, in [0, 1).
  public let beta: Double

  public init(beta: Double = 0.9) {
    precondition(0 <= beta && beta < 1, "momentum \(beta) is outside of [0, 1)")
    self.beta = beta
  }

  public var phrase: String { "Nesterov's momentum \(Wording.share(beta))" }
  public var hyperparameters: [String: Double] { ["momentum": beta] }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("velocity", like: parameters)
  }

  public func gradientPoint(_ position: OptimizerPosition) -> [Traced]? {
    let velocities = position.state(0)
    return position.parameters.indices.map {
      position.parameters[$0] - position.rates[$0] * (velocities[$0] * beta)
    }
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.heavyBall(beta)
  }

  public var stability: StepRule? { .nesterov(beta) }

  /// Of the lookahead points: `y_{k+1} = (1 + b)(1 - m) y_k - b (1 - m) y_{k-1}` with `m = eta lambda`, from
  /// `y_1 = (1 - (1 + b) m) y_0`.
  public func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor? {
    let b = beta
    let m = rate * eigenvalue
    // Free of rounding of the product next to one, as where a rate is one over a curvature.
    let left = (1.0).addingProduct(-rate, eigenvalue)
    return StepFactor(
      trace: (1 + b) * left, determinant: b * left,
      first: (1.0).addingProduct(-(1 + b) * rate, eigenvalue), gapAtOne: m,
      gapAtMinusOne: (2.0).addingProduct(-rate, eigenvalue) + 2 * b * left,
      discriminant: left * ((1 - b) * (1 - b) - (1 + b) * (1 + b) * m))
  }
}

extension StepRule {
  /// `v = b v + g(x - eta b v)`, `x -= eta v`: the recurrence of `Nesterov.stepFactor` has a root of -1 at
  /// `eta lambda = (2 + 2b) / (1 + 2b)`. It adds up `1 / (1 - b)` steps, as `momentum` does: slow below the
  /// same product of rate and curvature.
  public static func nesterov(_ b: Double) -> StepRule {
    StepRule(
      criticalProduct: (2 + 2 * b) / (1 + 2 * b),
      slowBelow: 0.05 * (1 - b) * (1 + 2 * b) / (1 + b), momentum: b)
  }
}
