import Curvature
import Diagnosis
import LinearMaps
import TensorPrograms

/// Random small networks of every function that a traced value has, with losses that need not be defined.
enum RandomNetwork {
  static func problem(l2: Double, _ random: inout SeededGenerator) throws -> DiagnosisProblem {
    if random.chance(0.15) { return withoutData(l2: l2, &random) }
    return try random.chance(0.3) ? layered(l2: l2, &random) : free(l2: l2, &random)
  }

  /// A loss of its parameters alone.
  private static func withoutData(
    l2: Double, _ random: inout SeededGenerator
  ) -> DiagnosisProblem {
    let parameters: [LossDefinition.Parameter] = [
      .init("point", [random.whole(1, 6)]), .init("factor", [], isBias: true),
    ]
    let start = (0...parameters[0].shape.count).map { _ in
      random.chance(0.9) ? random.normal() : random.odd()
    }
    let (inner, outer) = (activation(&random), activation(&random))
    return DiagnosisProblem(
      name: "no data",
      definition: LossDefinition(parameters: parameters) { p, _ in
        let value = outer(inner(p[0]) * p[1]).sum()
        return l2 == 0 ? value : value + LossDefinition.decay(l2, of: parameters)(p)
      }, data: [], start: start, l2: l2)
  }

  // MARK: Layers and a loss of the catalogue

  private static func layered(
    l2: Double, _ random: inout SeededGenerator
  ) throws -> DiagnosisProblem {
    let (samples, width, outputs) = (random.whole(2, 12), random.whole(2, 4), random.whole(1, 3))
    var parameters = ParameterSet(seed: UInt64(random.whole(0, 1000)), random.pick([.he, .leCun]))
    parameters.dense("first", inputs: 3, outputs: width)
    parameters.normalization("norm", features: width)
    parameters.dense("head", inputs: width, outputs: outputs)
    let norm = random.whole(0, 2)
    let activation = activation(&random)
    let loss = random.pick(ModelLoss.all)
    let scale = random.chance(0.7) ? 1 : random.decade(-30, 30)
    let inputs = (0..<samples * 3).map { _ in scale * random.normal() }
    let target: Tensor =
      switch loss.name {
      case "cross-entropy", "nll":
        Tensor((0..<samples).map { Int64($0 % outputs) }, shape: [samples])
      case "binary", "kl":
        Tensor(
          (0..<samples * outputs).map { _ in random.uniform() },
          type: .float64(samples, outputs))
      default:
        Tensor(
          (0..<samples * outputs).map { _ in random.chance(0.9) ? random.normal() : random.odd() },
          type: .float64(samples, outputs))
      }
    return try DiagnosisProblem(
      "network", parameters: parameters,
      inputs: [Tensor(inputs, type: .float64(samples, 3))], target: target, loss: loss, l2: l2
    ) { p, x in
      let first = activation(x[0].dense(p["first"]))
      let scaled =
        switch norm {
        case 0: first
        case 1: first.layerNormalization(p["norm"])
        default: first.batchNormalization(p["norm"])
        }
      return scaled.dense(p["head"])
    }
  }

  // MARK: Any functions

  private typealias Function = @Sendable (Traced) -> Traced

  private static func free(
    l2: Double, _ random: inout SeededGenerator
  ) throws -> DiagnosisProblem {
    let (samples, inputs, width) = (random.whole(1, 12), random.whole(1, 3), random.whole(1, 3))
    let parameters: [LossDefinition.Parameter] = [
      .init("first", [inputs, width]), .init("shift", [width], isBias: true),
      .init("second", [width, 2]),
    ]
    let count = parameters.reduce(0) { $0 + $1.shape.count }
    var start = (0..<count).map { _ in random.normal() }
    if random.chance(0.1) { start = start.map { _ in random.odd() } }
    if random.chance(0.05) { start[random.whole(0, count - 1)] = .nan }
    if random.chance(0.05) { start = start.map { _ in 0 } }
    let x = (0..<samples * inputs).map { _ in random.chance(0.95) ? random.normal() : random.odd() }
    let y = (0..<samples * 2).map { _ in random.chance(0.95) ? random.normal() : random.odd() }
    let (before, after) = (activation(&random), activation(&random))
    let model: LossDefinition.Function = { p, data in
      after(before(data[0].matmul(p[0]) + p[1]).matmul(p[2]))
    }
    let loss = loss(&random)
    let isComposite = random.chance(0.6)
    var definition = LossDefinition(
      parameters: parameters, model: model, loss: { loss($0, $1[1]) },
      penalty: l2 == 0 ? nil : LossDefinition.decay(l2, of: parameters),
      distribution: random.chance(0.5) ? OutputDistribution(.gaussian) : nil)
    if !isComposite {
      let decay = LossDefinition.decay(l2, of: parameters)
      definition = LossDefinition(parameters: parameters) { p, data in
        let value = loss(model(p, data), data[1])
        return l2 == 0 ? value : value + decay(p)
      }
    }
    return DiagnosisProblem(
      name: "traced", definition: definition,
      data: [
        Tensor(x, type: .float64(samples, inputs)), Tensor(y, type: .float64(samples, 2)),
      ], start: start, l2: l2)
  }

  /// Whether a function has derivatives of its own kind; logical and rounding ones have none to train by.
  private static let unary = UnaryFunction.allCases.filter { $0 != .not }

  private static func activation(_ random: inout SeededGenerator) -> Function {
    switch random.whole(0, 9) {
    case 0...5:
      let function = random.pick(unary)
      return { $0.unary(function) }
    case 6: return { $0.gelu() }
    case 7:
      let exponent = random.pick([0.5, 3, -1, 0, 2.5, 100])
      return { $0.power($0.scalar(exponent)) }
    case 8:
      let function = random.pick([BinaryFunction.maximum, .minimum, .divide, .multiply, .subtract])
      return { $0.binary(function, $0.tanh()) }
    default: return { $0 }
    }
  }

  private static func loss(
    _ random: inout SeededGenerator
  ) -> @Sendable (Traced, Traced) -> Traced {
    switch random.whole(0, 8) {
    case 0...2: { f, y in (f - y).square().mean() }
    case 3: { f, _ in f.sum() }
    case 4: { f, y in (f / y).mean() }
    case 5: { f, _ in f.log().mean() }
    case 6: { f, y in (f - y).square().sum().sqrt() }
    case 7: { f, y in (f * y).exp().mean() }
    default: { f, y in f.power(y).mean() }
    }
  }
}
