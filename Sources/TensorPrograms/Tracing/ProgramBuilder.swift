/// Grows a program equation by equation.
///
/// The first equation that does not type-check is remembered and thrown by `build`; what is emitted
/// after it is discarded, so that an expression needs no `try` at each operator.
public final class ProgramBuilder {
  private var types: [TensorType] = []
  private var inputs: [Program.Variable] = []
  private var equations: [Program.Equation] = []
  private var definitions: [Int: Int] = [:]
  /// The first equation that does not type-check.
  package private(set) var failure: ProgramError?

  /// What equations emitted from now on name as their source, for example a node of a model file.
  public var source: String?

  public init() {}

  private func variable(_ type: TensorType) -> Program.Variable {
    types.append(type)
    return Program.Variable(types.count - 1)
  }

  func type(of variable: Program.Variable) -> TensorType { types[variable.index] }

  /// The equation that yields `variable`, or nil for an input.
  package func definition(of variable: Program.Variable) -> Program.Equation? {
    definitions[variable.index].map { equations[$0] }
  }

  /// Remembers a failure of an expression, for `build` to throw.
  package func record(_ error: ProgramError) {
    if failure == nil { failure = error }
  }

  public func input(_ type: TensorType) -> Traced {
    let variable = variable(type)
    inputs.append(variable)
    return Traced(builder: self, variable: variable)
  }

  public func constant(_ value: Tensor) -> Traced { emit(.constant(value), [])[0] }

  /// A tensor filled with one number, as a scalar constant that is broadcast.
  public func full(_ value: Double, _ type: TensorType) -> Traced {
    let scalar = constant(Tensor(scalar: value, type.element))
    return type.shape.rank == 0 ? scalar : scalar.broadcast(to: type.shape)
  }

  /// Appends an equation and returns its results.
  public func emit(_ primitive: Primitive, _ operands: [Traced]) -> [Traced] {
    for operand in operands {
      precondition(operand.builder === self, "a traced value is used outside of its own trace")
    }
    let resultTypes: [TensorType]
    do {
      resultTypes = try primitive.resultTypes(operands.map(\.type))
    } catch {
      record(error as? ProgramError ?? .mismatch("\(error)"))
      return [Traced(builder: self, variable: variable(operands.first?.type ?? .float64()))]
    }
    if let endless = resultTypes.first(where: { !$0.shape.isCountable }) {
      record(.mismatch("\(primitive.name) would make \(endless), more entries than can be counted"))
      return [Traced(builder: self, variable: variable(operands.first?.type ?? .float64()))]
    }
    let results = resultTypes.map(variable)
    for result in results { definitions[result.index] = equations.count }
    equations.append(
      Program.Equation(
        primitive: primitive, operands: operands.map(\.variable), results: results,
        source: source))
    return results.map { Traced(builder: self, variable: $0) }
  }

  /// Emits the equations of `program` on `arguments` and returns its outputs.
  public func inline(_ program: Program, _ arguments: [Traced]) -> [Traced] {
    precondition(
      program.inputTypes == arguments.map(\.type),
      "the program takes \(program.inputTypes), not \(arguments.map(\.type))")
    var values = [Traced?](repeating: nil, count: program.types.count)
    for (input, argument) in zip(program.inputs, arguments) { values[input.index] = argument }
    let outer = source
    defer { source = outer }
    for equation in program.equations {
      source = equation.source ?? outer
      let results = emit(equation.primitive, equation.operands.map { values[$0.index]! })
      for (result, value) in zip(equation.results, results) { values[result.index] = value }
    }
    return program.outputs.map { values[$0.index]! }
  }

  /// The finished program.
  ///
  /// - Throws: the first `ProgramError` met while tracing.
  public func build(_ outputs: [Traced]) throws -> Program {
    if let failure { throw failure }
    return Program(
      types: types, inputs: inputs, equations: equations, outputs: outputs.map(\.variable))
  }

  /// The finished program of a transform, whose equations are well typed by construction.
  func finish(_ outputs: [Traced]) -> Program {
    do { return try build(outputs) } catch {
      preconditionFailure("a transform emitted an ill-typed equation: \(error)")
    }
  }
}

extension Program {
  /// Runs `body` on symbolic inputs and records what it does.
  ///
  ///     let loss = try Program.trace([.float64(3), .float64(10, 3)]) { inputs in
  ///       let (w, x) = (inputs[0], inputs[1])
  ///       return [(x.matmul(w)).square().mean()]
  ///     }
  ///
  /// - Throws: `ProgramError.mismatch` at the first operation whose shapes do not fit, naming them; or
  ///   what `body` throws.
  public static func trace(
    _ inputs: [TensorType], _ body: ([Traced]) throws -> [Traced]
  ) throws -> Program {
    let builder = ProgramBuilder()
    let outputs = try body(inputs.map(builder.input))
    return try builder.build(outputs)
  }

  /// A program of one input and one output.
  public static func trace(
    _ input: TensorType, _ body: (Traced) throws -> Traced
  ) throws -> Program {
    try trace([input]) { [try body($0[0])] }
  }

  /// A program of two inputs and one output.
  public static func trace(
    _ first: TensorType, _ second: TensorType, _ body: (Traced, Traced) throws -> Traced
  ) throws -> Program {
    try trace([first, second]) { [try body($0[0], $0[1])] }
  }

  /// A program of three inputs and one output.
  public static func trace(
    _ first: TensorType, _ second: TensorType, _ third: TensorType,
    _ body: (Traced, Traced, Traced) throws -> Traced
  ) throws -> Program {
    try trace([first, second, third]) { [try body($0[0], $0[1], $0[2])] }
  }

  /// The program of a transform; see `ProgramBuilder.finish`.
  static func build(_ inputs: [TensorType], _ body: ([Traced]) -> [Traced]) -> Program {
    build(inputs) { _, arguments in body(arguments) }
  }

  /// Like `build`, for programs that may have no inputs.
  static func build(
    _ inputs: [TensorType], _ body: (ProgramBuilder, [Traced]) -> [Traced]
  ) -> Program {
    let builder = ProgramBuilder()
    return builder.finish(body(builder, inputs.map(builder.input)))
  }
}

extension TensorType {
  public static func float32(_ dimensions: Int...) -> TensorType {
    .init(.float32, .init(dimensions))
  }
  public static func float64(_ dimensions: Int...) -> TensorType {
    .init(.float64, .init(dimensions))
  }
  public static func int32(_ dimensions: Int...) -> TensorType { .init(.int32, .init(dimensions)) }
  public static func int64(_ dimensions: Int...) -> TensorType { .init(.int64, .init(dimensions)) }
  public static func bool(_ dimensions: Int...) -> TensorType { .init(.bool, .init(dimensions)) }
}
