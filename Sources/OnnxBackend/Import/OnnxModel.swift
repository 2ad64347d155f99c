import Foundation
import TensorPrograms

/// A model read from an ONNX file: its inputs, outputs and initializers, and its graph as equations.
///
///     let model = try OnnxModel(contentsOf: "model.onnx")
///     let program = try Program.trace(types) { inputs in
///       try model.trace(inputs: ["x": inputs[0]], outputs: ["y"], builder: inputs[0].builder)
///     }
///
/// Operator sets 9 to 28. Reference: the ONNX intermediate representation, onnx/docs/IR.md.
public struct OnnxModel: Sendable {
  /// What a file may make this process hold.
  public struct Limits: Sendable {
    /// Bytes of the model file; ONNX's own limit is 2 GB.
    public var fileBytes = 1 << 31
    /// Elements of one stored tensor.
    public var elements = 1 << 31
    /// Bytes of all stored tensors together, as they are computed with: half the machine's memory. Tensors
    /// may share bytes of a file, so the file's size bounds nothing.
    public var storedBytes = Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)
    /// Names in the file, of which a node, an attribute or a tensor counts as four.
    public var messages = 2_000_000
    /// Nodes, with functions and loops expanded.
    public var nodes = 200_000
    /// Elements computed while reading for one node whose inputs are all known; in total 16 times that.
    public var foldedElements = 1 << 22

