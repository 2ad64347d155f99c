import OnnxBackend
import TensorPrograms
import Testing

/// Infinities, NaN, zeros of both signs and numbers near the ends of the range, by both executors.
@Suite struct SpecialValueTests {
  static let numbers: [Double] = [
    .nan, .infinity, -.infinity, 0, -0.0, 1, -1, 1.5, -2.5, 1e-30, -1e-30, 1e-8, -1e-8, 20, -20, 80,
    -80, 1e10, -1e10,
  ]

  private static func agree(_ a: Double, _ b: Double, _ element: ElementType) -> Bool {
    if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
    let tolerance = element == .float32 ? 1e-5 : 1e-12
    return a == b || abs(a - b) <= tolerance * max(abs(b), element == .float32 ? 1e-2 : 1e-300)
  }

  private static func check(_ program: Program, _ inputs: [Tensor]) throws -> [String] {
    let expected = try ReferenceExecutor().compile(program).run(inputs)[0]
    let result = try OnnxExecutor().compile(program).run(inputs)[0]
    let (found, wanted) = (result.doubles, expected.doubles)
    return found.indices.compactMap { index in
      agree(found[index], wanted[index], expected.element)
        ? nil : "f(\(inputs.map { $0.doubles[index] })) = \(found[index]), not \(wanted[index])"
    }
  }

  @Test(arguments: UnaryFunction.allCases.filter { $0 != .not }, [ElementType.float64, .float32])
  func unary(_ function: UnaryFunction, _ element: ElementType) throws {
    // Reduction of huge arguments to a period is not asked of these.
    let periodic: Set<UnaryFunction> = [.sin, .cos, .tan]
    let numbers = Self.numbers.filter { !periodic.contains(function) || !(abs($0) > 100) }
    let type = TensorType(element, [numbers.count])
    let program = try Program.trace(type) { $0.unary(function) }
    let failures = try Self.check(program, [Tensor(numbers, type: type)])
    #expect(failures.isEmpty)
  }

  @Test(
    arguments: BinaryFunction.allCases.filter { $0 != .and && $0 != .or },
    [ElementType.float64, .float32])
  func binary(_ function: BinaryFunction, _ element: ElementType) throws {
    let pairs = Self.numbers.flatMap { a in Self.numbers.map { (a, $0) } }
    let type = TensorType(element, [pairs.count])
    let program = try Program.trace(type, type) { $0.binary(function, $1) }
    let failures = try Self.check(
      program, [Tensor(pairs.map(\.0), type: type), Tensor(pairs.map(\.1), type: type)])
    #expect(failures.isEmpty)
  }

  @Test(arguments: Comparison.allCases, [ElementType.float64, .float32])
  func comparison(_ comparison: Comparison, _ element: ElementType) throws {
    let pairs = Self.numbers.flatMap { a in Self.numbers.map { (a, $0) } }
    let type = TensorType(element, [pairs.count])
    let program = try Program.trace(type, type) { $0.compare(comparison, $1) }
    let failures = try Self.check(
      program, [Tensor(pairs.map(\.0), type: type), Tensor(pairs.map(\.1), type: type)])
    #expect(failures.isEmpty)
  }

  @Test(arguments: [ElementType.int32, .int64, .bool], [ElementType.float64, .float32])
  func conversion(_ target: ElementType, _ element: ElementType) throws {
    let type = TensorType(element, [Self.numbers.count])
    let program = try Program.trace(type) { $0.converted(to: target) }
    let failures = try Self.check(program, [Tensor(Self.numbers, type: type)])
    #expect(failures.isEmpty)
  }

  /// An integer quotient by zero would end the process; it is 0, and other quotients are exact.
  @Test(arguments: [BinaryFunction.divide, .remainder], [ElementType.int32, .int64])
  func integerQuotients(_ function: BinaryFunction, _ element: ElementType) throws {
    let type = TensorType(element, [5])
    let program = try Program.trace(type, type) { $0.binary(function, $1) }
    let result = try OnnxExecutor().compile(program).run([
      Tensor([7, -7, 7, -7, 5], type: type), Tensor([2, 2, -2, 0, 0], type: type),
    ])[0]
    #expect(result.doubles == (function == .divide ? [3, -3, -3, 0, 0] : [1, -1, 1, 0, 0]))
  }

  @Test func maximaOfInfinities() throws {
    let rows: [Double] = [1, 2, .infinity, -.infinity, -.infinity, -.infinity]
    for element in [ElementType.float32, .float64] {
      let program = try Program.trace(TensorType(element, [2, 3])) { $0.max([1]) }
      let result = try OnnxExecutor().compile(program).run([
        Tensor(rows, type: TensorType(element, [2, 3]))
      ])[0]
      #expect(result.doubles == [.infinity, -.infinity])
    }
  }
}
