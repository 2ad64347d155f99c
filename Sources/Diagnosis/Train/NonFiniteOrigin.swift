import Curvature
import LinearMaps
import Presentation
import TensorPrograms

/// Where the first number that is not finite comes from, when a loss or its gradient is not.
///
/// The program is interpreted equation by equation, and followed back from its outputs through values that are not
/// finite, to one made of finite ones: a mask of infinities that comes to nothing is passed by.
struct NonFiniteOrigin {
  /// `the equation 'exp' in layer2, behind the parameter 'weights2'`, to be read after "it comes from".
  let words: String
  /// Whether it is a number of the point or the data, and not computed.
  let isGiven: Bool

  /// Nil where loss and gradient are finite here.
  ///
  /// - Parameters:
  ///   - samples: of which the loss is; nil for all.
  ///   - names: of the data arrays.
  init?<Scalar: LinearMapScalar>(
    _ objective: Objective<Scalar>, at point: [Scalar], samples: [Int]?
  ) throws {
    let definition = objective.definition
    let data =
      samples.map { chosen in objective.data.map { $0.samples(at: chosen) } } ?? objective.data
    var offset = 0
    let parameters = definition.parameters.map { parameter in
      defer { offset += parameter.shape.count }
      return Tensor(
        point[offset..<offset + parameter.shape.count].map { Double($0) },
        type: TensorType(Scalar.element, parameter.shape))
    }
    for (parameter, value) in zip(definition.parameters, parameters) where !value.isFinite {
      words = "the parameter '\(Printable.line(parameter.name))', which is not finite itself"
      isGiven = true
      return
    }
    for (index, value) in data.enumerated() where value.element.isFloating && !value.isFinite {
      words = "array \(index + 1) of the data, which is not finite itself"
      isGiven = true
      return
    }
    isGiven = false
    let loss = try definition.program(dataTypes: data.map(\.type), element: Scalar.element)
    if let found = try Self.trace(loss, parameters + data) {
      words = Self.words(loss, found, definition.parameters)
      return
    }
    let gradient = try loss.gradient(withRespectTo: Array(parameters.indices))
    guard let found = try Self.trace(gradient, parameters + data) else { return nil }
    let place = found.output - (gradient.outputs.count - parameters.count)
    let name =
      definition.parameters.indices.contains(place)
      ? " of the gradient of '\(Printable.line(definition.parameters[place].name))'" : ""
    words = Self.words(gradient, found, definition.parameters) + name
  }

  /// The output that is not finite first, and the equation that it comes from.
  private static func trace(
    _ program: Program, _ inputs: [Tensor]
  ) throws -> (output: Int, equation: Int)? {
    var values = [Tensor?](repeating: nil, count: program.types.count)
    var makers = [Int?](repeating: nil, count: program.types.count)
    for (variable, value) in zip(program.inputs, inputs) { values[variable.index] = value }
    for (index, equation) in program.equations.enumerated() {
      let results = try evaluate(
        equation.primitive, equation.operands.map { values[$0.index]! },
        resultTypes: equation.results.map(program.type(of:)))
      for (variable, value) in zip(equation.results, results) {
        values[variable.index] = value
        makers[variable.index] = index
      }
    }
    func isBroken(_ variable: Program.Variable) -> Bool {
      !(values[variable.index]?.isFinite ?? true)
    }
    func isNaN(_ variable: Program.Variable) -> Bool { values[variable.index]?.holdsNaN ?? false }
    guard let output = program.outputs.firstIndex(where: isBroken),
      var place = makers[program.outputs[output].index]
    else { return nil }
    while true {
      let equation = program.equations[place]
      let broken = equation.operands.filter { operand in
        guard isBroken(operand), let maker = makers[operand.index] else { return false }
        if case .constant = program.equations[maker].primitive { return false }
        return true
      }
      guard let next = broken.first(where: isNaN) ?? broken.first, let maker = makers[next.index]
      else { return (output, place) }
      place = maker
    }
  }

  /// The equation with the part of the model that it belongs to.
  private static func words(
    _ program: Program, _ found: (output: Int, equation: Int),
    _ parameters: [LossDefinition.Parameter]
  ) -> String {
    let equation = program.equations[found.equation]
    let operation = "the operation '\(equation.primitive.name)'"
    if let source = equation.source {
      return operation + " of the node '\(Printable.line(source))'"
    }
    guard let parameter = lastParameter(before: found.equation, in: program, of: parameters.count)
    else { return operation }
    let definition = parameters[parameter]
    return operation + " behind the parameter '\(Printable.line(definition.name))' of "
      + definition.layerWords
  }

  /// The parameter that joins last on the way to an equation.
  private static func lastParameter(
    before equation: Int, in program: Program, of count: Int
  ) -> Int? {
    var needed = Set(program.equations[equation].operands.map(\.index))
    let inputs = Dictionary(
      uniqueKeysWithValues: program.inputs.prefix(count).enumerated().map { ($1.index, $0) })
    for position in stride(from: equation, through: 0, by: -1) {
      let current = program.equations[position]
      guard position == equation || current.results.contains(where: { needed.contains($0.index) })
      else { continue }
      for operand in current.operands {
        if let parameter = inputs[operand.index] { return parameter }
        needed.insert(operand.index)
      }
    }
    return nil
  }
}

extension LossDefinition.Parameter {
  /// `layer2`, or of a layer that is called by a number alone `layer 2`.
  var layerWords: String {
    (layer.allSatisfy(\.isNumber) ? "layer " : "") + Printable.line(layer)
  }
}

extension Tensor {
  fileprivate var isFinite: Bool {
    switch storage {
    case .float32(let values): values.allSatisfy(\.isFinite)
    case .float64(let values): values.allSatisfy(\.isFinite)
    default: true
    }
  }

  fileprivate var holdsNaN: Bool {
    switch storage {
    case .float32(let values): values.contains(where: \.isNaN)
    case .float64(let values): values.contains(where: \.isNaN)
    default: false
    }
  }
}
