import TensorPrograms

/// The function that the last nodes of a graph apply to what its layers make.
public struct OutputActivation: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case softmax, logSoftmax, sigmoid, logSigmoid

    /// As people write it.
    public var words: String {
      switch self {
      case .softmax: "Softmax"
      case .logSoftmax: "LogSoftmax"
      case .sigmoid: "Sigmoid"
      case .logSigmoid: "LogSigmoid"
      }
    }
  }

  public var kind: Kind
  /// The node's name, or where it has none that of its output.
  public var node: String
  /// The value that it makes, and the one that it is of, of the same shape; nil in a function's body.
  public var made: String?
  public var source: String?
  /// The axis of the output that it goes along, where the node names one and no change of shape hides it;
  /// one from the end is negative.
  public var axis: Int?
  /// Whether a logarithm is taken of it on the way to the output.
  var isLogged = false
  /// Values that Clip makes on the way to the output.
  var clips: [String] = []
}

extension OnnxModel {
  /// The softmax or sigmoid that an output passed through, seen through nodes that only change a shape or
  /// a type, bound or log it; also where it is spelled out in exponentials. Nil where there is none.
  public func activation(of output: String) -> OutputActivation? {
    NodeMakers(proto.graph.node, initializers).activation(of: output, functions, 0)
  }

  /// The operator of the node that makes an output, before changes of its shape or type; nil for inputs.
  func lastOperator(before output: String) -> String? {
    let makers = NodeMakers(proto.graph.node)
    return makers.node(of: makers.origin(of: output))?.opType
  }

  /// Whether an output is made by a layer's own sum of products: a number of any size.
  public func endsInLayer(_ output: String) -> Bool {
    switch lastOperator(before: output) {
    case "Gemm", "MatMul", "Conv", "ConvTranspose": true
    case "Add":
      NodeMakers(proto.graph.node).hasProduct(before: output)
    default: false
    }
  }

  /// The model with the value `activation.made` replaced: by its source, or by the log-softmax of that.
  /// Bounds on the way to the output, which are those of probabilities, go too.
  public func without(_ activation: OutputActivation, logged: Bool = false) -> OnnxModel {
    guard let made = activation.made, let source = activation.source,
      let index = proto.graph.node.firstIndex(where: { $0.output.contains(made) })
    else { return self }
    var copy = self
    if logged, proto.graph.node[index].opType == "Softmax" {
      copy.proto.graph.node[index].opType = "LogSoftmax"
    } else {
      var node = Onnx_NodeProto()
      node.opType = "Identity"
      node.name = proto.graph.node[index].name
      node.input = [source]
      node.output = [made]
      copy.proto.graph.node[index] = node
    }
    for index in copy.proto.graph.node.indices
    where copy.proto.graph.node[index].output.contains(where: activation.clips.contains) {
      copy.proto.graph.node[index].opType = "Identity"
      copy.proto.graph.node[index].input = Array(proto.graph.node[index].input.prefix(1))
      copy.proto.graph.node[index].attribute = []
    }
    return copy
  }

  /// The nodes that take a softmax of what is one already, as a loss of logits does of probabilities.
  public func repeatedSoftmax(before output: String) -> [String] {
    let makers = NodeMakers(proto.graph.node, initializers)
    let operators: Set<String> = ["Softmax", "LogSoftmax", "SoftmaxCrossEntropyLoss"]
    return Dependencies(of: [output], in: proto.graph.node).nodes.filter { node in
      operators.contains(node.opType)
        && node.input.first.map { makers.activation(of: $0, functions, 0)?.kind == .softmax }
          ?? false
    }.map(\.title)
  }
}

extension Onnx_NodeProto {
  /// The node's name, or where it has none that of its first output.
  var title: String { name.isEmpty ? output.first ?? opType : name }
}

/// The nodes by the values that they make.
struct NodeMakers {
  private let makers: [String: Onnx_NodeProto]
  private let stored: [String: Tensor]

  /// - Parameter stored: tensors whose numbers count where a function is spelled out.
  init(_ nodes: [Onnx_NodeProto], _ stored: [String: Tensor] = [:]) {
    self.stored = stored
    makers = Dictionary(
      nodes.flatMap { node in node.output.map { ($0, node) } },
      uniquingKeysWith: { first, _ in first })
  }

  func node(of value: String) -> Onnx_NodeProto? { makers[value] }

  private static let passing: Set<String> = [
    "Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose",
  ]

  /// The value before nodes that only change its shape or type.
  func origin(of value: String) -> String {
    var value = value
    // A graph has no cycles, but a damaged file may.
    for _ in 0...makers.count {
      guard let node = makers[value], Self.passing.contains(node.opType),
        let first = node.input.first
      else { break }
      value = first
    }
    return value
  }

