import TensorPrograms

/// `x <- x - eta g`.
public struct GradientDescent: Optimizer {
  public static let entry = OptimizerEntry(
    "gd", aliases: ["sgd"], formula: "x <- x - rate g"
  ) { _ in GradientDescent() }

  public let name = "gd"
  public let phrase = "gradient descent"

  public init() {}

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: 0) { ($0.value - $0.rate * $0.gradient, []) }
  }

  public var stability: StepRule? { .gradientDescent }

  public func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor? {
    StepFactor(rate: rate, eigenvalue: eigenvalue)
  }
}

extension StepRule {
  /// Stable for `eta lambda < 2`; slow where even the sharpest direction keeps 90 % of its error.
  public static let gradientDescent = StepRule(criticalProduct: 2, slowBelow: 0.05)
}
