import Curvature
import TensorPrograms

/// Prodigy: AdamW whose rate is multiplied by an estimate `d` of the distance to the solution, which grows from
/// `d0` as gradients line up with the way that was gone; the rate itself stays at 1.
///
/// With `c = sqrt(1 - b2^t) / (1 - b1^t)`, `b3 = sqrt(b2)` and `l = d eta c`:
/// `r <- b3 r + (d / d0) l <g, x_0 - x>`, `s <- b3 s + (d / d0) l g`, `m, v <- moving means of d g, (d g)^2`,
/// `d <- max(d, growth r / |s|_1)`, `x <- x - l (m / (sqrt(v) + d eps) + decay x)`. A parameter with a rate of its
/// own has its own `l`, in `r` and `s` too, so that the way it has gone is weighed by how fast it goes.
///
/// Reference: Mishchenko and Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner",
/// arXiv:2306.06101, algorithm 4; defaults of optax's `prodigy`.
public struct Prodigy: Optimizer {
  public static let entry = OptimizerEntry(
    "prodigy", formula: "d <- distance estimate; x <- x - rate d m / (sqrt v + d eps)",
    hyperparameters: Hyperparameter.adam + [
      Hyperparameter("d0", 1e-6, .above(0), "the first estimate of the distance"),
      Hyperparameter("d-coefficient", 1, .above(0), "what new estimates are multiplied by"),
      Hyperparameter(
        "bias-correction", 1, .flag, "1 to correct the means for their start from zero"),
      Hyperparameter(
        "safeguard-warmup", 0, .flag, "1 to leave the rate out of the estimate's weights"),
    ]
  ) {
    Prodigy(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!, d0: $0["d0"]!,
      coefficient: $0["d-coefficient"]!, correctsBias: $0["bias-correction"] == 1,
      safeguardsWarmUp: $0["safeguard-warmup"] == 1)
  }

  public let name = "prodigy"
  public let phrase = "Prodigy"
  private let means: AdamMeans
  public let d0: Double
  public let coefficient: Double
  public let correctsBias: Bool
  public let safeguardsWarmUp: Bool

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, d0: Double = 1e-6,
    coefficient: Double = 1, correctsBias: Bool = true, safeguardsWarmUp: Bool = false
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    precondition(d0 > 0 && coefficient > 0, "Prodigy's d0 and coefficient are above 0")
    self.d0 = d0
    self.coefficient = coefficient
    self.correctsBias = correctsBias
    self.safeguardsWarmUp = safeguardsWarmUp
  }

  public var findsItsRate: Bool { true }
  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(
      [
        "d0": d0, "d-coefficient": coefficient, "bias-correction": correctsBias ? 1 : 0,
        "safeguard-warmup": safeguardsWarmUp ? 1 : 0,
      ]) { $1 }
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", "s", like: parameters)
      + parameters.enumerated().map { StateTensor("start", $1.shape, start: .parameter($0)) }
      + [StateTensor("d", .scalar, start: .constant(d0)), StateTensor("r", .scalar)]
  }

  /// The decay is multiplied by the estimate too.
  public var appliesDecay: Bool { true }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.parameters.count
    let (d, r) = (step.position.state[4 * count], step.position.state[4 * count + 1])
    let (beta1, beta2, beta3) = (means.beta1, means.beta2, means.beta2.squareRoot())
    let correction =
      correctsBias
      ? step.step.biasCorrection(beta2).sqrt() / step.step.biasCorrection(beta1)
      : step.step.scalar(1)
    let lengths = step.rates.map { d * $0 * correction }
    let starts = step.position.state(3)
    let overlap = step.parameters.indices.map {
      (lengths[$0] * (step.gradients[$0] * (starts[$0] - step.parameters[$0]))).sum()
    }.reduce(step.rate.scalar(0), +)
    let newR = r * beta3 + d / d0 * overlap
    let sums = step.parameters.indices.map { index -> Traced in
      let weight = safeguardsWarmUp ? d * d / d0 : lengths[index] * d / d0
      return step.position.state(2)[index] * beta3 + weight * step.gradients[index]
    }
    let size = sums.map { $0.abs().sum() }.reduce(step.rate.scalar(0), +)
    // Before the first gradient that is not zero there is nothing to estimate from.
    let estimate = size.compare(.greater, size.zeros()).select(newR / size * coefficient, d)
    let newD = d.maximum(estimate)
    let moved = step.eachParameter(slots: 2) { own in
      let scaled = own.gradient * d
      let m = own.state[0] * beta1 + scaled * (1 - beta1)
      let v = own.state[1] * beta2 + scaled.square() * (1 - beta2)
      let rate = own.rate * d * correction
      let value = own.decay == 0 ? own.value : own.value - rate * (own.value * own.decay)
      return (value - rate * m / (v.sqrt() + newD * means.epsilon), [m, v])
    }
    return OptimizerUpdate(
      parameters: moved.parameters, state: moved.state + sums + starts + [newD, newR])
  }

  public var stability: StepRule? { .adam(beta1: means.beta1) }
  public var hasBoundedSteps: Bool { true }

  /// `(sqrt(v) + d eps) / (d^2 c)`, while the estimate stays what it is: `m` has a factor `d` too.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    guard step >= 1, let d = state("d").first else { return nil }
    let correction =
      correctsBias
      ? biasCorrection(means.beta2, step).squareRoot() / biasCorrection(means.beta1, step) : 1
    return state("v").map { ($0.squareRoot() + d * means.epsilon) / (d * d * correction) }
  }
}
