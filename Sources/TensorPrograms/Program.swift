/// A typed list of equations over variables that are each assigned once: the one form in which a
/// model, a loss, a derivative or a training step exists.
///
/// Build one with `Program.trace`; every transform takes and returns programs.
public struct Program: Hashable, Sendable {
  /// The value of one input or of one equation's result.
  public struct Variable: Hashable, Sendable {
    public let index: Int
    package init(_ index: Int) { self.index = index }
  }

  /// Equal where primitive, operands and results are, whatever the sources.
  public struct Equation: Hashable, Sendable {
    public var primitive: Primitive
    public var operands: [Variable]
    public var results: [Variable]
    /// The part of the model that the equation comes from, for profiles; transforms hand it on.
    public var source: String?

    public static func == (left: Equation, right: Equation) -> Bool {
      left.primitive == right.primitive && left.operands == right.operands
        && left.results == right.results
    }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(primitive)
      hasher.combine(operands)
      hasher.combine(results)
    }
  }

  /// The type of each variable, by its index.
  public private(set) var types: [TensorType]
  public private(set) var inputs: [Variable]
  public private(set) var equations: [Equation]
  public private(set) var outputs: [Variable]

  package init(
    types: [TensorType], inputs: [Variable], equations: [Equation], outputs: [Variable]
  ) {
    self.types = types
    self.inputs = inputs
    self.equations = equations
    self.outputs = outputs
  }

  public func type(of variable: Variable) -> TensorType { types[variable.index] }
  public var inputTypes: [TensorType] { inputs.map(type(of:)) }
  public var outputTypes: [TensorType] { outputs.map(type(of:)) }
}

/// What is wrong with a program, or with what was asked of one.
public enum ProgramError: Error, Hashable, CustomStringConvertible {
  /// Operands whose shapes or types a primitive cannot take.
  case mismatch(String)
  /// A variable that is used before it is assigned, or assigned twice.
  case notAssigned(String)
  /// A gradient of something that is not one floating-point number.
  case notScalar(TensorType)

  public var description: String {
    switch self {
    case .mismatch(let text), .notAssigned(let text): text
    case .notScalar(let type):
      "a gradient needs a scalar floating-point output, but this one is \(type); reduce it first, "
        + "for example with mean()"
    }
  }
}

extension Program {
  /// Checks that every variable is assigned once before use and that every equation's result types
  /// are those of its primitive's type rule, sub-programs included.
  public func verify() throws {
    var assigned = [Bool](repeating: false, count: types.count)
    func assign(_ variable: Variable, _ place: String) throws {
      guard types.indices.contains(variable.index) else {
        throw ProgramError.notAssigned("%\(variable.index) in \(place) has no type")
      }
      guard !assigned[variable.index] else {
        throw ProgramError.notAssigned("%\(variable.index) is assigned twice, again in \(place)")
      }
      assigned[variable.index] = true
    }
    func use(_ variable: Variable, _ place: String) throws {
      guard types.indices.contains(variable.index), assigned[variable.index] else {
        throw ProgramError.notAssigned(
          "%\(variable.index) is used in \(place) before it is assigned")
      }
    }
    for input in inputs { try assign(input, "the inputs") }
    for (index, equation) in equations.enumerated() {
      let place = "equation \(index) (\(equation.primitive.name))"
      for operand in equation.operands { try use(operand, place) }
      try equation.primitive.body?.verify()
      for result in equation.results { try assign(result, place) }
      let inferred = try equation.primitive.resultTypes(equation.operands.map(type(of:)))
      guard inferred == equation.results.map({ types[$0.index] }) else {
        throw ProgramError.mismatch(
          "\(place) yields \(inferred), but its results are typed "
            + "\(equation.results.map { types[$0.index] })")
      }
    }
    for output in outputs { try use(output, "the outputs") }
  }
}

extension Program: CustomStringConvertible {
  /// One line per equation, `%5: float32[8, 3] = multiply %3 %4`.
  public var description: String { lines.joined(separator: "\n") }

  private var lines: [String] {
    func typed(_ variable: Variable) -> String { "%\(variable.index): \(type(of: variable))" }
    var lines = ["program(\(inputs.map(typed).joined(separator: ", "))) {"]
    for equation in equations {
      let results = equation.results.map(typed).joined(separator: ", ")
      let operands = equation.operands.map { " %\($0.index)" }.joined()
      lines.append("  \(results) = \(equation.primitive.text)\(operands)")
      if let body = equation.primitive.body {
        lines += body.lines.map { "    " + $0 }
      }
    }
    lines.append("  return \(outputs.map { "%\($0.index)" }.joined(separator: ", "))")
    lines.append("}")
    return lines
  }
}

