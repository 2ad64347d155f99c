import Curvature
import Foundation
import TensorPrograms

/// Adam with Nesterov's momentum: with `mu_t = b1 (1 - 0.96^(t psi) / 2)` and their product `M_t`,
/// `x <- x - eta ((1 - mu_t) g / (1 - M_t) + mu_{t+1} m / (1 - M_{t+1})) / (sqrt(v / (1 - b2^t)) + eps)`.
///
/// Reference: Dozat, "Incorporating Nesterov Momentum into Adam" (2016); defaults and `psi` of PyTorch's
/// `NAdam`.
public struct NAdam: Optimizer {
  public static let entry = OptimizerEntry(
    "nadam",
    formula: "m, v <- moving means of g, g^2; x <- x - rate (a g + b m) / (sqrt v' + eps)",
    hyperparameters: Hyperparameter.adam + [
      Hyperparameter(
        "momentum-decay", 4e-3, .atLeast(0),
        "how soon the momentum rises from half of beta1 to beta1")
    ]
  ) {
    NAdam(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!,
      momentumDecay: $0["momentum-decay"]!)
  }

  public let name = "nadam"
  public let phrase = "NAdam"
  private let means: AdamMeans
  public let momentumDecay: Double

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, momentumDecay: Double = 4e-3
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    precondition(momentumDecay >= 0, "the decay of the momentum \(momentumDecay) is negative")
    self.momentumDecay = momentumDecay
  }

  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(["momentum-decay": momentumDecay]) { $1 }
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
      + [StateTensor("momentum-product", .scalar, start: .constant(1))]
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    func momentum(_ t: Traced) -> Traced {
      (1 - t.scalar(0.96).power(t * momentumDecay) * 0.5) * means.beta1
    }
    let (now, next) = (momentum(count), momentum(count + 1))
    let product = step.position.state[2 * step.parameters.count] * now
    let ofGradient = (1 - now) / (1 - product)
    let ofMean = next / (1 - product * next)
    let moved = step.eachParameter(slots: 2) { step in
      let m = step.mean(0, keeping: means.beta1)
      let v = step.meanSquare(1, keeping: means.beta2)
      let direction = step.gradient * ofGradient + m * ofMean
      return (step.value - step.rate * direction / means.root(v, count: count), [m, v])
    }
    return OptimizerUpdate(parameters: moved.parameters, state: moved.state + [product])
  }

  /// Of a step with `mu = b1`: `eta lambda < (2 + 2 b1) / ((1 + 2 b1) (1 - b1))`, Nesterov's limit for a mean
  /// gradient; before the momentum has risen so far, `preconditioner` is larger accordingly.
  public var stability: StepRule? {
    let b = means.beta1
    return StepRule(
      criticalProduct: Self.limit(ofGradient: 1 - b, ofMean: b, beta1: b),
      slowBelow: 0.05 * (1 - b) * (1 + 2 * b) / (1 + b), momentum: b, isPreconditioned: true)
  }

  /// Where `x - eta (p g + q m)` with a mean `m` of `g = lambda x` has a root of -1: the mean of gradients
  /// that alternate is `(1 - b1) / (1 + b1)` of the last.
  private static func limit(ofGradient p: Double, ofMean q: Double, beta1: Double) -> Double {
    2 / (p + q * (1 - beta1) / (1 + beta1))
  }

  public var hasBoundedSteps: Bool { true }

  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    let moments = state("v")
    guard step >= 1, let product = state("momentum-product").first,
      moments.allSatisfy({ $0 >= 0 })
    else { return nil }
    let b = means.beta1
    func momentum(_ step: Int) -> Double {
      b * (1 - 0.5 * pow(0.96, Double(step) * momentumDecay))
    }
    let (now, next) = (momentum(step), momentum(step + 1))
    let limit = Self.limit(
      ofGradient: (1 - now) / (1 - product), ofMean: next / (1 - product * next), beta1: b)
    let scale = stability!.criticalProduct / limit
    return means.roots(moments, step: step).map { scale * $0 }
  }
}
