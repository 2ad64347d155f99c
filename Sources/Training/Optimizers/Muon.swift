import Curvature
import TensorPrograms

/// Muon: momentum whose singular values are all brought near one, for matrices; AdamW, with a rate of its own,
/// for the rest.
///
/// `m <- b m + (1 - b) g`; of `u = b m / (1 - b^(t+1)) + (1 - b) g / (1 - b^t)` (Nesterov's; else
/// `m / (1 - b^t)`) five steps of `X <- 3.4445 X - 4.7750 A X + 2.0315 A A X`, `A = X X'`, from
/// `u / (|u|_F + eps)`; `x <- x - eta (s X + decay x)`, `s = sqrt(max(1, outputs / inputs))`, or
/// `c sqrt(max(rows, columns))`. Outputs are the columns, but the rows of a weight that its model transposes
/// (`LossDefinition.Parameter.isOutputsFirst`). The rest has no Nesterov form, which optax's has.
///
/// Reference: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the second
/// scale: Liu et al., arXiv:2502.16982; corrections of the bias and defaults of `optax.contrib.muon`.
public struct Muon: Optimizer {
  public static let entry = OptimizerEntry(
    "muon",
    formula: "m <- moving mean of g; matrices: x <- x - rate s orthogonal(m); others by adamw",
    hyperparameters: [
      Hyperparameter(
        "momentum", 0.95, .from(0, below: 1), "the share of a matrix's mean gradient that is kept"),
      Hyperparameter("nesterov", 1, .flag, "1 to weigh the last gradient in once more"),
      Hyperparameter("iterations", 5, .count(from: 1, to: 99), "steps of the orthogonalisation"),
      Hyperparameter(
        "consistent-rms", 0, .atLeast(0),
        "above 0, the root mean square of a matrix's step in rates, as 0.2 to resemble Adam's"),
      .beta1(), .beta2(),
      Hyperparameter("epsilon", 1e-8, .above(0), "added to norms and to roots of mean squares"),
      Hyperparameter(
        "adam-rate", 1, .atLeast(0), "the rate of what is no matrix, as a multiple of the rate"),
      .weightDecay(0),
    ]
  ) {
    Muon(
      momentum: $0["momentum"]!, isNesterov: $0["nesterov"] == 1,
      iterations: Int($0["iterations"]!), consistentRMS: $0["consistent-rms"]!,
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!,
      adamRate: $0["adam-rate"]!, decay: $0["weight-decay"]!)
  }

  public let name = "muon"
  public let phrase = "Muon"
  public let momentum: Double
  public let isNesterov: Bool
  public let iterations: Int
  public let consistentRMS: Double
  private let means: AdamMeans
  public let adamRate: Double
  public let decay: Double

  public init(
    momentum: Double = 0.95, isNesterov: Bool = true, iterations: Int = 5,
    consistentRMS: Double = 0, beta1: Double = 0.9, beta2: Double = 0.999,
    epsilon: Double = 1e-8, adamRate: Double = 1, decay: Double = 0
  ) {
    precondition(0 <= momentum && momentum < 1, "momentum \(momentum) is outside of [0, 1)")
    precondition(iterations >= 1 && consistentRMS >= 0, "Muon takes at least one iteration")
    precondition(adamRate >= 0 && decay >= 0, "Muon's rates and decay are not negative")
    self.momentum = momentum
    self.isNesterov = isNesterov
    self.iterations = iterations
    self.consistentRMS = consistentRMS
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    self.adamRate = adamRate
    self.decay = decay
  }

  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(
      [
        "momentum": momentum, "nesterov": isNesterov ? 1 : 0, "iterations": Double(iterations),
        "consistent-rms": consistentRMS, "adam-rate": adamRate, "weight-decay": decay,
      ]) { $1 }
  }

  private func isMatrix(_ parameter: LossDefinition.Parameter) -> Bool { parameter.shape.rank == 2 }

  /// The momentum of each matrix, then `m` and `v` of each other parameter.
  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    parameters.filter(isMatrix).map { StateTensor("momentum", $0.shape) }
      + StateTensor.zeros("m", "v", like: parameters.filter { !isMatrix($0) })
  }

  /// What is no matrix decays with its own rate.
  public var appliesDecay: Bool { true }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let state = step.position.state
    let matrices = step.definitions.indices.filter { isMatrix(step.definitions[$0]) }
    let others = step.definitions.indices.filter { !isMatrix(step.definitions[$0]) }
    var moved = step.parameters
    func move(_ index: Int, _ direction: Traced, _ rate: Traced) {
      let value = step.parameters[index]
      let decayed =
        step.decays[index] == 0 ? value : value - rate * (value * step.decays[index])
      moved[index] = decayed - rate * direction
    }
    var velocities: [Traced] = []
    for (place, index) in matrices.enumerated() {
      let own = step.parameter(index, state: [state[place]])
      let m = own.mean(0, keeping: momentum)
      velocities.append(m)
      let corrected = m / step.step.biasCorrection(momentum)
      let u =
        isNesterov
        ? m * momentum / (step.step + 1).biasCorrection(momentum)
          + own.gradient * (1 - momentum) / step.step.biasCorrection(momentum) : corrected
      move(index, orthogonalised(u) * scale(own.definition), own.rate)
    }
    var (first, second): ([Traced], [Traced]) = ([], [])
    for (place, index) in others.enumerated() {
      let at = matrices.count + place
      let own = step.parameter(index, state: [state[at], state[at + others.count]])
      let m = own.mean(0, keeping: means.beta1)
      let v = own.meanSquare(1, keeping: means.beta2)
      first.append(m)
      second.append(v)
      let direction =
        m / step.step.biasCorrection(means.beta1) / means.root(v, count: step.step)
      move(index, direction, adamRate == 1 ? own.rate : own.rate * adamRate)
    }
    return OptimizerUpdate(parameters: moved, state: velocities + first + second)
  }

  private func scale(_ weight: LossDefinition.Parameter) -> Double {
    let (rows, columns) = (Double(weight.shape[0]), Double(weight.shape[1]))
    guard consistentRMS == 0 else { return consistentRMS * max(rows, columns).squareRoot() }
    return max(1, weight.isOutputsFirst ? rows / columns : columns / rows).squareRoot()
  }

  /// The matrix with its singular values brought near one by Newton-Schulz steps whose slope at zero is large.
  func orthogonalised(_ matrix: Traced) -> Traced {
    let isTall = matrix.shape[0] > matrix.shape[1]
    var x = isTall ? matrix.transposed() : matrix
    x = x / (x.square().sum().sqrt() + means.epsilon)
    for _ in 0..<iterations {
      let a = x.matmul(x.transposed())
      x = x * 3.4445 + (a * -4.7750 + a.matmul(a) * 2.0315).matmul(x)
    }
    return isTall ? x.transposed() : x
  }

  public var hasBoundedSteps: Bool { true }
}
