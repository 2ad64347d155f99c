import Foundation

/// Builds an ONNX model node by node; every value gets a fresh short name.
struct GraphBuilder {
  /// ONNX 1.13's operators: the first with axes as inputs everywhere and scatter with addition.
  static let operatorSet: Int64 = 18
  private static let intermediateRepresentation: Int64 = 8

  private var graph = Onnx_GraphProto()
  /// In order of evaluation; a node that moved leaves nil behind.
  private var nodes: [Onnx_NodeProto?] = []
  private var nodeOfOutput: [String: Int] = [:]
  private var constantNames: Set<String> = []
  private var nameCount = 0
  private var integerConstants: [[Int]: String] = [:]
  /// What the nodes to come are part of: it begins their names, by which a profile knows them.
  var label = NodeLabel(primitive: "", source: nil)
  private(set) var inputNames: [String] = []
  private(set) var outputNames: [String] = []

  var operations: [String] { nodes.compactMap { $0?.opType } }

  enum Attribute {
    case int(Int)
    case ints([Int])
    case float(Float)
    case string(String)
  }

  private mutating func freshName(_ prefix: String) -> String {
    nameCount += 1
    return "\(prefix)\(nameCount)"
  }

  mutating func input(_ element: OnnxElement, _ shape: [Int]) -> String {
    let name = freshName("x")
    graph.input.append(Self.valueInfo(name, element, shape))
    inputNames.append(name)
    return name
  }

  /// Makes `value` an output; a copy node is added where the same value leaves twice or was given.
  mutating func output(_ value: String, _ element: OnnxElement, _ shape: [Int]) {
    let isGiven =
      inputNames.contains(value) || outputNames.contains(value) || constantNames.contains(value)
    let name = isGiven ? node("Identity", [value]) : value
    graph.output.append(Self.valueInfo(name, element, shape))
    outputNames.append(name)
  }

  mutating func node(
    _ operation: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:],
    domain: String = ""
  ) -> String {
    addNode(operation, inputs, attributes, domain: domain, outputCount: 1)[0]
  }

  mutating func addNode(
    _ operation: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:],
    domain: String = "", outputCount: Int
  ) -> [String] {
    var node = Onnx_NodeProto()
    node.name = label.nodeName(nodes.count)
    node.opType = operation
    node.domain = domain
    node.input = inputs
    node.output = (0..<outputCount).map { _ in freshName("v") }
    node.attribute = attributes.map { name, value in Self.attribute(name, value) }
    for name in node.output { nodeOfOutput[name] = nodes.count }
    nodes.append(node)
    return node.output
  }

  /// The operator that made a value, or nil for an input or a constant.
  func operation(of value: String) -> String? { nodeOfOutput[value].flatMap { nodes[$0]?.opType } }

  /// Changes the node that made `value` and moves it behind everything built so far, so that it may
  /// use newer values. Only for a value that no node reads yet.
  mutating func amendNode(of value: String, _ change: (inout Onnx_NodeProto) -> Void) {
    guard let index = nodeOfOutput[value], var node = nodes[index] else {
      preconditionFailure("\(value) has no node")
    }
    nodes[index] = nil
    change(&node)
    nodeOfOutput[value] = nodes.count
    nodes.append(node)
  }

  /// A constant from little-endian bytes in row-major order.
  mutating func constant(_ element: OnnxElement, _ shape: [Int], bytes: Data) -> String {
    precondition(
      bytes.count == shape.reduce(element.byteCount, *),
      "\(bytes.count) bytes do not fill a constant of shape \(shape)")
    var tensor = Onnx_TensorProto()
    tensor.name = freshName("c")
    tensor.dims = shape.map(Int64.init)
    tensor.dataType = element.rawValue
    tensor.rawData = bytes
    graph.initializer.append(tensor)
    constantNames.insert(tensor.name)
    return tensor.name
  }

  /// A vector of int64, as shapes, axes and bounds are given; equal ones are shared.
  mutating func integers(_ values: [Int]) -> String {
    if let known = integerConstants[values] { return known }
    let bytes = values.map(Int64.init).withUnsafeBytes { Data($0) }
    let name = constant(.int64, [values.count], bytes: bytes)
    integerConstants[values] = name
    return name
  }

  func model() throws -> Data {
    var model = Onnx_ModelProto()
    model.irVersion = Self.intermediateRepresentation
    model.producerName = "eigenstep"
    model.graph = graph
    model.graph.name = "program"
    model.graph.node = nodes.compactMap { $0 }
    var standard = Onnx_OperatorSetIdProto()
    standard.version = Self.operatorSet
    var microsoft = Onnx_OperatorSetIdProto()
    microsoft.domain = "com.microsoft"
    microsoft.version = 1
    model.opsetImport = [standard, microsoft]
    return try model.serializedData()
  }

  private static func valueInfo(
    _ name: String, _ element: OnnxElement, _ shape: [Int]
  ) -> Onnx_ValueInfoProto {
    var info = Onnx_ValueInfoProto()
    info.name = name
    info.type.tensorType.elemType = element.rawValue
    info.type.tensorType.shape.dim = shape.map { size in
      var dimension = Onnx_TensorShapeProto.Dimension()
      dimension.dimValue = Int64(size)
      return dimension
    }
    // A scalar's shape is present and empty; touching it is what makes it present.
    info.type.tensorType.shape = info.type.tensorType.shape
    return info
  }

  static func attribute(_ name: String, _ value: Attribute) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto()
    attribute.name = name
    switch value {
    case .int(let value): (attribute.type, attribute.i) = (.int, Int64(value))
    case .ints(let values): (attribute.type, attribute.ints) = (.ints, values.map(Int64.init))
    case .float(let value): (attribute.type, attribute.f) = (.float, value)
    case .string(let value): (attribute.type, attribute.s) = (.string, Data(value.utf8))
    }
    return attribute
  }
}
