import Foundation
import PrimitiveTable
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

  /// Structure, sums and products against their definitions index by index.
  @Test(arguments: PrimitiveTable.rows)
  func definitions(_ row: PrimitiveRow) throws {
    for element in row.elements {
      for seed in UInt64(1)...8 {
        let instance = row.instance(element, seed: seed)
        guard instance.program.equations.count == 1 else { continue }
        let inputs = instance.inputs(seed: seed)
        let expected = instance.program.equations[0].primitive.naive(
          inputs.map(NaiveTensor.init), instance.program.outputTypes.map(\.shape.dimensions))
        guard let expected else { continue }
        let results = try interpret(instance.program, inputs)
        for (result, tensor) in zip(results, expected) {
          #expect(distance(result.doubles, tensor.values) < (element == .float32 ? 1e-6 : 1e-14))
        }
      }
    }
  }

  static let functions: [(UnaryFunction, @Sendable (Double) -> Double)] = [
    (.negate, { 0 - $0 }), (.absolute, { $0 < 0 ? 0 - $0 : $0 }), (.floor, Foundation.floor),
    (.sign, { $0 > 0 ? 1 : -1 }), (.ceil, Foundation.ceil), (.round, Foundation.rint),
    (.exp, { pow(M_E, $0) }), (.log, { Foundation.log10($0) / Foundation.log10(M_E) }),
    (.expm1, { Foundation.exp($0) - 1 }), (.log1p, { Foundation.log(1 + $0) }),
    (.sqrt, { pow($0, 0.5) }), (.square, { $0 * $0 }), (.reciprocal, { 1 / $0 }),
    (.sin, { Foundation.cos($0 - .pi / 2) }), (.cos, { Foundation.sin($0 + .pi / 2) }),
    (.tan, { Foundation.sin($0) / Foundation.cos($0) }),
    (.asin, { atan2($0, (1 - $0 * $0).squareRoot()) }),
    (.acos, { atan2((1 - $0 * $0).squareRoot(), $0) }), (.atan, { atan2($0, 1) }),
    (.sinh, { (Foundation.exp($0) - Foundation.exp(-$0)) / 2 }),
    (.cosh, { (Foundation.exp($0) + Foundation.exp(-$0)) / 2 }),
    (.tanh, { 1 - 2 / (Foundation.exp(2 * $0) + 1) }),
    (.sigmoid, { 1 / (1 + Foundation.exp(-$0)) }), (.erf, { 1 - Foundation.erfc($0) }),
    (.relu, { $0 > 0 ? $0 : 0 }), (.softplus, { Foundation.log(1 + Foundation.exp($0)) }),
  ]

  @Test func functionsByOtherFormulas() throws {
    #expect(Set(Self.functions.map(\.0)) == Set(UnaryFunction.allCases).subtracting([.not]))
    for (function, formula) in Self.functions {
      for row in PrimitiveTable.rows where row.kind == .unary(function) {
        guard row.elements.contains(.float64) else { continue }
        let instance = row.instance(.float64, seed: 4)
        let x = instance.domains[0]
        var random = SeededGenerator(3)
        let points = x.draw(TensorType(.float64, [64]), &random)
        let result = try run(.unary(function), [points])[0]
        #expect(distance(result.doubles, points.doubles.map(formula)) < 1e-14, "\(function)")
      }
    }
  }

  /// (function, argument, value): where a careless formula goes wrong.
  @Test(
    arguments: [
      (.relu, .nan, .nan), (.sign, .nan, .nan), (.sign, 0, 0), (.absolute, .nan, .nan),
      (.round, 0.5, 0), (.round, 1.5, 2), (.round, -2.5, -2), (.sigmoid, 800, 1),
      (.sigmoid, -800, 0),
      (.softplus, 800, 800), (.softplus, -800, 0), (.softplus, .infinity, .infinity),
      (.softplus, .nan, .nan), (.sigmoid, .nan, .nan), (.log1p, 1e-18, 1e-18),
      (.expm1, 1e-18, 1e-18),
      (.log, 0, -.infinity), (.log, -1, .nan), (.sqrt, -1, .nan), (.tanh, 400, 1),
      (.relu, -.infinity, 0), (.reciprocal, 0, .infinity),
    ] as [(UnaryFunction, Double, Double)])
  func unaryEdges(_ function: UnaryFunction, _ x: Double, _ expected: Double) throws {
    for element in [ElementType.float64, .float32] {
      let value = try run(.unary(function), [Tensor(scalar: x, element)])[0].scalarValue
      let wanted = Tensor(scalar: expected, element).scalarValue
      #expect(value == wanted || (value.isNaN && wanted.isNaN), "\(function) of \(x) is \(value)")
    }
  }

  @Test(
    arguments: [
      (.maximum, .nan, 1, .nan), (.maximum, 1, .nan, .nan), (.minimum, .nan, 1, .nan),
      (.minimum, 1, .nan, .nan), (.remainder, -7, 3, -1), (.remainder, 7, -3, 1),
      (.power, 0, 0, 1), (.power, -2, 3, -8), (.power, -8, 0.5, .nan), (.divide, 1, 0, .infinity),
    ] as [(BinaryFunction, Double, Double, Double)])
  func binaryEdges(
    _ function: BinaryFunction, _ a: Double, _ b: Double, _ expected: Double
  ) throws {
    for element in [ElementType.float64, .float32] {
      let operands = [Tensor(scalar: a, element), Tensor(scalar: b, element)]
      let value = try run(.binary(function), operands)[0].scalarValue
      #expect(value == expected || (value.isNaN && expected.isNaN), "\(function) is \(value)")
    }
  }

  @Test func comparisonsWithNaN() throws {
    for comparison in Comparison.allCases {
      for pair in [(Double.nan, 1.0), (1, .nan), (.nan, .nan)] {
        let operands = [Tensor(scalar: pair.0, .float64), Tensor(scalar: pair.1, .float64)]
        let value = try run(.compare(comparison), operands)[0].scalarValue
        #expect((value == 1) == (comparison == .notEqual))
      }
    }
  }

  @Test func maximumOverAxesPropagatesNaN() throws {
    let values = Tensor([1, .nan, 3, 4, 5, 6] as [Double], shape: [2, 3])
    let rows = try run(.reduceMax([1]), [values])[0].doubles
    #expect(rows[0].isNaN && rows[1] == 6)
    let columns = try run(.reduceMax([0]), [values])[0].doubles
    #expect(columns[0] == 4 && columns[1].isNaN && columns[2] == 6)
    #expect(
      try run(.reduceSum([0]), [Tensor([] as [Double], shape: [0, 2])])[0].doubles == [0, 0])
  }

  @Test func integersWrapAround() throws {
    let (least, one) = (Tensor([Int32.min], shape: [1]), Tensor([-1] as [Int32], shape: [1]))
    #expect(try run(.binary(.add), [least, one])[0] == Tensor([Int32.max], shape: [1]))
    #expect(try run(.binary(.divide), [least, one])[0] == least)
    #expect(try run(.binary(.remainder), [least, one])[0].doubles == [0])
    #expect(try run(.unary(.negate), [least])[0] == least)
    let (seven, two) = (
      Tensor([-7, 7] as [Int64], shape: [2]), Tensor([2, -2] as [Int64], shape: [2])
    )
    #expect(try run(.binary(.divide), [seven, two])[0].doubles == [-3, -3])
    #expect(
      try run(.binary(.power), [two, Tensor([3, 3] as [Int64], shape: [2])])[0].doubles == [8, -8])
  }

  @Test func conversions() throws {
    let values = Tensor([1.9, -1.9, .nan, 1e30, -.infinity] as [Double], shape: [5])
    #expect(
      try run(.convert(.int32), [values])[0]
        == Tensor([1, -1, 0, Int32.max, Int32.min], shape: [5]))
    let large = Tensor([Int64(1) << 32 + 5, -1], shape: [2])
    #expect(try run(.convert(.int32), [large])[0] == Tensor([5, -1] as [Int32], shape: [2]))
    #expect(
      try run(.convert(.float64), [Tensor([0.1] as [Float], shape: [1])])[0].doubles[0] != 0.1)
  }

  @Test func errorsNameTheirCause() throws {
    let operand = Tensor([1, 2, 3] as [Double], shape: [3])
    for index in [Int32(-1), 3] {
      let indices = Tensor([0, index], shape: [2])
      #expect(
        throws: InterpreterError.indexOutOfRange(primitive: "gather", index: Int(index), size: 3)
      ) { try run(.gather(axis: 0, batch: 0), [operand, indices]) }
      let updates = Tensor([1, 2] as [Double], shape: [2])
      #expect(
        throws: InterpreterError.indexOutOfRange(
          primitive: "scatterAdd", index: Int(index), size: 3)
      ) { try run(.scatterAdd(axis: 0, batch: 0, size: 3), [updates, indices]) }
    }
    #expect(throws: InterpreterError.integerDivisionByZero(primitive: "divide")) {
      try run(
        .binary(.divide), [Tensor([1] as [Int32], shape: [1]), Tensor([0] as [Int32], shape: [1])])
    }
    let text = InterpreterError.indexOutOfRange(primitive: "gather", index: 7, size: 3).description
    #expect(text == "gather: the index 7 is outside an axis with 3 entries; indices go from 0 to 2")
  }

  /// The same numbers from tensors, views and resident values, to tensors, views and resident values.
  @Test func argumentsAndDestinations() throws {
    let type = TensorType(.float64, [2])
    let program = try Program.trace(type, type) { $0 * $1 + 1 }
    let executable = try ReferenceExecutor().compile(program)
    let a = Tensor([2, 3] as [Double], shape: [2])
    let kept = try executable.run([.tensor(a), .tensor(a)], into: [.resident])
    #expect(try kept[0].tensor().doubles == [5, 10])
    var memory = [1.0, -1, 0, 0]
    try memory.withUnsafeMutableBytes { bytes in
      let start = bytes.baseAddress!
      let (source, target) = (TensorView(start, type: type), TensorView(start + 16, type: type))
      _ = try executable.run([.view(source), kept[0]], into: [.view(target)])
      // An output may take the place of an input.
      _ = try executable.run([.view(source), .tensor(a)], into: [.view(source)])
    }
    #expect(memory == [3, -2, 6, -9])
  }

  @Test func long32BitSumsKeepTheirDigits() throws {
    let values = Tensor([Float](repeating: 0.1, count: 1_000_000), shape: [1_000_000])
    let sum = try run(.reduceSum([0]), [values])[0].scalarValue
    #expect(abs(sum - 100_000) < 0.1)
  }
}
