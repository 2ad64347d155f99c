import Curvature
import TensorPrograms

/// Schedule-free AdamW: AdamW steps of a point `z`, the gradient taken between it and the mean `x` of all
/// points so far, which is what is evaluated and kept:
/// `y = (1 - b1) z + b1 x`, `z <- z - eta (g(y) / (sqrt(v / (1 - b2^t)) + eps) + decay y)`,
/// `x <- (1 - c) x + c z` with `c` the share of this step's largest rate so far, to the power `p`, in the
/// sum over all steps: `1 / t` at a constant rate.
///
/// The loss that a step reports is that of `y`.
/// Reference: Defazio et al., "The Road Less Scheduled", arXiv:2405.15682, algorithm 1; defaults of optax's
/// `schedule_free_adamw`.
public struct ScheduleFreeAdamW: Optimizer {
  public static let entry = OptimizerEntry(
    "schedule-free-adamw",
    formula: "y = (1 - b1) z + b1 x; z <- z - rate g(y) / (sqrt v' + eps); x <- mean of z",
    hyperparameters: [
      Hyperparameter(
        "beta1", 0.9, .from(0, below: 1), "the share of the mean in the point of the gradient"),
      .beta2(), .epsilon(),
      Hyperparameter("rate-power", 2, .atLeast(0), "the power of the rate in the mean's weights"),
    ]
  ) {
    ScheduleFreeAdamW(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!,
      ratePower: $0["rate-power"]!)
  }

  public let name = "schedule-free-adamw"
  public let phrase = "schedule-free AdamW"
  private let means: AdamMeans
  public let ratePower: Double

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, ratePower: Double = 2
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    precondition(ratePower >= 0, "the power of the rate \(ratePower) is negative")
    self.ratePower = ratePower
  }

  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(["rate-power": ratePower]) { $1 }
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    parameters.enumerated().map { StateTensor("z", $1.shape, start: .parameter($0)) }
      + StateTensor.zeros("v", like: parameters)
      + [StateTensor("weight-sum", .scalar), StateTensor("largest-rate", .scalar)]
  }

  public func gradientPoint(_ position: OptimizerPosition) -> [Traced]? {
    zip(position.parameters, position.state(0)).map {
      $1 * (1 - means.beta1) + $0 * means.beta1
    }
  }

  /// It is taken where the gradient is.
  public var appliesDecay: Bool { true }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.parameters.count
    let largest = step.position.state[2 * count + 1].maximum(step.rate)
    let weight =
      ratePower == 2
      ? largest.square() : largest.power(largest.scalar(ratePower))
    let sum = step.position.state[2 * count] + weight
    // At a rate of zero from the start, as in a warm-up, nothing has weight.
    let share = sum.compare(.greater, sum.zeros()).select(weight / sum, sum.zeros())
    let points = gradientPoint(step.position)!
    var index = 0
    let moved = step.eachParameter(slots: 2) { own in
      defer { index += 1 }
      let v = own.meanSquare(1, keeping: means.beta2)
      var direction = own.gradient / means.root(v, count: step.step)
      if own.decay != 0 { direction = direction + points[index] * own.decay }
      let z = own.state[0] - own.rate * direction
      return (own.value + (z - own.value) * share, [z, v])
    }
    return OptimizerUpdate(parameters: moved.parameters, state: moved.state + [sum, largest])
  }

  /// Of the point of the gradient, once the mean hardly moves: `y` takes `1 - b1` of each step, so that
  /// `eta lambda < 2 / (1 - b1)`.
  public var stability: StepRule? {
    StepRule(
      criticalProduct: 2 / (1 - means.beta1), slowBelow: 0.05 * (1 - means.beta1),
      isPreconditioned: true)
  }

  public var hasBoundedSteps: Bool { true }

  /// `sqrt(v / (1 - b2^t)) + eps`.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    let moments = state("v")
    guard step >= 1, moments.allSatisfy({ $0 >= 0 }) else { return nil }
    return means.roots(moments, step: step)
  }
}
