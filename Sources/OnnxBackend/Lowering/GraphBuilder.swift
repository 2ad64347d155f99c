import Foundation

/// Builds an ONNX model node by node; every value gets a fresh short name.
struct GraphBuilder {
  /// ONNX 1.13's operators: the first with axes as inputs everywhere and scatter with addition.
  static let operatorSet: Int64 = 18
  private static let intermediateRepresentation: Int64 = 8

  /// A graph under construction: the model's, or one that a node of the graph around it carries.
  private struct Scope {
    var graph = Onnx_GraphProto()
    /// In order of evaluation; a node that moved leaves nil behind.
    var nodes: [Onnx_NodeProto?] = []
    var nodeOfOutput: [String: Int] = [:]
    var inputNames: [String] = []
    var outputNames: [String] = []

    func finished(_ name: String) -> Onnx_GraphProto {
      var graph = graph
      graph.name = name
      graph.node = nodes.compactMap { $0 }
      return graph
    }
  }

  private var scope = Scope()
  private var outerScopes: [Scope] = []
  /// Constants lie in the model's graph, whose values every graph sees.
  private var constants: [Onnx_TensorProto] = []
  private var nameCount = 0
  private var integerConstants: [[Int]: String] = [:]
  /// Whose operators there are beside the standard ones.
  private var domains: Set<String> = []
  /// What the nodes to come are part of: it begins their names, by which a profile knows them.
  var label = NodeLabel(primitive: "", source: nil)
  var inputNames: [String] { scope.inputNames }
  var outputNames: [String] { scope.outputNames }

  /// The operators in order of evaluation, those of a body before the one that carries it.
  private(set) var bodyOperations: [String] = []
  var operations: [String] { bodyOperations + scope.nodes.compactMap { $0?.opType } }

  enum Attribute {
    case int(Int)
    case ints([Int])
    case float(Float)
    case string(String)
    case graph(Onnx_GraphProto)
  }

  /// Begins the graph of a body, which sees the values built so far.
  mutating func beginBody() {
    outerScopes.append(scope)
    scope = Scope()
  }

  /// Ends the graph of a body, which becomes an attribute of a node of the graph around it.
  mutating func endBody() -> Attribute {
    let body = scope.finished(freshName("body"))
    bodyOperations += scope.nodes.compactMap { $0?.opType }
    scope = outerScopes.removeLast()
    return .graph(body)
  }

  private mutating func freshName(_ prefix: String) -> String {
    nameCount += 1
    return "\(prefix)\(nameCount)"
  }

  mutating func input(_ element: OnnxElement, _ shape: [Int]) -> String {
    let name = freshName("x")
    scope.graph.input.append(Self.valueInfo(name, element, shape))
    scope.inputNames.append(name)
    return name
  }

  /// Makes `value` an output; a copy node is added where the same value leaves twice or was given.
  mutating func output(_ value: String, _ element: OnnxElement, _ shape: [Int]) {
    let isGiven = scope.nodeOfOutput[value] == nil || outputNames.contains(value)
    let name = isGiven ? node("Identity", [value]) : value
    scope.graph.output.append(Self.valueInfo(name, element, shape))
    scope.outputNames.append(name)
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
    node.name = label.nodeName(nameCount)
    node.opType = operation
    node.domain = domain
    if !domain.isEmpty { domains.insert(domain) }
    node.input = inputs
    node.output = (0..<outputCount).map { _ in freshName("v") }
    node.attribute = attributes.map { name, value in Self.attribute(name, value) }
    for name in node.output { scope.nodeOfOutput[name] = scope.nodes.count }
    scope.nodes.append(node)
    return node.output
  }

  /// The operator that made a value, or nil for an input or a constant.
  func operation(of value: String) -> String? {
    scope.nodeOfOutput[value].flatMap { scope.nodes[$0]?.opType }
  }

  /// Changes the node that made `value` and moves it behind everything built so far, so that it may
  /// use newer values. Only for a value that no node reads yet.
  mutating func amendNode(of value: String, _ change: (inout Onnx_NodeProto) -> Void) {
    guard let index = scope.nodeOfOutput[value], var node = scope.nodes[index] else {
      preconditionFailure("\(value) has no node")
    }
    scope.nodes[index] = nil
    change(&node)
    scope.nodeOfOutput[value] = scope.nodes.count
    scope.nodes.append(node)
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
    constants.append(tensor)
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
    model.graph = scope.finished("program")
    model.graph.initializer = constants
    var standard = Onnx_OperatorSetIdProto()
    standard.version = Self.operatorSet
    let others = domains.sorted().map { domain in
      var set = Onnx_OperatorSetIdProto()
      set.domain = domain
      set.version = 1
      return set
    }
    model.opsetImport = [standard] + others
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
    case .graph(let value): (attribute.type, attribute.g) = (.graph, value)
    }
    return attribute
  }
}
