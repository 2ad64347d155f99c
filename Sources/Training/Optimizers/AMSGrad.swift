import Curvature
import TensorPrograms

/// AMSGrad: Adam, divided by the root of the largest mean square so far:
/// `w <- max(w, v)`, `x <- x - eta (m / (1 - b1^t)) / (sqrt(w / (1 - b2^t)) + eps)`.
///
/// Reference: Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", arXiv:1904.09237, algorithm 2,
/// with the bias corrections of PyTorch's `Adam(amsgrad=True)`, whose defaults these are.
public struct AMSGrad: Optimizer {
  public static let entry = OptimizerEntry(
    "amsgrad",
    formula: "m, v <- moving means of g, g^2; w <- max(w, v); x <- x - rate m' / (sqrt w' + eps)",
    hyperparameters: Hyperparameter.adam
  ) { AMSGrad(beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!) }

  public let name = "amsgrad"
  public let phrase = "AMSGrad"
  private let means: AdamMeans

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
  }

  public var hyperparameters: [String: Double] { means.hyperparameters }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", "largest", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    return step.eachParameter(slots: 3) { step in
      let m = step.mean(0, keeping: means.beta1)
      let v = step.meanSquare(1, keeping: means.beta2)
      let largest = step.state[2].maximum(v)
      return (
        step.value - means.move(step.rate, m, largest, count: count), [m, v, largest]
      )
    }
  }

  public var stability: StepRule? { .adam(beta1: means.beta1) }
  public var hasBoundedSteps: Bool { true }

  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    means.diagonal(state("largest"), step: step)
  }
}