    public init() {}
  }

  /// One size of an input.
  public enum Dimension: Hashable, Sendable, CustomStringConvertible {
    case fixed(Int)
    /// Bound to the data; equal names are equal sizes. Empty where the file gives no name.
    case symbolic(String)

    public var description: String {
      switch self {
      case .fixed(let size): "\(size)"
      case .symbolic(let name): name.isEmpty ? "?" : name
      }
    }
  }

  /// A named input.
  public struct Input: Hashable, Sendable {
    public var name: String
    public var element: ElementType
    /// Nil where the file leaves even the number of axes open.
    public var dimensions: [Dimension]?
  }

  /// The inputs that data must be given for, in order.
  public let inputs: [Input]
  /// The names of the outputs, in order.
  public let outputs: [String]
  /// The stored tensors by name: initializers, and the floating-point tensors of Constant nodes, which
  /// some exporters keep weights in, by the node's output.
  public let initializers: [String: Tensor]

  /// The type that all floating-point values take; nil for the file's own.
  public let element: ElementType?

  var proto: Onnx_ModelProto
  /// As the file has it, which is what is written.
  let original: Onnx_ModelProto
  let classical: ClassicalExport
  let reader: TensorReader
  let functions: FunctionTable
  let quantized: QuantizedWeights
  /// Of integers of few bits, by name, the type in the file.
  let storedTypes: [String: Int32]
  let limits: Limits
  let signature: ExportSignature

  /// Reads a model file and the files beside it that its tensors are kept in.
  ///
  /// - Parameters:
  ///   - element: the type that all floating-point values take, or nil for the file's own.
  ///   - isUniform: whether, where `element` is nil, all take the type of most stored numbers.
  /// - Throws: `OnnxModelError` in one sentence, naming what is wrong.
  public init(
    contentsOf path: String, element: ElementType? = nil, isUniform: Bool = false,
    limits: Limits = Limits()
  ) throws {
    let file = URL(fileURLWithPath: path)
    let data: Data
    do { data = try RegularFile.contents(of: file) } catch {
      throw OnnxModelError("The model cannot be read: \(error)")
    }
    do {
      try self.init(
        data: data, folder: file.resolvingSymlinksInPath().deletingLastPathComponent(),
        element: element, isUniform: isUniform, limits: limits)
    } catch let error as OnnxModelError where error.description.hasPrefix(Self.noModel) {
      throw OnnxModelError(
        "'\(path)' is not an ONNX model, or it is cut short or damaged; export it again, or copy it whole."
      )
    }
  }

  private static let noModel = "The file is not an ONNX model"

  /// Reads a model from bytes.
  ///
  /// - Parameters:
  ///   - folder: where tensors kept in other files lie; nil refuses them.
  ///   - element: the type that all floating-point values take, or nil for the file's own.
  ///   - isUniform: whether, where `element` is nil, all take the type of most stored numbers.
  /// - Throws: `OnnxModelError` in one sentence, naming what is wrong.
  public init(
    data: Data, folder: URL? = nil, element: ElementType? = nil, isUniform: Bool = false,
    limits: Limits = Limits()
  ) throws {
    precondition(element?.isFloating ?? true, "floating-point values cannot become integers")
    guard data.count <= limits.fileBytes else {
      throw OnnxModelError(
        "The model file has \(data.count) bytes, more than the limit of \(limits.fileBytes)")
    }
    signature = try ModelScan(data, limits: limits).signature
    do { original = try Onnx_ModelProto(serializedBytes: data) } catch {
      throw OnnxModelError(Self.noModel + ", or it is cut short or damaged")
    }
    try ModelCheck.check(original, limits: limits)
    classical = try ClassicalExport(original)
    var proto = classical.model
    let element = element ?? (isUniform ? proto.graph.mostlyFloat64 ? .float64 : .float32 : nil)
    self.element = element
    functions = try FunctionTable(proto.functions)
    let reader = TensorReader(folder: folder, floating: element, limits: limits)
    let constants = proto.graph.node.compactMap { node in
      node.storedTensor.map { (name: node.output[0], tensor: $0) }
    }
    try Self.checkSize(of: proto.graph.initializer + constants.map(\.tensor), element, limits)
    var initializers: [String: Tensor] = [:]
    for tensor in proto.graph.initializer where !tensor.isText {
      initializers[tensor.name] = try reader.tensor(tensor, named: tensor.name)
    }
    for (name, tensor) in constants {
      initializers[name] = try reader.tensor(tensor, named: name)
    }
    let stored = Set(proto.graph.initializer.map(\.name))
    inputs = try proto.graph.input.filter {
      !stored.contains($0.name) && initializers[$0.name] == nil
    }.map {
      try Self.input($0, reader)
    }
    outputs = proto.graph.output.map(\.name)
    storedTypes = proto.storedTypes
    quantized = try QuantizedWeights(proto.graph, initializers, reader)
    proto.graph.node = quantized.nodes
    for name in quantized.added { proto.graph.initializer.append(.with { $0.name = name }) }
    self.initializers = quantized.initializers
    self.proto = proto
    self.reader = reader
    self.limits = limits
  }

  /// - Throws: `OnnxModelError` where the stored tensors take more than the limit, before any is read.
  private static func checkSize(
    of tensors: [Onnx_TensorProto], _ element: ElementType?, _ limits: Limits
  ) throws {
    var total = 0.0
    for tensor in tensors {
      let count = tensor.dims.reduce(1.0) { $0 * Double($1) }
      // Integers of any width come as int64.
      let size = element == .float32 && tensor.dataType == OnnxElement.float32.rawValue ? 4.0 : 8.0
      total += count * size
      guard total.magnitude <= Double(limits.storedBytes) else {
        throw OnnxModelError(
          "The stored tensors up to '\(tensor.name)' take \(Int(min(total, 0x1p62))) bytes, more than "
            + "the limit of \(limits.storedBytes): diagnose it on a larger machine")
      }
    }
  }

  private static func input(
    _ info: Onnx_ValueInfoProto, _ reader: TensorReader
  ) throws -> Input {
    guard case .tensorType(let type)? = info.type.value else {
      throw OnnxModelError("The input '\(info.name)' is not a tensor")
    }
    let dimensions =
      try type.hasShape
      ? type.shape.dim.map { dimension -> Dimension in
        switch dimension.value {
        // Some exporters write -1 for a size that the data have.
        case .dimValue(-1)?: return .symbolic("")
        case .dimValue(let size)?:
          guard GraphImporter.isReasonable([Int(size)]) else {
            throw OnnxModelError("The input '\(info.name)' has the impossible size \(size)")
          }
          return .fixed(Int(size))
        case .dimParam(let name)?: return .symbolic(name)
        case nil: return .symbolic("")
        }
      } : nil
    return Input(
      name: info.name,
      element: try reader.elementType(type.elemType, of: "The input '\(info.name)'"),
      dimensions: dimensions)
  }
}

extension Onnx_GraphProto {
  /// Whether most of the floating-point numbers that the graph stores, or else most inputs, are float64.
  fileprivate var mostlyFloat64: Bool {
    func isMost(_ types: [(element: Int32, count: Double)]) -> Bool? {
      let double = types.filter { Int($0.element) == Onnx_TensorProto.DataType.double.rawValue }
      let kinds: [Onnx_TensorProto.DataType] = [.float, .float16, .bfloat16]
      let single = types.filter { kinds.map(\.rawValue).contains(Int($0.element)) }
      guard !(double + single).isEmpty else { return nil }
      return double.reduce(0) { $0 + $1.count } > single.reduce(0) { $0 + $1.count }
    }
    func sized(_ tensors: [Onnx_TensorProto]) -> [(element: Int32, count: Double)] {
      tensors.map { ($0.dataType, $0.dims.reduce(1.0) { $0 * Double($1) }) }
    }
    let inputs = input.compactMap { info -> (element: Int32, count: Double)? in
      guard case .tensorType(let type)? = info.type.value else { return nil }
      return (type.elemType, 1)
    }
    return isMost(sized(initializer)) ?? isMost(sized(node.compactMap(\.storedTensor)))
      ?? isMost(inputs) ?? false
  }
}
