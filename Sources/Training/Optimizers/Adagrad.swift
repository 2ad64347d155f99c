import Curvature
import TensorPrograms

/// Adagrad: `s <- s + g^2`, `x <- x - eta / (1 + (t - 1) c) g / (sqrt(s) + eps)`.
///
/// Reference: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization", JMLR 12 (2011); defaults of PyTorch's `Adagrad`.
public struct Adagrad: Optimizer {
  public static let entry = OptimizerEntry(
    "adagrad", formula: "s <- s + g^2; x <- x - rate g / (sqrt s + eps)",
    hyperparameters: [
      Hyperparameter(
        "epsilon", 1e-10, .above(0), "added to the root of the sum of squares"),
      Hyperparameter(
        "rate-decay", 0, .atLeast(0), "the rate is divided by one and this times the steps before"),
      Hyperparameter("initial-sum", 0, .atLeast(0), "the sum of squares at the start"),
    ]
  ) {
    Adagrad(
      epsilon: $0["epsilon"]!, rateDecay: $0["rate-decay"]!, initialSum: $0["initial-sum"]!)
  }

  public let name = "adagrad"
  public let phrase = "Adagrad"
  public let epsilon: Double
  public let rateDecay: Double
  public let initialSum: Double

  public init(epsilon: Double = 1e-10, rateDecay: Double = 0, initialSum: Double = 0) {
    precondition(epsilon > 0, "epsilon \(epsilon) is not above 0")
    precondition(
      rateDecay >= 0 && initialSum >= 0, "Adagrad's decay and first sum are not negative")
    self.epsilon = epsilon
    self.rateDecay = rateDecay
    self.initialSum = initialSum
  }

  public var hyperparameters: [String: Double] {
    ["epsilon": epsilon, "rate-decay": rateDecay, "initial-sum": initialSum]
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    parameters.map { StateTensor("sum", $0.shape, start: .constant(initialSum)) }
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let slowing = rateDecay == 0 ? nil : (step.step - 1) * rateDecay + 1
    return step.eachParameter(slots: 1) { step in
      let sum = step.state[0] + step.gradient.square()
      let rate = slowing.map { step.rate / $0 } ?? step.rate
      return (step.value - rate * step.gradient / (sum.sqrt() + epsilon), [sum])
    }
  }

  public var stability: StepRule? { StepRule.gradientDescent.preconditioned }
  public var hasBoundedSteps: Bool { true }

  /// `(1 + (t - 1) c) (sqrt(s) + eps)`.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    guard step >= 1 else { return nil }
    let slowing = 1 + Double(step - 1) * rateDecay
    return state("sum").map { slowing * ($0.squareRoot() + epsilon) }
  }
}
