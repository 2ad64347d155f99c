import Curvature
import Presentation
import TensorPrograms

/// RMSProp: `v <- a v + (1 - a) g^2`, `x <- x - eta g / (sqrt(v) + eps)`; centred, the mean gradient's
/// square is taken off `v`; with momentum, `u <- b u + g / (sqrt(v) + eps)`, `x <- x - eta u`.
///
/// Reference: Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning" (2012); centred:
/// Graves, arXiv:1308.0850; defaults of PyTorch's `RMSprop`.
public struct RMSProp: Optimizer {
  public static let entry = OptimizerEntry(
    "rmsprop", formula: "v <- moving mean of g^2; x <- x - rate g / (sqrt v + eps)",
    hyperparameters: [
      Hyperparameter(
        "alpha", 0.99, .from(0, below: 1), "the share of the mean square that a step keeps"),
      .epsilon(),
      Hyperparameter(
        "momentum", 0, .from(0, below: 1), "the share of the velocity that a step keeps"),
      Hyperparameter(
        "centered", 0, .flag, "1 to take the square of the mean gradient off the mean square"),
    ]
  ) {
    RMSProp(
      alpha: $0["alpha"]!, epsilon: $0["epsilon"]!, momentum: $0["momentum"]!,
      isCentred: $0["centered"] == 1)
  }

  public let name = "rmsprop"
  public let alpha: Double
  public let epsilon: Double
  public let momentum: Double
  public let isCentred: Bool

  public init(
    alpha: Double = 0.99, epsilon: Double = 1e-8, momentum: Double = 0, isCentred: Bool = false
  ) {
    precondition(0 <= alpha && alpha < 1, "alpha \(alpha) is outside of [0, 1)")
    precondition(0 <= momentum && momentum < 1, "momentum \(momentum) is outside of [0, 1)")
    precondition(epsilon > 0, "epsilon \(epsilon) is not above 0")
    self.alpha = alpha
    self.epsilon = epsilon
    self.momentum = momentum
    self.isCentred = isCentred
  }

  public var phrase: String {
    (isCentred ? "centred RMSProp" : "RMSProp")
      + (momentum == 0 ? "" : " with momentum \(Wording.share(momentum))")
  }

  public var hyperparameters: [String: Double] {
    [
      "alpha": alpha, "epsilon": epsilon, "momentum": momentum, "centered": isCentred ? 1 : 0,
    ]
  }

  private var names: [String] {
    ["v"] + (isCentred ? ["m"] : []) + (momentum > 0 ? ["velocity"] : [])
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    names.flatMap { StateTensor.zeros($0, like: parameters) }
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: names.count) { step in
      let v = step.meanSquare(0, keeping: alpha)
      var (state, spread) = ([v], v)
      if isCentred {
        let m = step.mean(1, keeping: alpha)
        state.append(m)
        // Rounding can leave less than nothing of gradients that hardly change.
        spread = (v - m.square()).maximum(v.zeros())
      }
      let direction = step.gradient / (spread.sqrt() + epsilon)
      guard momentum > 0 else { return (step.value - step.rate * direction, state) }
      let velocity = step.state[state.count] * momentum + direction
      return (step.value - step.rate * velocity, state + [velocity])
    }
  }

  public var stability: StepRule? {
    (momentum == 0 ? StepRule.gradientDescent : .momentum(momentum)).preconditioned
  }

  /// Centred, gradients that do not change are divided by next to nothing.
  public var hasBoundedSteps: Bool { !isCentred }

  /// `sqrt(v) + eps`, centred with the mean gradient's square taken off.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    guard step >= 1 else { return nil }
    let (squares, means) = (state("v"), state("m"))
    return squares.indices.map {
      let spread = isCentred ? max(0, squares[$0] - means[$0] * means[$0]) : squares[$0]
      return spread.squareRoot() + epsilon
    }
  }
}