extension Primitive {
  /// The primitive's name without its parameters.
  public var name: String {
    switch self {
    case .unary(let function): function.rawValue
    case .binary(let function): function.rawValue
    case .compare(let comparison): comparison.rawValue
    case .select: "select"
    case .convert: "convert"
    case .stopGradient: "stopGradient"
    case .constant: "constant"
    case .iota: "iota"
    case .reshape: "reshape"
    case .transpose: "transpose"
    case .broadcast: "broadcast"
    case .slice: "slice"
    case .split: "split"
    case .pad: "pad"
    case .concatenate: "concatenate"
    case .reverse: "reverse"
    case .gather: "gather"
    case .scatterAdd: "scatterAdd"
    case .reduceSum: "reduceSum"
    case .reduceMax: "reduceMax"
    case .windowMax: "windowMax"
    case .windowSum: "windowSum"
    case .cumulativeSum: "cumulativeSum"
    case .argMax: "argMax"
    case .sort: "sort"
    case .dot: "dot"
    case .convolution: "convolution"
    case .call: "call"
    case .scan: "scan"
    }
  }

  /// The sub-program that the primitive carries.
  package var body: Program? {
    switch self {
    case .call(let body): body
    case .scan(let scan): scan.body
    default: nil
    }
  }

  /// The name with its parameters, as the printer writes it.
  var text: String {
    switch self {
    case .unary, .binary, .compare, .select, .stopGradient, .call: name
    case .convert(let type): "convert(\(type.rawValue))"
    case .constant(let value): "constant(\(value))"
    case .iota(let type, let axis): "iota(\(type), axis: \(axis))"
    case .reshape(let shape): "reshape(\(shape))"
    case .transpose(let permutation): "transpose(\(permutation))"
    case .broadcast(let shape, let axes): "broadcast(\(shape), axes: \(axes))"
    case .slice(let start, let limit, let stride): "slice(\(start), \(limit), stride: \(stride))"
    case .split(let sizes, let axis): "split(\(sizes), axis: \(axis))"
    case .pad(let low, let high, let interior, let value):
      "pad(\(low), \(high), interior: \(interior), value: \(value))"
    case .concatenate(let axis): "concatenate(axis: \(axis))"
    case .reverse(let axes): "reverse(\(axes))"
    case .gather(let axis, let batch): "gather(axis: \(axis), batch: \(batch))"
    case .scatterAdd(let axis, let batch, let size):
      "scatterAdd(axis: \(axis), batch: \(batch), size: \(size))"
    case .reduceSum(let axes): "reduceSum(\(axes))"
    case .reduceMax(let axes): "reduceMax(\(axes))"
    case .windowMax(let window), .windowSum(let window):
      "\(name)(\(window.sizes), strides: \(window.strides), dilation: \(window.dilation), "
        + "padding: \(window.low) \(window.high))"
    case .cumulativeSum(let axis, let reversed):
      "cumulativeSum(axis: \(axis), reversed: \(reversed))"
    case .argMax(let axis): "argMax(axis: \(axis))"
    case .sort(let axis, let descending): "sort(axis: \(axis), descending: \(descending))"
    case .convolution(let convolution):
      "convolution(\(convolution.role), strides: \(convolution.strides), "
        + "dilation: \(convolution.dilation), padding: \(convolution.low) \(convolution.high), "
        + "groups: \(convolution.groups))"
    case .dot(let dimensions):
      "dot(\(dimensions.leftContracting) x \(dimensions.rightContracting), "
        + "batch: \(dimensions.leftBatch) x \(dimensions.rightBatch))"
    case .scan(let scan):
      "scan(length: \(scan.length), constants: \(scan.constantCount), "
        + "carries: \(scan.carryCount)\(scan.isReversed ? ", reversed" : ""))"
    }
  }
}

extension Program {
  /// The program with only some of its outputs, and without what the others alone need.
  public func selectingResults(_ range: Range<Int>) -> Program {
    selectingOutputs(Array(outputs[range])).simplified()
  }
}
