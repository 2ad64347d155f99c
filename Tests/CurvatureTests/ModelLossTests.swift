import Curvature
import TensorPrograms
import Testing

/// The catalogue of losses against PyTorch 2.15's values in float64, and by hand.
@Suite struct ModelLossTests {
  static let logits = Tensor([0.5, -1.25, 2, 1.5, 0.25, -0.75], type: .float64(2, 3))
  static let ramp = (0..<12).map { Double($0) * 0.3 - 1 }
  static let logProbabilities = try! Program.trace(.float64(2, 3)) { $0.logSoftmax(axis: 1) }

  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var outputs: Tensor
    var target: Tensor
    var expected: Double
    var logarithmic = false
    var testDescription: String { "\(name) \(outputs.type) \(target.type)" }
  }

  static let cases: [Case] = [
    Case(
      name: "cross-entropy", outputs: logits, target: Tensor([2, 1] as [Int64], shape: [2]),
      expected: 0.9066472962546284),
    Case(
      name: "cross-entropy", outputs: logits, target: Tensor([2, 1] as [Int64], shape: [2, 1]),
      expected: 0.9066472962546284),
    Case(
      name: "cross-entropy", outputs: logits,
      target: Tensor([0.2, 0.3, 0.5, 0.7, 0.1, 0.2], type: .float64(2, 3)),
      expected: 1.2066472962546282),
    Case(
      name: "cross-entropy", outputs: Tensor(ramp, type: .float64(2, 3, 2)),
      target: Tensor([2, 0, 1, 1] as [Int64], shape: [2, 2]), expected: 1.2151888001696851),
    // The class axis last: only that fits the target.
    Case(
      name: "cross-entropy", outputs: Tensor(ramp, type: .float64(2, 2, 3)),
      target: Tensor([2, 0, 1, 1] as [Int32], shape: [2, 2]), expected: 1.1283901699061243),
    Case(
      name: "nll", outputs: logits, target: Tensor([2, 1] as [Int64], shape: [2]),
      expected: 0.9066472962546284, logarithmic: true),
    Case(
      name: "binary", outputs: logits,
      target: Tensor([1, 0, 1, 0, 1, 0.5], type: .float64(2, 3)), expected: 0.648692963424158),
    Case(
      name: "mse", outputs: logits,
      target: Tensor([0, 1, 1.5, 1, 0.5, -3], type: .float64(2, 3)), expected: 1.8229166666666667),
    Case(
      name: "mae", outputs: logits,
      target: Tensor([0, 1, 1.5, 1, 0.5, -3], type: .float64(2, 3)), expected: 1.0416666666666667),
    Case(
      name: "huber", outputs: logits,
      target: Tensor([0, 1, 1.5, 1, 0.5, -3], type: .float64(2, 3)), expected: 0.6510416666666666),
    Case(
      name: "half-squared-error", outputs: logits,
      target: Tensor([0, 1, 1.5, 1, 0.5, -3], type: .float64(2, 3)), expected: 2.734375),
    Case(
      name: "kl", outputs: logits,
      target: Tensor([0.2, 0.3, 0.5, 0.7, 0.3, 0], type: .float64(2, 3)),
      expected: 0.09546287939829823, logarithmic: true),
  ]

  private func program(_ loss: ModelLoss, _ one: Case) throws -> Program {
    try Program.trace(one.outputs.type, one.target.type) { outputs, target in
      loss.apply(one.logarithmic ? outputs.logSoftmax(axis: 1) : outputs, target)
    }
  }

  @Test(arguments: cases) func value(_ one: Case) throws {
    let loss = try #require(ModelLoss.named(one.name))
    let executable = try ReferenceExecutor().compile(program(loss, one))
    let value = try executable.run([one.outputs, one.target])[0].doubles[0]
    #expect(abs(value - one.expected) < 1e-14 * (1 + abs(one.expected)))
  }

  /// PyTorch's mean over the labels that are not -100, of the whole and put together from samples.
  @Test(arguments: ["cross-entropy", "nll"]) func ignoredLabels(name: String) throws {
    let outputs = Tensor(Self.ramp, type: .float64(2, 3, 2))
    let target = Tensor([2, -100, 1, 1] as [Int64], shape: [2, 2])
    let loss = try #require(ModelLoss.named(name)).ignoringLabels(of: target)
    func value(_ samples: [Int]) throws -> Double {
      let data = [outputs.samples(at: samples), target.samples(at: samples)]
      let program = try Program.trace(data[0].type, data[1].type) {
        loss.apply($0.logSoftmax(axis: 1), $1)
      }
      return try ReferenceExecutor().compile(program).run(data)[0].doubles[0]
    }
    #expect(abs(try value([0, 1]) - 1.0151888001696852) < 1e-14)
    #expect(abs(try (value([0]) + value([1])) / 2 - 1.0151888001696852) < 1e-14)
    #expect(loss.distribution(outputs.type, target.type) == nil)
  }

  @Test func everyLossHasACase() {
    #expect(Set(Self.cases.map(\.name)) == Set(ModelLoss.all.map(\.name)))
    #expect(Set(ModelLoss.all.map(\.name)).count == ModelLoss.all.count)
  }

  /// A likelihood's Fisher information is the Gauss-Newton matrix where the loss is its mean.
  @Test(arguments: cases) func distributionFitsTheLoss(_ one: Case) throws {
    let loss = try #require(ModelLoss.named(one.name))
    guard !one.logarithmic, let distribution = loss.distribution(one.outputs.type, one.target.type)
    else { return }
    let shape = one.outputs.shape
    let definition = LossDefinition(
      parameters: [.init("outputs", shape)], model: { parameters, _ in parameters[0] },
      loss: { loss.apply($0, $1[0]) }, distribution: distribution)
    let objective = try Objective<Double>(
      definition, data: [one.target], executor: ReferenceExecutor())
    let point = one.outputs.doubles
    let direction = (0..<shape.count).map { Double($0 * $0 % 5) - 2 }
    let gaussNewton = try objective.curvature(.gaussNewton, at: point)
    let fisher = try objective.curvature(.fisher, at: point)
    for (a, b) in zip(try gaussNewton(direction), try fisher(direction)) {
      #expect(abs(a - b) < 1e-13)
    }
  }

  @Test func mismatchNamesBothShapes() throws {
    let loss = try #require(ModelLoss.named("mse"))
    #expect {
      try Program.trace(.float64(4, 3), .float64(4, 2)) { loss.apply($0, $1) }
    } throws: {
      "\($0)".contains("mse") && "\($0)".contains("[4, 3]") && "\($0)".contains("[4, 2]")
    }
  }
}
