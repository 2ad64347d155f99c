/// The functions that a model brings along, none of which calls itself.
struct FunctionTable {
  private struct Key: Hashable {
    var domain: String
    var name: String
    var overload: String
  }

  private var functions: [Key: Onnx_FunctionProto] = [:]

  /// - Throws: `OnnxModelError`, for two functions of one name and for one that calls itself.
  init(_ functions: [Onnx_FunctionProto]) throws {
    for function in functions {
      let key = Key(
        domain: canonicalDomain(function.domain), name: function.name, overload: function.overload)
      guard self.functions.updateValue(function, forKey: key) == nil else {
        throw OnnxModelError("The model defines the function '\(function.name)' twice")
      }
    }
    try requireNoRecursion()
  }

  subscript(node: Onnx_NodeProto) -> Onnx_FunctionProto? {
    functions.isEmpty ? nil : functions[key(of: node)]
  }

  private func key(of node: Onnx_NodeProto) -> Key {
    Key(domain: node.canonicalDomain, name: node.opType, overload: node.overload)
  }

  private func requireNoRecursion() throws {
    var finished: Set<Key> = []
    var open: Set<Key> = []
    func visit(_ key: Key) throws {
      guard let function = functions[key], !finished.contains(key) else { return }
      guard open.insert(key).inserted else {
        throw OnnxModelError("The model's function '\(key.name)' calls itself")
      }
      guard open.count <= ModelCheck.nestingLimit else {
        throw OnnxModelError(
          "The model's functions call each other more than \(ModelCheck.nestingLimit) deep")
      }
      var called: [Key] = []
      function.node.forEachNested { called.append(self.key(of: $0)) }
      for attribute in function.attributeProto where attribute.hasG {
        attribute.g.node.forEachNested { called.append(self.key(of: $0)) }
      }
      for key in called { try visit(key) }
      open.remove(key)
      finished.insert(key)
    }
    for key in functions.keys { try visit(key) }
  }
}

/// ONNX's own domain has two spellings.
func canonicalDomain(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

/// The version of each domain's operators.
func operatorSets(_ imports: [Onnx_OperatorSetIdProto]) -> [String: Int] {
  Dictionary(
    imports.map { (canonicalDomain($0.domain), Int($0.version)) }, uniquingKeysWith: { max($0, $1) }
  )
}

extension Onnx_NodeProto {
  var canonicalDomain: String { OnnxBackend.canonicalDomain(domain) }

  /// The node of a function's body with the attributes that `call` gives the function.
  ///
  /// - Parameter absent: the function's inputs that the call leaves out.
  func bound(
    to call: Onnx_NodeProto, of function: Onnx_FunctionProto, without absent: Set<String>
  ) -> Onnx_NodeProto {
    var copy = self
    copy.name = [call.name, name.isEmpty ? output.first ?? "" : name].joined(separator: "/")
    copy.input = input.map { absent.contains($0) ? "" : $0 }
    copy.attribute = attribute.compactMap { attribute in
      var bound = attribute
      if !attribute.refAttrName.isEmpty {
        let given = call.attribute.first { $0.name == attribute.refAttrName }
        let fallback = function.attributeProto.first { $0.name == attribute.refAttrName }
        guard let value = given ?? fallback else { return nil }
        // A graph from the call has its own names, and is not of this function.
        bound = value
        bound.name = attribute.name
      } else if bound.hasG {
        bound.g.node = bound.g.node.map { $0.bound(to: call, of: function, without: absent) }
      }
      return bound
    }
    return copy
  }
}

extension [Onnx_NodeProto] {
  /// Calls `body` with every node, those of the nodes' graphs included.
  func forEachNested(_ body: (Onnx_NodeProto) throws -> Void) rethrows {
    for node in self {
      try body(node)
      for attribute in node.attribute where attribute.hasG {
        try attribute.g.node.forEachNested(body)
      }
    }
  }
}
