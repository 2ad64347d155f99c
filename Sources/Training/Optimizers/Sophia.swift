import Curvature
import TensorPrograms

/// Sophia: `m <- b1 m + (1 - b1) g`; in every `every`-th step `h <- b2 h + (1 - b2) e` with an estimate `e` of
/// the curvature's diagonal; `x <- x - eta (clip(m / max(rho h, eps), 1) + decay x)`.
///
/// No entry moves by more than the rate. The estimate is Hutchinson's of the Hessian (`sophia-h`) or that of
/// the Gauss-Newton matrix from targets drawn from the model (`sophia-g`).
///
/// Reference: Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer", arXiv:2305.14342, algorithm
/// 3; defaults of the authors' `SophiaG`, and 0.01 for `rho` of `sophia-h` as in section 3.1.
public struct Sophia: Optimizer {
  public enum Estimate: String, Sendable {
    case hutchinson = "sophia-h"
    case gaussNewton = "sophia-g"
  }

  public static let hutchinson = entry(.hutchinson, rho: 0.01)
  public static let gaussNewton = entry(.gaussNewton, rho: 0.04)

  private static func entry(_ estimate: Estimate, rho: Double) -> OptimizerEntry {
    OptimizerEntry(
      estimate.rawValue,
      formula: "m, h <- moving means of g, "
        + (estimate == .hutchinson ? "u H u" : "n g(sampled)^2")
        + "; x <- x - rate clip(m / max(rho h, eps))",
      hyperparameters: [
        .beta1(0.965),
        Hyperparameter(
          "beta2", 0.99, .from(0, below: 1), "the share of the mean curvature that a probe keeps"),
        Hyperparameter("rho", rho, .above(0), "what the mean curvature is multiplied by"),
        Hyperparameter("epsilon", 1e-12, .above(0), "the least that the mean is divided by"),
        .every(10), .weightDecay(0.1),
      ]
    ) {
      Sophia(
        estimate, beta1: $0["beta1"]!, beta2: $0["beta2"]!, rho: $0["rho"]!,
        epsilon: $0["epsilon"]!, every: Int($0["every"]!), decay: $0["weight-decay"]!)
    }
  }

  public let estimate: Estimate
  public let beta1: Double
  public let beta2: Double
  public let rho: Double
  public let epsilon: Double
  public let every: Int
  public let decay: Double

  public init(
    _ estimate: Estimate = .hutchinson, beta1: Double = 0.965, beta2: Double = 0.99, rho: Double,
    epsilon: Double = 1e-12, every: Int = 10, decay: Double = 0.1
  ) {
    precondition(0 <= beta1 && beta1 < 1, "beta1 \(beta1) is outside of [0, 1)")
    precondition(0 <= beta2 && beta2 < 1, "beta2 \(beta2) is outside of [0, 1)")
    precondition(
      rho > 0 && epsilon > 0 && every >= 1 && decay >= 0, "Sophia's numbers are not negative")
    self.estimate = estimate
    self.beta1 = beta1
    self.beta2 = beta2
    self.rho = rho
    self.epsilon = epsilon
    self.every = every
    self.decay = decay
  }

  public var name: String { estimate.rawValue }
  public var phrase: String { estimate == .hutchinson ? "Sophia-H" : "Sophia-G" }

  public var hyperparameters: [String: Double] {
    [
      "beta1": beta1, "beta2": beta2, "rho": rho, "epsilon": epsilon, "every": Double(every),
      "weight-decay": decay,
    ]
  }

  public var curvatureProbe: CurvatureProbe? {
    estimate == .hutchinson ? .hutchinson(every: every) : .gaussNewton(every: every)
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "h", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let isProbed = step.isProbed!.compare(.greater, step.rate.scalar(0.5))
    return step.eachParameter(slots: 2) { step in
      let m = step.mean(0, keeping: beta1)
      let h = isProbed.select(
        step.state[1] * beta2 + step.probe! * (1 - beta2), step.state[1])
      let one = step.rate.scalar(1)
      let direction = (m / (h * rho).maximum(m.scalar(epsilon))).minimum(one).maximum(-one)
      return (step.value - step.rate * direction, [m, h])
    }
  }

  /// Where nothing is clipped, that of averaged momentum on the curvature divided by `rho h`.
  public var stability: StepRule? { StepRule.averagedMomentum(beta1).preconditioned }
  public var hasBoundedSteps: Bool { true }

  /// `max(rho h, eps, |m|)`: the clipped step is `m` divided by it.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    guard step >= 1 else { return nil }
    return zip(state("m"), state("h")).map { max(rho * $1, epsilon, $0.magnitude) }
  }
}
