import Foundation
import PrimitiveTable
import TensorPrograms
import Testing

@testable import OnnxBackend

@Suite struct ExecutorTests {
  /// Parameters as pieces of one flat vector, results as pieces of another: nothing between is copied,
  /// and nothing beside the pieces is written.
  @Test func viewsAtOffsetsOfAFlatVector() throws {
    let executor = try OnnxExecutor()
    let program = try Program.trace([.float64(2, 3), .float64(3)]) { inputs in
      [inputs[0] * 2 + inputs[1], inputs[1].square()]
    }
    let executable = try executor.compile(program)
    let memory = UnsafeMutablePointer<Double>.allocate(capacity: 24)
    defer { memory.deallocate() }
    for index in 0..<24 { memory[index] = Double(index) }
    let inputs: [Argument] = [
      .view(TensorView(memory + 1, type: .float64(2, 3))),
      .view(TensorView(memory + 7, type: .float64(3))),
    ]
    let outputs = [
      TensorView(memory + 11, type: .float64(2, 3)), TensorView(memory + 18, type: .float64(3)),
    ]
    _ = try executable.run(inputs, into: outputs.map { .view($0) })
    let sums: [Double] = [2 + 7, 4 + 8, 6 + 9, 8 + 7, 10 + 8, 12 + 9]
    #expect((0..<6).map { memory[11 + $0] } == sums)
    #expect((0..<3).map { memory[18 + $0] } == [49, 64, 81])
    for index in [0, 10, 17, 21] { #expect(memory[index] == Double(index)) }

    // A prepared run reads the same places anew.
    let prepared = try executable.prepare(inputs, into: outputs)
    memory[7] = -1
    try prepared.run()
    #expect(memory[11] == 1 && memory[18] == 1)
    memory[7] = -2
    try prepared.run()
    #expect(memory[11] == 0 && memory[18] == 4)
  }

  @Test func residentValuesPassFromRunToRun() throws {
    let executor = try OnnxExecutor()
    let double = try executor.compile(Program.trace(.float32(3)) { $0 * 2 })
    let kept = try executor.keep(Tensor([1, 2, 3] as [Float], shape: [3]))
    let first = try double.run([.resident(kept)], into: [.resident])
    let second = try double.run(first, into: [.resident])
    #expect(try second[0].tensor() == Tensor([4, 8, 12] as [Float], shape: [3]))
    // The first result is untouched by the second run.
    #expect(try first[0].tensor() == Tensor([2, 4, 6] as [Float], shape: [3]))
    // A value of another executor is copied in.
    let foreign = ReferenceExecutor().keep(Tensor([5, 6, 7] as [Float], shape: [3]))
    let third = try double.run([.resident(foreign)], into: [.tensor])
    #expect(try third[0].tensor() == Tensor([10, 12, 14] as [Float], shape: [3]))
  }

  @Test func inputsAndConstantsAsOutputs() throws {
    let program = try Program.trace([.float64(2)]) { inputs in
      let constant = inputs[0].builder.constant(Tensor([3, 4] as [Double], shape: [2]))
      let sum = inputs[0] + constant
      return [inputs[0], sum, sum, constant, inputs[0].scalar(7)]
    }
    let results = try OnnxExecutor().compile(program).run([
      Tensor([1, 2] as [Double], shape: [2])
    ])
    #expect(results.map(\.doubles) == [[1, 2], [4, 6], [4, 6], [3, 4], [7]])
  }

  @Test func equalProgramsShareASessionAndOldOnesAreForgotten() throws {
    func program(_ value: Double) throws -> Program {
      try Program.trace(.float64(2)) { input in
        input * input.builder.constant(Tensor([value, 1], type: .float64(2)))
      }
    }
    let cache = ProgramCache<Int>(capacity: 2)
    var made: [Int] = []
    func get(_ value: Int) throws -> Int {
      try cache.value(for: program(Double(value))) {
        made.append(value)
        return value
      }
    }
    for value in [5, 6, 5, 7, 5, 6] { #expect(try get(value) == value) }
    // 6 was the least lately used when 7 came.
    #expect(made == [5, 6, 7, 6])
  }

  @Test func zerosOfBothSignsAreDifferentConstants() throws {
    let executor = try OnnxExecutor()
    for zeros in [[0.0, 0], [-0.0, -0.0], [0, -0.0], [-0.0, 0]] {
      let program = try Program.trace(.float64(2)) { input in
        input / input.builder.constant(Tensor(zeros, type: .float64(2)))
      }
      let result = try executor.compile(program).run([Tensor([1, 1], type: .float64(2))])
      #expect(result[0].doubles == zeros.map { 1 / $0 }, "\(zeros)")
    }
  }

  @Test func cancelledRunsThrowUntilResumed() async throws {
    let executor = try OnnxExecutor()
    let executable = try executor.compile(Program.trace(.float64(2)) { $0.tanh() })
    let input = [Tensor([1, 2] as [Double], shape: [2])]
    executor.cancel()
    #expect(throws: CancellationError.self) { try executable.run(input) }
    executor.resume()
    #expect(try executable.run(input)[0].doubles[0] == tanh(1))

    let program = executable.program
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try executor.compile(program).run(input)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  /// Many updates of one entry, as a histogram makes them, must all arrive.
  @Test(arguments: [ElementType.float64, .float32, .int64])
  func scatteredUpdatesAllArrive(_ element: ElementType) throws {
    let count = 20_000
    let program = try Program.trace([TensorType(element, [count, 3]), .int32(count)]) { inputs in
      [inputs[0].scatterAdd(inputs[1], axis: 0, size: 4)]
    }
    let updates = Tensor(repeating: 1, type: TensorType(element, [count, 3]))
    let indices = Tensor((0..<count).map { Double($0 % 3) }, type: .int32(count))
    let result = try OnnxExecutor().compile(program).run([updates, indices])[0].doubles
    let third = [6667.0, 6667, 6667, 6667, 6667, 6667, 6666, 6666, 6666, 0, 0, 0]
    #expect(result == third)
  }

  @Test func anIndexBeyondItsAxisThrows() throws {
    let program = try Program.trace([.float32(2, 3), .int64(2)]) { inputs in
      [inputs[0].gather(inputs[1], axis: 1, batch: 1)]
    }
    let executable = try OnnxExecutor().compile(program)
    let values = Tensor(repeating: 1, type: .float32(2, 3))
    #expect(throws: OnnxRuntimeError.self) {
      try executable.run([values, Tensor([0, 3] as [Int64], shape: [2])])
    }
    let scatter = try Program.trace([.float32(2), .int64(2)]) { inputs in
      [inputs[0].scatterAdd(inputs[1], axis: 1, size: 3, batch: 1)]
    }
    #expect(throws: OnnxRuntimeError.self) {
      try OnnxExecutor().compile(scatter).run([
        Tensor(repeating: 1, type: .float32(2)), Tensor([0, 3] as [Int64], shape: [2]),
      ])
    }
  }

  /// Loss, gradient and Hessian products of networks whose values are known from 50-digit arithmetic.
  @Test(arguments: KnownAnswerNetwork.all, [ElementType.float64, .float32])
  func knownAnswers(_ network: KnownAnswerNetwork, _ element: ElementType) throws {
    let tolerance = element == .float64 ? 1e-11 : 1e-4
    let executor = try OnnxExecutor()
    let program = try network.program(element)
    let parameters = network.parameters(element)
    let all = Array(program.inputs.indices)
    func distance(_ a: [Double], _ b: [Double]) -> Double {
      let scale = b.map(\.magnitude).max() ?? 1
      return a.count == b.count
        ? (zip(a, b).map { abs($0 - $1) }.max() ?? 0) / scale : .infinity
    }
    let gradient = try executor.compile(program.gradient(withRespectTo: all)).run(parameters)
    #expect(distance(gradient[0].doubles, [network.loss]) < tolerance)
    #expect(distance(gradient.dropFirst().flatMap(\.doubles), network.gradient) < tolerance)

    let product = try program.hessianProduct(withRespectTo: all)
    let values = try executor.compile(product.primal).run(parameters)
    let residuals = Array(values.suffix(product.residualTypes.count))
    let linear = try executor.compile(product.linear)
    let count = network.gradient.count
    var trace = 0.0
    for column in 0..<count {
      let unit = (0..<count).map { $0 == column ? 1.0 : 0 }
      let result = try linear.run(residuals + network.unflattened(unit, element))
      trace += result.flatMap(\.doubles)[column]
    }
    #expect(distance([trace], [network.trace]) < tolerance)
    if let expected = network.hessianProduct {
      let signs = (0..<count).map { $0 % 2 == 0 ? 1.0 : -1 }
      let result = try linear.run(residuals + network.unflattened(signs, element))
      #expect(distance(result.flatMap(\.doubles), expected) < tolerance)
    }
  }
}
