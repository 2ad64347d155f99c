import Curvature
import Foundation
import TensorPrograms

/// AdaHessian: Adam with the Hessian's diagonal in the place of the gradient in the mean square:
/// `x <- x - eta (m / (1 - b1^t)) / (sqrt(v / (1 - b2^s))^k + eps)` with the mean `v` of the squares of
/// `|u * (H u)|` over `s` probes, averaged over the window of a convolution's kernel.
///
/// Reference: Yao et al., "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning",
/// arXiv:2006.00719, algorithm 1 and equation 12; defaults of the authors' `Adahessian`, whose rate is 0.15.
public struct AdaHessian: Optimizer {
  public static let entry = OptimizerEntry(
    "adahessian",
    formula: "m, v <- moving means of g, (u H u)^2; x <- x - rate m' / (sqrt v'^k + eps)",
    hyperparameters: [
      .beta1(),
      Hyperparameter(
        "beta2", 0.999, .from(0, below: 1),
        "the share of the mean squared curvature that a probe keeps"),
      .epsilon(1e-4),
      Hyperparameter("power", 1, .above(0, to: 1), "the power of the curvature in the divisor"),
      .every(1),
    ]
  ) {
    AdaHessian(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!, power: $0["power"]!,
      every: Int($0["every"]!))
  }

  public let name = "adahessian"
  public let phrase = "AdaHessian"
  private let means: AdamMeans
  public let power: Double
  public let every: Int

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-4, power: Double = 1,
    every: Int = 1
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    precondition(0 < power && power <= 1 && every >= 1, "AdaHessian's power is in (0, 1]")
    self.power = power
    self.every = every
  }

  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(["power": power, "every": Double(every)]) { $1 }
  }

  public var curvatureProbe: CurvatureProbe? { .hutchinson(every: every) }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    let isProbed = step.isProbed!.compare(.greater, count.scalar(0.5))
    let probes = every == 1 ? count : ((count - 1) / Double(every)).unary(.floor) + 1
    return step.eachParameter(slots: 2) { step in
      let m = step.mean(0, keeping: means.beta1)
      var size = step.probe!.abs()
      if size.rank > 2 {
        size = size.mean(Array(2..<size.rank), keepingAxes: true).broadcast(to: size.shape)
      }
      let moved = step.state[1] * means.beta2 + size.square() * (1 - means.beta2)
      let v = isProbed.select(moved, step.state[1])
      var root = (v / probes.biasCorrection(means.beta2)).sqrt()
      if power != 1 { root = root.power(root.scalar(power)) }
      let move = step.rate * (m / count.biasCorrection(means.beta1)) / (root + means.epsilon)
      return (step.value - move, [m, v])
    }
  }

  public var stability: StepRule? { .adam(beta1: means.beta1) }

  /// `(1 - b1^t) (sqrt(v / (1 - b2^s))^k + eps)`.
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    guard step >= 1 else { return nil }
    let first = biasCorrection(means.beta1, step)
    let second = biasCorrection(means.beta2, (step - 1) / every + 1)
    return state("v").map { first * (pow($0 / second, power / 2) + means.epsilon) }
  }
}
