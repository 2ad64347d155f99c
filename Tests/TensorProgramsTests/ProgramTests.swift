import PrimitiveTable
import Testing

@testable import TensorPrograms

@Suite struct ProgramTests {
  static let wide = TensorType(.float64, [2, 3])
  static let tall = TensorType(.float64, [3, 2])
  static let flag = TensorType(.bool, [2, 3])
  static let index = TensorType(.int32, [4])

  /// Operands that a primitive cannot take: the message names it and every type.
  @Test(
    arguments: [
      (.binary(.add), [wide, tall]), (.binary(.and), [wide, wide]), (.unary(.exp), [index]),
      (.unary(.not), [wide]), (.binary(.add), [wide]), (.compare(.less), [wide, tall]),
      (.select, [wide, wide, wide]), (.select, [flag, wide, tall]), (.reshape([4]), [wide]),
      (.transpose([0, 0]), [wide]), (.broadcast([2, 4], axes: [0, 1]), [wide]),
      (.broadcast([3, 2], axes: [1, 0]), [wide]),
      (.slice(start: [0, 0], limit: [2, 4], stride: [1, 1]), [wide]),
      (.slice(start: [0, 0], limit: [2, 3], stride: [1, 0]), [wide]),
      (.split(sizes: [1, 1], axis: 1), [wide]),
      (.pad(low: [-3, 0], high: [0, 0], interior: [0, 0], value: 0), [wide]),
      (.concatenate(axis: 0), [wide, tall]), (.concatenate(axis: 2), [wide]),
      (.reverse([0, 0]), [wide]), (.gather(axis: 0, batch: 0), [wide, tall]),
      (.gather(axis: 1, batch: 1), [wide, index]),
      (.scatterAdd(axis: 0, batch: 0, size: 5), [wide, index]), (.reduceSum([2]), [wide]),
      (.reduceMax([0]), [TensorType(.float64, [0, 3])]),
      (.dot(DotDimensions(contracting: [1], [1])), [wide, tall]),
      (.dot(DotDimensions(contracting: [0], [0])), [index, index]),
    ] as [(Primitive, [TensorType])])
  func typeErrors(_ primitive: Primitive, _ operands: [TensorType]) throws {
    let error = #expect(throws: ProgramError.self) { try primitive.resultTypes(operands) }
    let text = try #require(error).description
    #expect(text.contains(primitive.name))
    for operand in operands { #expect(text.contains(operand.description)) }
  }

  @Test func tracingReportsTheFirstMismatch() throws {
    let error = #expect(throws: ProgramError.self) {
      try Program.trace(Self.wide, Self.tall) { a, b in (a + b).matmul(a).exp() }
    }
    let text = try #require(error).description
    #expect(text.contains("[2, 3]") && text.contains("[3, 2]") && text.contains("add"))
    let product = #expect(throws: ProgramError.self) {
      try Program.trace(Self.wide, Self.wide) { $0.matmul($1) }
    }
    #expect(try #require(product).description.contains("float64[2, 3] and float64[2, 3]"))
  }

  @Test func gradientsNeedANumber() throws {
    let program = try Program.trace(Self.wide) { $0.exp() }
    #expect(throws: ProgramError.notScalar(Self.wide)) {
      try program.gradient(withRespectTo: [0])
    }
  }

  private typealias Variable = Program.Variable

  private func broken(
    types: [TensorType], equations: [(Primitive, [Int], [Int])], outputs: [Int]
  ) -> Program {
    Program(
      types: types, inputs: [Variable(0)],
      equations: equations.map {
        .init(
          primitive: $0.0, operands: $0.1.map { Variable($0) }, results: $0.2.map { Variable($0) })
      }, outputs: outputs.map { Variable($0) })
  }

  @Test func verifierFindsBrokenPrograms() throws {
    let exp = Primitive.unary(.exp)
    let two = [Self.wide, Self.wide]
    try broken(types: two, equations: [(exp, [0], [1])], outputs: [1]).verify()

    func message(_ program: Program) throws -> String {
      try #require(#expect(throws: ProgramError.self) { try program.verify() }).description
    }
    #expect(
      try message(broken(types: two, equations: [(exp, [1], [1])], outputs: [1]))
        == "%1 is used in equation 0 (exp) before it is assigned")
    #expect(
      try message(broken(types: two, equations: [(exp, [0], [0])], outputs: [0]))
        == "%0 is assigned twice, again in equation 0 (exp)")
    #expect(
      try message(broken(types: two, equations: [], outputs: [1]))
        == "%1 is used in the outputs before it is assigned")
    #expect(
      try message(broken(types: two, equations: [(exp, [0], [7])], outputs: [0])).contains("%7"))
    #expect(
      try message(
        broken(types: [Self.wide, Self.tall], equations: [(exp, [0], [1])], outputs: [1])
      ).contains("float64[3, 2]"))
    let body = broken(types: two, equations: [], outputs: [1])
    #expect(
      try message(broken(types: two, equations: [(.call(body), [0], [1])], outputs: [1]))
        == "%1 is used in the outputs before it is assigned")
    #expect(throws: ProgramError.self) {
      try ReferenceExecutor().compile(broken(types: two, equations: [], outputs: [1]))
    }
  }

  @Test func printerWritesOneLinePerEquation() throws {
    let inner = try Program.trace(TensorType(.float64, [2])) { $0.tanh() }
    let program = try Program.trace(Self.wide, TensorType(.float64, [3])) { x, w in
      let y = x.matmul(w)
      return (y.builder.emit(.call(inner), [y])[0] * 2).sum()
    }
    #expect(
      program.description == """
        program(%0: float64[2, 3], %1: float64[3]) {
          %2: float64[2] = dot([1] x [0], batch: [] x []) %0 %1
          %3: float64[2] = call %2
            program(%0: float64[2]) {
              %1: float64[2] = tanh %0
              return %1
            }
          %4: float64[] = constant(float64[](2.0))
          %5: float64[2] = broadcast([2], axes: []) %4
          %6: float64[2] = multiply %3 %5
          %7: float64[] = reduceSum([0]) %6
          return %7
        }
        """)
  }

  /// Every row prints with its primitive's name, and equal programs are equal values.
  @Test(arguments: PrimitiveTable.rows)
  func programsAreValues(_ row: PrimitiveRow) {
    let (first, second) = (
      row.instance(row.elements[0], seed: 3).program, row.instance(row.elements[0], seed: 3).program
    )
    #expect(first == second && first.hashValue == second.hashValue)
    for equation in first.equations {
      #expect(first.description.contains(equation.primitive.name))
    }
  }
}
