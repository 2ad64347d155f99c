import Foundation
import ProgramRuns

@testable import OnnxBackend

/// A model file that a test draws node by node.
struct ModelSketch {
  private var proto = Onnx_ModelProto()

  init(opset: Int64 = 18) {
    proto.irVersion = 8
    var set = Onnx_OperatorSetIdProto()
    set.version = opset
    proto.opsetImport = [set]
    proto.graph.name = "sketch"
  }

  /// - Parameter sizes: numbers, or names of open ones; nil leaves the shape out.
  mutating func input(_ name: String, _ sizes: [String], double: Bool = false) {
    proto.graph.input.append(Self.info(name, sizes, double))
  }

  mutating func output(_ name: String, _ sizes: [String]? = nil, double: Bool = false) {
    proto.graph.output.append(Self.info(name, sizes, double))
  }

  mutating func tensor(_ name: String, _ sizes: [Int], _ values: [Double], double: Bool = false) {
    proto.graph.initializer.append(Self.tensor(name, sizes, values, double))
  }

  mutating func integers(_ name: String, _ values: [Int64]) {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (name, [Int64(values.count)], 7)
    tensor.int64Data = values
    proto.graph.initializer.append(tensor)
  }

  mutating func flag(_ name: String, _ value: Bool) {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (name, [], 9)
    tensor.int32Data = [value ? 1 : 0]
    proto.graph.initializer.append(tensor)
  }

  mutating func constant(
    _ name: String, _ sizes: [Int], _ values: [Double], integers: Bool = false
  ) {
    var node = Onnx_NodeProto()
    (node.opType, node.output) = ("Constant", [name])
    var attribute = Onnx_AttributeProto()
    (attribute.name, attribute.type) = ("value", .tensor)
    attribute.t = Self.tensor("", sizes, values, false)
    if integers {
      (attribute.t.dataType, attribute.t.floatData) = (3, [])
      attribute.t.int32Data = values.map { Int32($0) }
    }
    node.attribute = [attribute]
    proto.graph.node.append(node)
  }

  mutating func node(
    _ operation: String, _ inputs: [String], _ outputs: [String], name: String? = nil,
    _ attributes: KeyValuePairs<String, Int> = [:]
  ) {
    var node = Onnx_NodeProto()
    (node.opType, node.input, node.output) = (operation, inputs, outputs)
    node.name = name ?? "\(operation.lowercased())_\(proto.graph.node.count)"
    node.attribute = attributes.map { GraphBuilder.attribute($0, .int($1)) }
    proto.graph.node.append(node)
  }

  /// A matrix turned.
  mutating func permuted(_ from: String, _ to: String) {
    var entry = Onnx_AttributeProto()
    (entry.name, entry.type, entry.ints) = ("perm", .ints, [1, 0])
    node("Transpose", [from], [to])
    proto.graph.node[proto.graph.node.count - 1].attribute = [entry]
  }

  /// An entry of the graph's metadata, which readers take from the bytes.
  mutating func metadata(_ key: String, _ value: String) {
    func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
      func varint(_ value: Int) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + varint(value >> 7)
      }
      return varint(number << 3 | 2) + varint(bytes.count) + bytes
    }
    // A message that comes twice is one with the fields of both.
    metadata += field(7, field(16, field(1, Array(key.utf8)) + field(2, Array(value.utf8))))
  }

  private var metadata: [UInt8] = []

  private var data: Data { get throws { try proto.serializedBytes() + Data(metadata) } }

  func write(in folder: TemporaryFolder, to name: String = "m.onnx") throws -> String {
    try data.write(to: URL(fileURLWithPath: folder.path(name)))
    return folder.path(name)
  }

  func read() throws -> OnnxModel { try OnnxModel(data: data, isUniform: true) }

  private static func tensor(
    _ name: String, _ sizes: [Int], _ values: [Double], _ double: Bool
  ) -> Onnx_TensorProto {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (name, sizes.map(Int64.init), double ? 11 : 1)
    if double { tensor.doubleData = values } else { tensor.floatData = values.map(Float.init) }
    return tensor
  }

  private static func info(_ name: String, _ sizes: [String]?, _ double: Bool)
    -> Onnx_ValueInfoProto
  {
    var info = Onnx_ValueInfoProto()
    info.name = name
    info.type.tensorType.elemType = double ? 11 : 1
    guard let sizes else { return info }
    info.type.tensorType.shape.dim = sizes.map { text in
      var dimension = Onnx_TensorShapeProto.Dimension()
      if let size = Int64(text) { dimension.dimValue = size } else { dimension.dimParam = text }
      return dimension
    }
    return info
  }
}

/// Numbers that repeat nowhere soon.
func wave(_ count: Int, _ phase: Double = 0) -> [Double] {
  (0..<count).map { sin(1.7 * Double($0) + phase) }
}
