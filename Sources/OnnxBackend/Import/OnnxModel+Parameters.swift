import TensorPrograms

extension OnnxModel {
  /// A stored tensor that training may change.
  public struct Parameter: Hashable, Sendable {
    public var name: String
    public var value: Tensor

    public init(name: String, value: Tensor) {
      self.name = name
      self.value = value
    }
  }

  /// The initializers that the named values depend on smoothly, in the file's order: floating-point,
  /// with at least one axis, and used for more than shapes, bounds and running statistics.
  ///
  /// - Throws: `OnnxModelError`, where the graph makes no value of that name.
  public func parameters(for outputs: [String]) throws -> [Parameter] {
    let live = try influences(on: outputs).subtracting(quantized.scales)
    return proto.graph.initializer.compactMap { tensor in
      guard let value = initializers[tensor.name], live.contains(tensor.name),
        value.element.isFloating, value.shape.rank > 0
      else { return nil }
      return Parameter(name: tensor.name, value: value)
    }
  }

  /// The floating-point initializers that are no parameters, each with the reason.
  public func constants(for outputs: [String]) throws -> [(name: String, reason: String)] {
    let live = try influences(on: outputs)
    let used = Dependencies(of: outputs, in: proto.graph.node).names
    return proto.graph.initializer.compactMap { tensor in
      guard let value = initializers[tensor.name], value.element.isFloating else { return nil }
      if quantized.scales.contains(tensor.name) {
        return (tensor.name, "the scale of a quantised weight")
      }
      if live.contains(tensor.name) {
        return value.shape.rank > 0 ? nil : (tensor.name, "a single number")
      }
      return (
        tensor.name,
        used.contains(tensor.name)
          ? "a bound, a running statistic or the like" : "the outputs do not depend on it"
      )
    }
  }

  /// Whether a node of the graph, or of a function, is one of these operators.
  public func uses(_ operators: Set<String>) -> Bool {
    var found = false
    for nodes in [proto.graph.node] + proto.functions.map(\.node) {
      nodes.forEachNested { if operators.contains($0.opType) { found = true } }
    }
    return found
  }

  /// How many inputs of the graph's nodes a value is.
  public func readerCount(of name: String) -> Int {
    proto.graph.node.reduce(0) { count, node in count + node.input.count { $0 == name } }
  }

  /// The names of the values by which a derivative of `outputs` may pass.
  private func influences(on outputs: [String]) throws -> Set<String> {
    let made = Set(proto.graph.node.flatMap(\.output)).union(initializers.keys)
      .union(inputs.map(\.name))
    for output in outputs where !made.contains(output) {
      throw OnnxModelError(
        "The model has no output '\(output)'; it has \(self.outputs.joined(separator: ", "))")
    }
    var known: [String: Set<String>] = [:]
    return influences(on: Set(outputs), through: proto.graph.node, &known)
  }

  private func influences(
    on outputs: Set<String>, through nodes: [Onnx_NodeProto],
    _ functionsKnown: inout [String: Set<String>]
  ) -> Set<String> {
    var names = outputs
    for node in nodes.reversed() where node.output.contains(where: names.contains) {
      if let function = functions[node] {
        let key = [function.domain, function.name, function.overload].joined(separator: "\n")
        let inner =
          functionsKnown[key]
          ?? influences(on: Set(function.output), through: function.node, &functionsKnown)
        functionsKnown[key] = inner
        names.formUnion(zip(function.input, node.input).filter { inner.contains($0.0) }.map(\.1))
        continue
      }
      guard !node.isRounding else { continue }
      let rule = OperatorCatalogue.rule(node.opType, domain: node.canonicalDomain)
      let constants = Set(rule?.constants ?? [])
      for (index, name) in node.input.enumerated() where !constants.contains(index) {
        names.insert(name)
      }
      for attribute in node.attribute where attribute.hasG {
        names.formUnion(
          influences(
            on: Set(attribute.g.output.map(\.name)), through: attribute.g.node, &functionsKnown))
      }
    }
    return names
  }
}

extension Onnx_NodeProto {
  /// Whether it makes integers of anything.
  fileprivate var isRounding: Bool {
    guard opType == "Cast", let target = attribute.first(where: { $0.name == "to" }) else {
      return false
    }
    let real: [Onnx_TensorProto.DataType] = [.float, .double, .float16, .bfloat16]
    return !real.map(\.rawValue).contains(Int(target.i))
  }
}
