import Testing

@testable import TensorPrograms

/// One equation, run by the executor.
func run(_ primitive: Primitive, _ operands: [Tensor]) throws -> [Tensor] {
  let results = try primitive.resultTypes(operands.map(\.type))
  let inputs = operands.indices.map { Program.Variable($0) }
  let outputs = results.indices.map { Program.Variable(operands.count + $0) }
  let program = Program(
    types: operands.map(\.type) + results, inputs: inputs,
    equations: [.init(primitive: primitive, operands: inputs, results: outputs)],
    outputs: outputs)
  return try ReferenceExecutor().compile(program).run(operands)
}

@Suite struct InterpreterTests {
  static let matrix = Tensor([1, 2, 3, 4, 5, 6] as [Double], shape: [2, 3])

  @Test(
    arguments: [
      (Primitive.transpose([1, 0]), [1, 4, 2, 5, 3, 6], Shape([3, 2])),
      (.reshape([3, 2]), [1, 2, 3, 4, 5, 6], [3, 2]),
      (.broadcast([2, 2, 3], axes: [1, 2]), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6], [2, 2, 3]),
      (.slice(start: [0, 0], limit: [2, 3], stride: [1, 2]), [1, 3, 4, 6], [2, 2]),
      (.slice(start: [1, 3], limit: [2, 3], stride: [1, 1]), [], [1, 0]),
      (
        .pad(low: [0, 1], high: [1, 0], interior: [0, 1], value: 9),
        [9, 1, 9, 2, 9, 3, 9, 4, 9, 5, 9, 6, 9, 9, 9, 9, 9, 9], [3, 6]
      ),
      (.pad(low: [0, -1], high: [0, -1], interior: [0, 0], value: 9), [2, 5], [2, 1]),
      (
        .pad(low: [0, -1], high: [0, 0], interior: [0, 1], value: 9), [9, 2, 9, 3, 9, 5, 9, 6],
        [2, 4]
      ),
      (.pad(low: [0, -9], high: [0, 8], interior: [0, 0], value: 9), [9, 9, 9, 9], [2, 2]),
      (.reverse([1]), [3, 2, 1, 6, 5, 4], [2, 3]),
      (.reverse([0, 1]), [6, 5, 4, 3, 2, 1], [2, 3]),
      (.reduceSum([0]), [5, 7, 9], [3]),
      (.reduceSum([1]), [6, 15], [2]),
      (.reduceSum([0, 1]), [21], []),
      (.reduceSum([]), [1, 2, 3, 4, 5, 6], [2, 3]),
      (.reduceMax([0]), [4, 5, 6], [3]),
      (.reduceMax([1]), [3, 6], [2]),
    ] as [(Primitive, [Double], Shape)])
  func structure(_ primitive: Primitive, _ expected: [Double], _ shape: Shape) throws {
    #expect(try run(primitive, [Self.matrix]) == [Tensor(expected, shape: shape)])
  }
}
