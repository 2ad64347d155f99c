import Foundation
import TensorPrograms

/// Turns a program into an ONNX graph, one primitive after the other.
struct ProgramLowering {
  var builder = GraphBuilder()
  /// How many channels blocked convolutions take together, where there are any.
  private var findChannelBlock: () -> Int? = { nil }
  private var scalars: [String: String] = [:]
  private var numbers: [String: Double] = [:]
  private var nodesByKey: [String: String] = [:]
  /// Matrix products that nothing reads yet and that only one equation will.
  private var openProducts: [String: OpenProduct] = [:]

  /// An ONNX model with what is needed to bind its inputs and outputs.
  struct Model {
    var bytes: Data
    var inputNames: [String]
    var outputNames: [String]
    /// The operators in order of evaluation.
    var operations: [String]
  }

  /// - Parameter channelBlock: see `ChannelBlock`; asked for only where a program has use for it.
  static func lower(
    _ program: Program, channelBlock: @escaping @autoclosure () -> Int? = nil
  ) throws -> Model {
    var lowering = ProgramLowering()
    lowering.findChannelBlock = channelBlock
    let inputs = program.inputTypes.map { lowering.input($0) }
    for (value, type) in zip(try lowering.lower(program, inputs), program.outputTypes) {
      lowering.output(value, type)
    }
    return Model(
      bytes: try lowering.builder.model(), inputNames: lowering.builder.inputNames,
      outputNames: lowering.builder.outputNames, operations: lowering.builder.operations)
  }

  mutating func lower(
    _ program: Program, _ inputs: [LoweredValue]
  ) throws -> [LoweredValue] {
    var values = [LoweredValue?](repeating: nil, count: program.types.count)
    let readers = Readers(program)
    for (variable, value) in zip(program.inputs, inputs) { values[variable.index] = value }
    for equation in program.equations {
      builder.label = NodeLabel(primitive: equation.primitive.name, source: equation.source)
      let operands = equation.operands.map { values[$0.index]! }
      let types = equation.operands.map(program.type(of:))
      let resultTypes = equation.results.map(program.type(of:))
      let results =
        if equation.primitive.body != nil {
          try lower(equation.primitive, operands, types, resultTypes)
        } else if resultTypes.allSatisfy({ $0.shape.count == 0 }) {
          resultTypes.map { empty($0) }
        } else if case .dot(let dimensions) = equation.primitive {
          [
            dot(
              operands, types, dimensions, resultTypes[0],
              leading: readers.leadingAxis(of: equation.results[0]))
          ]
        } else {
          try lower(equation.primitive, operands, types, resultTypes)
        }
      for (variable, value) in zip(equation.results, results) {
        values[variable.index] = value
        // Under another variable the product may be read again, so only what made it keeps it open.
        let isMade =
          switch equation.primitive {
          case .dot, .binary(.add), .binary(.multiply): readers.hasOne(variable)
          default: false
          }
        if !isMade { openProducts[value.name] = nil }
      }
    }
    return program.outputs.map { values[$0.index]! }
  }

  private mutating func lower(
    _ primitive: Primitive, _ operands: [LoweredValue], _ types: [TensorType],
    _ results: [TensorType]
  ) throws -> [LoweredValue] {
    switch primitive {
    case .unary(let function):
      return [unary(function, operands[0], types[0].element)]
    case .binary(let function):
      return [binary(function, operands, types[0])]
    case .compare(let comparison):
      return [compare(comparison, operands, types[0])]
    case .select:
      return [select(operands, types[1])]
    case .convert(let element):
      return [convert(operands[0], from: types[0].element, to: element)]
    case .stopGradient:
      return operands
    case .constant(let tensor):
      return [constant(tensor)]
    case .iota(let type, let axis):
      return [iota(type, axis)]
    case .reshape(let shape):
      return [reshape(operands[0], types[0].shape, shape)]
    case .transpose(let permutation):
      return [relabelled(operands[0]) { permutation.firstIndex(of: $0)! }]
    case .broadcast(_, let axes):
      return [relabelled(operands[0]) { axes[$0] }]
    case .slice(let start, let limit, let stride):
      return [slice(operands[0], types[0].shape, start, limit, stride, results[0].shape)]
    case .split(let sizes, let axis):
      return split(operands[0], types[0], sizes, axis)
    case .pad(let low, let high, let interior, let value):
      return [pad(operands[0], types[0], low, high, interior, value, results[0].shape)]
    case .concatenate(let axis):
      return [concatenate(operands, types, axis, results[0].shape)]
    case .reverse(let axes):
      return [reverse(operands[0], types[0].shape, axes)]
    case .gather(let axis, let batch):
      return [gather(operands, types, axis, batch, results[0])]
    case .scatterAdd(let axis, let batch, let size):
      return [scatterAdd(operands, types, axis, batch, size, results[0])]
    case .reduceSum(let axes):
      return [reduceSum(operands[0], types[0], axes)]
    case .reduceMax(let axes):
      return [reduceMax(operands[0], types[0], axes)]
    case .dot(let dimensions):
      return [dot(operands, types, dimensions, results[0], leading: nil)]
    case .convolution(let convolution):
      return [try self.convolution(operands, types, convolution, results[0])]
    case .windowMax(let window):
      return [try windowMax(operands[0], types[0], window, results[0])]
    case .windowSum(let window):
      return [try windowSum(operands[0], types[0], window, results[0])]
    case .cumulativeSum(let axis, let reversed):
      return [cumulativeSum(operands[0], types[0], axis, reversed)]
    case .argMax(let axis):
      return [argMax(operands[0], types[0], axis, results[0])]
    case .sort(let axis, let descending):
      return sort(operands[0], types[0], axis, descending)
    case .call(let body):
      for operand in operands { openProducts[operand.name] = nil }
      return try lower(body, operands)
    case .scan(let scan):
      return try self.scan(scan, operands, types, results)
    }
  }

