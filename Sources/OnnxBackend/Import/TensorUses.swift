/// What the nodes of a graph do with each stored tensor.
struct TensorUses {
  /// A node that reads a tensor, as it is stored or after a change of its shape or type alone.
  struct Use {
    let node: Onnx_NodeProto
    let input: Int
    /// The function's body that the node is in; nil in the graph.
    let body: Onnx_FunctionProto?
  }

  private let functions: FunctionTable
  private let readers: [String: [(node: Onnx_NodeProto, input: Int)]]
  private let makers: [String: Onnx_NodeProto]

  init(_ nodes: [Onnx_NodeProto], _ functions: FunctionTable) {
    self.functions = functions
    var readers: [String: [(node: Onnx_NodeProto, input: Int)]] = [:]
    var makers: [String: Onnx_NodeProto] = [:]
    nodes.forEachNested { node in
      for (index, name) in node.input.enumerated() where !name.isEmpty {
        readers[name, default: []].append((node, index))
      }
      for name in node.output where !name.isEmpty { makers[name] = node }
    }
    self.readers = readers
    self.makers = makers
  }

  /// The node that makes a value; nil for inputs and initializers.
  func maker(of name: String) -> Onnx_NodeProto? { makers[name] }

  /// The value before changes of its shape or type alone.
  func origin(of name: String) -> String {
    var name = name
    while let node = makers[name], Self.keepsValues(node, 0), let first = node.input.first {
      name = first
    }
    return name
  }

  func uses(of name: String, depth: Int = 0) -> [Use] {
    var found: [Use] = []
    var seen: Set<String> = [name]
    var open = [name]
    while let next = open.popLast() {
      for (node, input) in readers[next] ?? [] {
        if let function = functions[node] {
          guard depth < ModelCheck.nestingLimit, input < function.input.count else { continue }
          found += TensorUses(function.node, functions)
            .uses(of: function.input[input], depth: depth + 1)
            .map { Use(node: $0.node, input: $0.input, body: $0.body ?? function) }
        } else if Self.keepsValues(node, input) {
          open += node.output.filter { !$0.isEmpty && seen.insert($0).inserted }
        } else {
          found.append(Use(node: node, input: input, body: nil))
        }
      }
    }
    return found
  }

  /// Whether some node takes the tensor where only weights, biases and scales of layers go.
  func isWeight(_ name: String) -> Bool { uses(of: name).contains(where: \.isWeight) }

  /// Whether a value is an argument of an operator a few elementwise nodes away: a part of a composed
  /// function, as 0.5 and 1 are of GELU.
  func isNear(_ operation: String, _ name: String, steps: Int = 4) -> Bool {
    var seen: Set<String> = [name]
    var edge: Set<String> = [name]
    for _ in 0..<steps {
      var next: Set<String> = []
      for value in edge {
        for (node, _) in readers[value] ?? [] {
          if node.opType == operation { return true }
          guard Self.elementwise.contains(node.opType) else { continue }
          // Factors of one product stand together, whichever is multiplied first.
          next.formUnion(node.output + node.input)
        }
        if value != name, let node = makers[value] {
          if node.opType == operation { return true }
          if Self.elementwise.contains(node.opType) { next.formUnion(node.input) }
        }
      }
      edge = next.subtracting(seen)
      seen.formUnion(next)
    }
    return false
  }

  private static let elementwise: Set<String> = ["Mul", "Div", "Add", "Sub", "Cast", "Identity"]

  private static func keepsValues(_ node: Onnx_NodeProto, _ input: Int) -> Bool {
    if node.opType == "Concat" { return true }
    let shapeOnly: Set<String> = [
      "Identity", "Cast", "CastLike", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand",
      "Flatten", "Slice", "Split", "Tile",
    ]
    return input == 0 && shapeOnly.contains(node.opType)
  }
}

extension TensorUses.Use {
  /// Where only weights, biases and scales of layers go.
  var isWeight: Bool {
    if !node.canonicalDomain.isEmpty { return input > 0 }
    return switch node.opType {
    case "Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization",
      "LayerNormalization", "GroupNormalization", "RMSNormalization":
      input == 1 || input == 2
    case "Gemm", "MatMul", "Einsum": true
    case "LSTM", "GRU", "RNN": (1...3).contains(input) || input == 7
    case "Gather": input == 0
    case "PRelu": input == 1
    default: false
    }
  }
}
