import Curvature
import Presentation
import TensorPrograms

/// Adam with decoupled weight decay: `x <- x - eta (m' / (sqrt(v') + eps) + decay x)`.
///
/// Reference: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", arXiv:1711.05101, algorithm 2;
/// defaults of PyTorch's `AdamW`.
public struct AdamW: Optimizer {
  public static let entry = OptimizerEntry(
    "adamw",
    formula: "m, v <- moving means of g, g^2; x <- x - rate (m' / (sqrt v' + eps) + decay x)",
    hyperparameters: Hyperparameter.adam + [.weightDecay(0.01)]
  ) {
    AdamW(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!, decay: $0["weight-decay"]!)
  }

  public let name = "adamw"
  private let means: AdamMeans
  public let decay: Double

  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, decay: Double = 0.01
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    precondition(decay >= 0, "the weight decay \(decay) is negative")
    self.decay = decay
  }

  public var phrase: String { "AdamW with weight decay \(Wording.number(decay))" }
  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(["weight-decay": decay]) { $1 }
  }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.step
    return step.eachParameter(slots: 2) { step in
      let m = step.mean(0, keeping: means.beta1)
      let v = step.meanSquare(1, keeping: means.beta2)
      return (step.value - means.move(step.rate, m, v, count: count), [m, v])
    }
  }

  public var stability: StepRule? { .adam(beta1: means.beta1) }
  public var hasBoundedSteps: Bool { true }

  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    means.diagonal(state("v"), step: step)
  }
}
