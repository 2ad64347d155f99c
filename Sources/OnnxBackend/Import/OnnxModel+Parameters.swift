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

  /// A floating-point tensor of the file, and whether training changes it.
  public struct StoredTensor: Hashable, Sendable {
    public var name: String
    public var type: TensorType
    /// Why it is no parameter; nil for one.
    public var reason: String?
    /// Whether the outputs have a derivative in it, so that it can be trained where it is named.
    public var canBeTrained: Bool
    /// Whether it is no parameter only because of what it looks like, so that this may be mistaken.
    public var mayBeParameter = false
  }

  /// Every floating-point initializer, then every such tensor of a Constant node: which are parameters is
  /// told by the exporter's own list where the file has one, else by what the nodes do with them and how
  /// they are named. docs/decisions/0019 has the rule.
  ///
  /// - Throws: `OnnxModelError`, where the graph makes no value of a name of `outputs`.
  public func storedTensors(for outputs: [String]) throws -> [StoredTensor] {
    let smooth = try influences(on: outputs)
    let used = Dependencies(of: outputs, in: proto.graph.node).names
    let uses = TensorUses(proto.graph.node, functions)
    let names = proto.graph.initializer.map(\.name)
    let constants = proto.graph.node.compactMap { $0.storedTensor == nil ? nil : $0.output[0] }
    let keepsWeightsInConstants = !names.contains {
      smooth.contains($0) && initializers[$0]?.element.isFloating == true
        && !quantized.fromConstants.contains($0) && uses.isWeight($0)
    }
    let inConstants = Set(constants)
    return (names + constants).compactMap { name in
      guard let value = initializers[name], value.element.isFloating else { return nil }
      var stored = StoredTensor(name: name, type: value.type, canBeTrained: smooth.contains(name))
      if let reason = classical.constants[name]
        ?? (quantized.scales.contains(name) ? "the scale of a quantised weight" : nil)
      {
        stored.reason = reason
        return stored
      }
      guard stored.canBeTrained else {
        stored.reason =
          used.contains(name)
          ? TensorStanding.roleOfConstant(uses.uses(of: name)) : "the outputs do not depend on it"
        return stored
      }
      // Weights of quantised nodes hold real numbers by now, so that a stored number there is a scale.
      if value.shape.count == 1, !quantized.names.contains(name), uses.isScaleOfActivations(name) {
        stored.reason = "the scale of quantised activations"
        return stored
      }
      let isConstant = inConstants.contains(name)
      let standing = TensorStanding(
        name, value, uses: uses, signature: signature,
        isConstant: isConstant, keepsWeightsInConstants: keepsWeightsInConstants)
      (stored.reason, stored.mayBeParameter) = (standing.reason, standing.mayBeParameter)
      return stored
    }
  }

  /// Those of `storedTensors` that training changes.
  ///
  /// - Throws: `OnnxModelError`, where the graph makes no value of that name.
  public func parameters(for outputs: [String]) throws -> [Parameter] {
    try storedTensors(for: outputs).compactMap {
      $0.reason == nil ? Parameter(name: $0.name, value: initializers[$0.name]!) : nil
    }
  }

  /// Whether the file says that an output has no axis: that it is a single number.
  public func isNumber(_ output: String) -> Bool {
    guard let info = proto.graph.output.first(where: { $0.name == output }),
      case .tensorType(let type)? = info.type.value, type.hasShape
    else { return false }
    return type.shape.dim.isEmpty
  }

  /// Whether a node of the graph, or of a function, is one of these operators.
  public func uses(_ operators: Set<String>) -> Bool {
    var found = false
    for nodes in [proto.graph.node] + proto.functions.map(\.node) {
      nodes.forEachNested { if operators.contains($0.opType) { found = true } }
    }
    return found
  }

  /// The first sizes that Reshape and Expand nodes are given as numbers, each with its node: where a model
  /// was traced with one batch, its size is among them.
  public var writtenSizes: [(size: Int, node: String)] {
    var constants: [String: Onnx_TensorProto] = [:]
    for node in proto.graph.node where node.opType == "Constant" {
      guard let value = node.attribute.first else { continue }
      if value.name == "value" { constants[node.output.first ?? ""] = value.t }
      if value.name == "value_ints" {
        var tensor = Onnx_TensorProto()
        tensor.dataType = OnnxElement.int64.rawValue
        tensor.dims = [Int64(value.ints.count)]
        tensor.int64Data = value.ints
        constants[node.output.first ?? ""] = tensor
      }
    }
    return proto.graph.node.compactMap { node in
      guard ["Reshape", "Expand"].contains(node.opType), node.input.count > 1 else { return nil }
      let name = node.input[1]
      let shape =
        initializers[name]
        ?? constants[name].flatMap { try? reader.tensor($0, named: name) }
      guard let size = shape?.doubles.first, size >= 1, size < 0x1p31 else { return nil }
      return (Int(size), node.title)
    }
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

  /// The floating-point tensor that a Constant node stores; nil for other nodes.
  var storedTensor: Onnx_TensorProto? {
    guard opType == "Constant", canonicalDomain.isEmpty, output.count == 1, attribute.count == 1,
      attribute[0].name == "value", attribute[0].hasT
    else { return nil }
    let real: [Onnx_TensorProto.DataType] = [.float, .double, .float16, .bfloat16]
    return real.map(\.rawValue).contains(Int(attribute[0].t.dataType)) ? attribute[0].t : nil
  }
}