  /// Whether a value is stored as the number 1.
  private func isOne(_ value: String) -> Bool {
    let value = origin(of: value)
    if let tensor = stored[value] { return tensor.doubles.allSatisfy { $0 == 1 } }
    // A function's body, whose tensors nobody reads.
    return makers[value]?.opType == "Constant"
  }

  func hasProduct(before output: String) -> Bool {
    guard let sum = makers[origin(of: output)] else { return false }
    return sum.input.contains {
      ["MatMul", "Gemm", "Conv"].contains(makers[origin(of: $0)]?.opType ?? "")
    }
  }

  func activation(
    of output: String, _ functions: FunctionTable, _ depth: Int
  ) -> OutputActivation? {
    var value = output
    var isLogged = false
    var clips: [String] = []
    // What Transpose nodes make of an axis; nil where another node moves axes.
    var places: ((Int) -> Int?)? = { $0 }
    for _ in 0...makers.count {
      guard let node = makers[value] else { return nil }
      if let function = functions[node] {
        return inside(function, node, value, functions, depth, isLogged)
      }
      if let kind = kind(of: node, value) {
        guard var found = finished(kind.kind, isLogged, node, value, kind.source) else {
          return nil
        }
        found.clips = clips
        let axis = node.attribute.first { $0.name == "axis" }.map { Int($0.i) }
        found.axis = axis.flatMap { axis in places.flatMap { $0(axis) } }
        return found
      }
      switch node.opType {
      case "Log" where !isLogged: isLogged = true
      case "Clip": clips.append(value)
      case "Identity", "Cast", "CastLike": break
      case "Transpose":
        let order = node.attribute.first { $0.name == "perm" }?.ints.map(Int.init)
        places = places.flatMap { before in
          order.map { order in
            { axis in order.firstIndex(of: axis < 0 ? axis + order.count : axis).flatMap(before) }
          }
        }
      case let name where Self.passing.contains(name): places = nil
      default: return nil
      }
      guard let first = node.input.first else { return nil }
      value = first
    }
    return nil
  }

  private func finished(
    _ kind: OutputActivation.Kind, _ isLogged: Bool, _ node: Onnx_NodeProto, _ made: String,
    _ source: String
  ) -> OutputActivation? {
    let logged: OutputActivation.Kind? =
      switch kind {
      case .softmax: .logSoftmax
      case .sigmoid: .logSigmoid
      case .logSoftmax, .logSigmoid: nil
      }
    guard let kind = isLogged ? logged : kind else { return nil }
    return OutputActivation(
      kind: kind, node: node.title, made: made, source: source, isLogged: isLogged)
  }

  private func inside(
    _ function: Onnx_FunctionProto, _ node: Onnx_NodeProto, _ value: String,
    _ functions: FunctionTable, _ depth: Int, _ isLogged: Bool
  ) -> OutputActivation? {
    guard depth < ModelCheck.nestingLimit, !isLogged,
      let index = node.output.firstIndex(of: value), index < function.output.count,
      var found = NodeMakers(function.node).activation(
        of: function.output[index], functions, depth + 1)
    else { return nil }
    (found.node, found.made, found.source) = (node.title, nil, nil)
    return found
  }

  /// What a node applies to a value of the same shape, by its operator or spelled out.
  private func kind(
    of node: Onnx_NodeProto, _ made: String
  ) -> (kind: OutputActivation.Kind, source: String)? {
    func input(_ index: Int) -> String? { node.input.count > index ? node.input[index] : nil }
    func maker(_ index: Int, _ operation: String) -> Onnx_NodeProto? {
      guard let value = input(index), let node = makers[value], node.opType == operation
      else { return nil }
      return node
    }
    switch node.opType {
    case "Softmax": return input(0).map { (.softmax, $0) }
    case "LogSoftmax": return input(0).map { (.logSoftmax, $0) }
    case "Sigmoid": return input(0).map { (.sigmoid, $0) }
    case "Div":
      if let exponential = maker(0, "Exp"), let sum = maker(1, "ReduceSum"),
        sum.input.first == exponential.output.first, let source = exponential.input.first
      {
        return (.softmax, source)
      }
      if let sum = maker(1, "Add"), input(0).map(isOne) == true, sum.input.contains(where: isOne),
        let exponential = sum.input.compactMap({ makers[$0] }).first(where: { $0.opType == "Exp" }),
        let negative = exponential.input.first.flatMap({ makers[$0] }), negative.opType == "Neg",
        let source = negative.input.first
      {
        return (.sigmoid, source)
      }
    case "Sub":
      if let logarithm = maker(1, "Log"), let source = input(0),
        let sum = logarithm.input.first.flatMap({ makers[$0] }), sum.opType == "ReduceSum",
        let exponential = sum.input.first.flatMap({ makers[$0] }), exponential.opType == "Exp",
        exponential.input.first == source
      {
        return (.logSoftmax, source)
      }
    default: break
    }
    return nil
  }
}