  subscript(openProduct value: LoweredValue) -> OpenProduct? {
    get { openProducts[value.name] }
    set { openProducts[value.name] = newValue }
  }

  var channelBlock: Int? { findChannelBlock() }

  /// The number that every element of the value is, where it is known from a constant.
  func scalarValue(_ value: LoweredValue) -> Double? { numbers[value.name] }

  /// What `body` makes in a graph of its own: what it caches there is not seen outside, and a product
  /// outside takes nothing in from there.
  mutating func inBody<R>(_ body: (inout ProgramLowering) throws -> R) rethrows -> R {
    let (known, label) = (nodesByKey, builder.label)
    openProducts = [:]
    builder.beginBody()
    let result = try body(&self)
    (nodesByKey, builder.label) = (known, label)
    openProducts = [:]
    return result
  }

  /// A node made once per key, for values that several equations settle in the same way.
  mutating func cached(_ key: String, _ make: (inout GraphBuilder) -> String) -> String {
    if let name = nodesByKey[key] { return name }
    let name = make(&builder)
    nodesByKey[key] = name
    return name
  }

  // MARK: Values from nothing

  mutating func scalar(_ value: Double, _ element: ElementType) -> String {
    // The bit pattern tells -0 from 0 and one NaN from another.
    let key = "\(element) \(value.bitPattern)"
    if let name = scalars[key] { return name }
    let name = tensor(Tensor(scalar: value, element))
    scalars[key] = name
    numbers[name] = value
    return name
  }

  mutating func tensor(_ tensor: Tensor) -> String {
    builder.constant(
      OnnxElement(tensor.element), tensor.shape.dimensions,
      bytes: tensor.withUnsafeBytes { Data($0) })
  }

  private mutating func constant(_ tensor: Tensor) -> LoweredValue {
    // An int64 may not fit the double that a uniform value is told as.
    if tensor.element != .int64, let value = tensor.uniformValue {
      return LoweredValue(name: scalar(value, tensor.element), dimensions: [], axes: [])
    }
    return LoweredValue(
      name: self.tensor(tensor), dimensions: tensor.shape.dimensions, axes: tensor.shape.wideAxes)
  }

  mutating func uniform(_ value: Double, _ element: ElementType) -> LoweredValue {
    LoweredValue(name: scalar(value, element), dimensions: [], axes: [])
  }

  mutating func empty(_ type: TensorType) -> LoweredValue {
    LoweredValue(
      name: tensor(Tensor(repeating: 0, type: type)), dimensions: type.shape.dimensions, axes: [])
  }

  private mutating func iota(_ type: TensorType, _ axis: Int) -> LoweredValue {
    let count = type.shape[axis]
    guard count <= 1 << 24 else {
      let ends = [0, Double(count), 1].map { tensor(Tensor(scalar: $0, type.element)) }
      return LoweredValue(
        name: builder.addNode("Range", ends, [:], outputCount: 1)[0], dimensions: [count],
        axes: [axis])
    }
    let values = Tensor((0..<count).map(Double.init), type: TensorType(type.element, [count]))
    return LoweredValue(
      name: tensor(values), dimensions: [count], axes: count > 1 ? [axis] : [])
  }
}

/// Who reads each variable of a program.
private struct Readers {
  private var counts: [Int]
  private var lastReader: [Program.Equation?]

  init(_ program: Program) {
    counts = [Int](repeating: 0, count: program.types.count)
    lastReader = [Program.Equation?](repeating: nil, count: program.types.count)
    for equation in program.equations {
      for operand in equation.operands {
        counts[operand.index] += 1
        lastReader[operand.index] = equation
      }
    }
    for output in program.outputs { counts[output.index] += 1 }
  }

  func hasOne(_ variable: Program.Variable) -> Bool { counts[variable.index] == 1 }

  /// The axis that the variable's only reader transposes to the front.
  func leadingAxis(of variable: Program.Variable) -> Int? {
    guard hasOne(variable), case .transpose(let permutation) = lastReader[variable.index]?.primitive
    else { return nil }
    return permutation.first
  }
}

extension Shape {
  /// The axes with more than one entry.
  var wideAxes: [Int] { dimensions.indices.filter { dimensions[$0] != 1 } }
}

extension OnnxElement {
  init(_ element: ElementType) {
    self =
      switch element {
      case .float32: .float32
      case .float64: .float64
      case .int32: .int32
      case .int64: .int64
      case .bool: .bool
      }
  }
}
