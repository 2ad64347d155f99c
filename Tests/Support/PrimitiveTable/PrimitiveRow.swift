import TensorPrograms

/// A row of the table of primitives: one way to use one primitive, at random shapes.
package struct PrimitiveRow: Sendable, CustomStringConvertible {
  /// What differentiation of the row's program can be held against.
  package enum Derivative: Sendable {
    /// Differences of its values.
    case smooth
    /// It is zero by definition, whatever differences say.
    case zeroByDefinition
    /// No result is a floating-point number.
    case none
  }

  /// What is known to fall short, as data.
  package enum Weakness: Hashable, Sendable {
    /// Another executor has no kernel for the primitive at this element type.
    case interpreterOnly(ElementType, why: String)
    /// Another executor agrees with the interpreter no better than this, relatively.
    case agreement(ElementType, Double)
  }

  package let name: String
  package let kind: PrimitiveKind
  /// The element types that `instance` can be asked for.
  package let elements: [ElementType]
  package let derivative: Derivative
  package let weaknesses: [Weakness]
  private let make: @Sendable (ElementType, inout SeededGenerator) -> PrimitiveInstance

  init(
    _ name: String, _ kind: PrimitiveKind, elements: [ElementType] = [.float64, .float32],
    derivative: Derivative = .smooth, weaknesses: [Weakness] = [],
    make: @escaping @Sendable (ElementType, inout SeededGenerator) -> PrimitiveInstance
  ) {
    self.name = name
    self.kind = kind
    self.elements = elements
    self.derivative = derivative
    self.weaknesses = weaknesses
    self.make = make
  }

  package var description: String { name }

  /// The row's program at random shapes.
  package func instance(_ element: ElementType, seed: UInt64) -> PrimitiveInstance {
    var random = SeededGenerator(seed)
    return make(element, &random)
  }

  /// Why only the interpreter runs this row at `element`, or nil where others do.
  package func interpreterOnly(_ element: ElementType) -> String? {
    for case .interpreterOnly(element, let why) in weaknesses { return why }
    return nil
  }

  /// The relative agreement to ask of another executor: the row's, else 1e-5 and 1e-12.
  package func agreement(_ element: ElementType) -> Double {
    for case .agreement(element, let tolerance) in weaknesses { return tolerance }
    return element == .float32 ? 1e-5 : 1e-12
  }
}

/// A program with a domain for each of its inputs.
package struct PrimitiveInstance: Sendable {
  package let program: Program
  package let domains: [Domain]

  package init(program: Program, domains: [Domain]) {
    precondition(program.inputs.count == domains.count)
    self.program = program
    self.domains = domains
  }

  /// A program of one equation.
  init(_ primitive: Primitive, _ inputs: (TensorType, Domain)...) {
    self.init(inputs) { $0[0].builder.emit(primitive, $0) }
  }

  init(_ inputs: [(TensorType, Domain)], _ body: ([Traced]) -> [Traced]) {
    do {
      self.init(
        program: try Program.trace(inputs.map(\.0), body), domains: inputs.map(\.1))
    } catch {
      preconditionFailure("a row of the table is ill-typed: \(error)")
    }
  }

  /// Random inputs, each within its domain.
  package func inputs(seed: UInt64) -> [Tensor] {
    var random = SeededGenerator(seed &+ 1000)
    return zip(program.inputTypes, domains).map { $1.draw($0, &random) }
  }

  /// Positions of the floating-point inputs.
  package var floatingInputs: [Int] {
    program.inputTypes.indices.filter { program.inputTypes[$0].element.isFloating }
  }
}

/// The cases of `Primitive`, listable.
package enum PrimitiveKind: Hashable, Sendable {
  case unary(UnaryFunction)
  case binary(BinaryFunction)
  case compare(Comparison)
  case structural(Structural)

  package enum Structural: String, Hashable, Sendable, CaseIterable {
    case select, convert, stopGradient, constant, iota, reshape, transpose, broadcast, slice
    case split, pad, concatenate, reverse, gather, scatterAdd, reduceSum, reduceMax, dot, call, scan
    case windowMax, windowSum, cumulativeSum, argMax, sort, convolution
  }

  package static var all: [PrimitiveKind] {
    UnaryFunction.allCases.map { .unary($0) } + BinaryFunction.allCases.map { .binary($0) }
      + Comparison.allCases.map { .compare($0) } + Structural.allCases.map { .structural($0) }
  }

  /// Without a `default`: the compiler asks for a kind, and the tests then for a row, of a new case.
  package init(_ primitive: Primitive) {
    self =
      switch primitive {
      case .unary(let function): .unary(function)
      case .binary(let function): .binary(function)
      case .compare(let comparison): .compare(comparison)
      case .select: .structural(.select)
      case .convert: .structural(.convert)
      case .stopGradient: .structural(.stopGradient)
      case .constant: .structural(.constant)
      case .iota: .structural(.iota)
      case .reshape: .structural(.reshape)
      case .transpose: .structural(.transpose)
      case .broadcast: .structural(.broadcast)
      case .slice: .structural(.slice)
      case .split: .structural(.split)
      case .pad: .structural(.pad)
      case .concatenate: .structural(.concatenate)
      case .reverse: .structural(.reverse)
      case .gather: .structural(.gather)
      case .scatterAdd: .structural(.scatterAdd)
      case .reduceSum: .structural(.reduceSum)
      case .reduceMax: .structural(.reduceMax)
      case .dot: .structural(.dot)
      case .call: .structural(.call)
      case .scan: .structural(.scan)
      case .windowMax: .structural(.windowMax)
      case .windowSum: .structural(.windowSum)
      case .cumulativeSum: .structural(.cumulativeSum)
      case .argMax: .structural(.argMax)
      case .sort: .structural(.sort)
      case .convolution: .structural(.convolution)
      }
  }
}

/// Every primitive, each in the ways it can be used.
package enum PrimitiveTable {
  package static let rows: [PrimitiveRow] =
    elementwise + structural + indexed + products + loops + windows + convolutions
}
