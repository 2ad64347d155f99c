import Foundation
import PrimitiveTable
import TensorPrograms

/// First and second derivatives of a float64 program, against differences and against each other.
struct DerivativeCheck {
  struct Result {
    var first = ConformanceCase.Derivative.checked
    var second = ConformanceCase.Derivative.checked
    var failures: [String] = []
  }

  private let program: Program
  private let inputs: [Tensor]
  private let moving: [Int]
  /// Larger ones take the interpreter too long.
  private static let sizeLimit = 4096

  /// Nil where no floating-point output depends on a floating-point input.
  init?(_ program: Program, _ inputs: [Tensor]) {
    let floating = program.outputs.indices.filter { program.outputTypes[$0].element == .float64 }
    moving = program.inputs.indices.filter { program.inputTypes[$0].element == .float64 }
    guard !floating.isEmpty, !moving.isEmpty else { return nil }
    let builder = ProgramBuilder()
    let results = builder.inline(program, program.inputTypes.map(builder.input))
    guard let kept = try? builder.build(floating.map { results[$0] }) else { return nil }
    self.program = kept
    self.inputs = inputs
  }

  func run() throws -> Result {
    var result = Result()
    let size =
      inputs.reduce(0) { $0 + $1.shape.count }
      + program.outputTypes.reduce(0) { $0 + $1.shape.count }
    guard size <= Self.sizeLimit else {
      let why = ConformanceCase.Derivative.none("more than \(Self.sizeLimit) elements")
      (result.first, result.second) = (why, why)
      return result
    }
    var generator = SeededGenerator(1)
    func direction(_ types: [TensorType]) -> [Tensor] {
      types.map { type in
        Tensor(
          (0..<type.shape.count).map { _ in Double.random(in: -1...1, using: &generator) },
          type: type)
      }
    }
    let movingTypes = moving.map { program.inputTypes[$0] }
    let (t, u) = (direction(movingTypes), direction(movingTypes))
    let c = direction(program.outputTypes)

    // Away from where pieces meet: exact halves, zeros and ties are common in the cases' data.
    let executable = try ReferenceExecutor().compile(program)
    let jitter = direction(movingTypes)
    var point = moved(inputs, jitter, by: 0.004)
    if try executable.run(point).contains(where: { !$0.doubles.allSatisfy(\.isFinite) }) {
      point = inputs
    }
    guard try executable.run(point).allSatisfy({ $0.doubles.allSatisfy(\.isFinite) }) else {
      let why = ConformanceCase.Derivative.none("its values are not finite")
      (result.first, result.second) = (why, why)
      return result
    }

    // A branch not taken that is NaN makes a derivative of nothing: 0 times NaN.
    let everything = Program(
      types: program.types, inputs: program.inputs, equations: program.equations,
      outputs: program.equations.flatMap(\.results))
    let values = try ReferenceExecutor().compile(everything).run(point)
    guard values.allSatisfy({ !$0.element.isFloating || !$0.doubles.contains(where: \.isNaN) })
    else {
      let why = ConformanceCase.Derivative.none("NaN on the way")
      (result.first, result.second) = (why, why)
      return result
    }

    let linearization = program.linearized(withRespectTo: moving)
    let primal = try ReferenceExecutor().compile(linearization.primal).run(point)
    let residuals = Array(primal.dropFirst(program.outputs.count))
    let jt = try ReferenceExecutor().compile(linearization.linear).run(residuals + t)
    let differences = try central { try executable.run(moved(point, t, by: $0)) }
    if let failure = disagreement(jt, differences, 1e-6) {
      result.failures.append("directional derivative: \(failure)")
    }
    let transposed = try ReferenceExecutor().compile(linearization.transposed).run(residuals + c)
    let (left, right) = (inner(c, jt), inner(transposed, t))
    if !(abs(left - right) <= 1e-9 * (1 + scale(c, jt) + scale(transposed, t))) {
      result.failures.append("<c, J t> is \(left), <J' c, t> is \(right)")
    }
    guard jt.contains(where: { $0.doubles.contains { $0 != 0 } }) else {
      result.first = .none("zero everywhere")
      result.second = .none("zero everywhere")
      return result
    }

    let scalar = try Program.trace(program.inputTypes) { arguments in
      let outputs = arguments[0].builder.inline(program, arguments)
      let terms = zip(outputs, c).map { ($0 * arguments[0].builder.constant($1)).sum() }
      return [terms.dropFirst().reduce(terms[0], +)]
    }
    let gradient = try ReferenceExecutor().compile(scalar.gradient(withRespectTo: moving))
    let product = try scalar.hessianProduct(withRespectTo: moving)
    let primals = try ReferenceExecutor().compile(product.primal).run(point)
    let kept = Array(primals.suffix(product.residualTypes.count))
    let linear = try ReferenceExecutor().compile(product.linear)
    let (ht, hu) = (try linear.run(kept + t), try linear.run(kept + u))
    let (uht, thu) = (inner(u, ht), inner(t, hu))
    if !(abs(uht - thu) <= 1e-8 * (1 + scale(u, ht) + scale(t, hu))) {
      result.failures.append("<u, H t> is \(uht), <t, H u> is \(thu)")
    }
    let slopes = try central { Array(try gradient.run(moved(point, t, by: $0)).dropFirst()) }
    if let failure = disagreement(ht, slopes, 1e-5) {
      result.failures.append("Hessian product: \(failure)")
    }
    return result
  }

  /// `x + h t` for the inputs that move.
  private func moved(_ inputs: [Tensor], _ t: [Tensor], by h: Double) -> [Tensor] {
    var inputs = inputs
    for (index, direction) in zip(moving, t) {
      inputs[index] = Tensor(
        zip(inputs[index].doubles, direction.doubles).map { $0 + h * $1 }, type: inputs[index].type)
    }
    return inputs
  }

  /// Central differences at two steps, extrapolated: fourth order.
  private func central(_ f: (Double) throws -> [Tensor]) rethrows -> [Tensor] {
    func slope(_ h: Double) throws -> [[Double]] {
      try zip(f(h), f(-h)).map { zip($0.doubles, $1.doubles).map { ($0 - $1) / (2 * h) } }
    }
    let types = try f(0).map(\.type)
    let (fine, coarse) = (try slope(1e-4), try slope(2e-4))
    return zip(types, zip(fine, coarse)).map { type, pair in
      Tensor(zip(pair.0, pair.1).map { (4 * $0 - $1) / 3 }, type: type)
    }
  }

  private func disagreement(_ a: [Tensor], _ b: [Tensor], _ tolerance: Double) -> String? {
    for (x, y) in zip(a, b) {
      let scale = 1 + (y.doubles.filter(\.isFinite).map(\.magnitude).max() ?? 0)
      for (p, q) in zip(x.doubles, y.doubles) where !(abs(p - q) <= tolerance * scale) {
        return "\(p) for a difference quotient of \(q)"
      }
    }
    return nil
  }

  private func inner(_ a: [Tensor], _ b: [Tensor]) -> Double {
    zip(a, b).reduce(0) { $0 + zip($1.0.doubles, $1.1.doubles).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  private func scale(_ a: [Tensor], _ b: [Tensor]) -> Double {
    zip(a, b).reduce(0) {
      $0 + zip($1.0.doubles, $1.1.doubles).reduce(0) { $0 + abs($1.0 * $1.1) }
    }
  }
}
