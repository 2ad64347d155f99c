import Presentation

extension OnnxModel {
  /// What was decided about the numbers in the file: see ``Reading``.
  public var readings: [Reading] {
    var readings: [Reading] = []
    var parts: [String] = []
    if !quantized.names.isEmpty {
      let count = quantized.names.count
      parts.append(
        "\(Wording.count(count, "integer tensor")) (\(Self.some(quantized.names))) "
          + "\(count == 1 ? "is" : "are") taken as the real numbers that the integers stand for, "
          + "and training moves those")
    }
    if quantized.dropsRounding || uses(Self.roundingOperators) {
      parts.append(
        "activations keep the range of their integers but are not rounded, since a rounded loss has "
          + "no derivative; the loss differs a little from the file's own")
    }
    if !parts.isEmpty {
      readings.append(
        Reading(
          "quantised", "The model is quantised: \(parts.joined(separator: "; ")).",
          names: quantized.names))
    }
    let random = randomNodes
    if !random.isEmpty {
      readings.append(
        Reading(
          "random-nodes",
          "The graph draws random numbers in \(Self.some(random)): one draw by --seed is kept, the "
            + "same for every sample and step.", names: random))
    }
    let constants = original.graph.node.compactMap { node in
      node.storedTensor.map { (name: node.output[0], type: $0.dataType) }
    }
    let half = (original.graph.initializer.map { ($0.name, $0.dataType) } + constants).filter {
      [.float16, .bfloat16].contains(TensorFormat(rawValue: $0.type))
    }
    if let first = half.first {
      let type = TensorReader.name(first.type)
      readings.append(
        Reading(
          "half-precision",
          "\(Wording.count(half.count, "tensor")) of the file (\(Self.some(half.map(\.name)))) "
            + "\(half.count == 1 ? "is" : "are") stored in \(type) and computed with in "
            + "\(reader.floating?.rawValue ?? "float32").", names: half.map(\.name)))
    }
    return readings
  }

  /// The operators that round activations: see `OperatorCatalogue.quantization`.
  static let roundingOperators: Set<String> = [
    "QuantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeMatMul",
    "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearSigmoid",
    "QLinearLeakyRelu", "QLinearSoftmax", "QLinearGlobalAveragePool", "QLinearConcat",
    "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "QAttention",
  ]

  private var randomNodes: [String] {
    var names: [String] = []
    for nodes in [proto.graph.node] + proto.functions.map(\.node) {
      nodes.forEachNested { node in
        guard OperatorCatalogue.randomOperators.contains(node.opType) else { return }
        names.append(node.name.isEmpty ? node.output.first ?? node.opType : node.name)
      }
    }
    return names
  }

  private static func some(_ names: [String]) -> String {
    Wording.list(names.prefix(3).map(Printable.line) + (names.count > 3 ? ["..."] : []))
  }
}

extension Onnx_ModelProto {
  /// Of integers of few bits and of text, by name, the type in the file: that of stored tensors, of constants, of inputs
  /// and of what is cast.
  var storedTypes: [String: Int32] {
    var types: [String: Int32] = [:]
    func note(_ name: String, _ type: Int32) {
      if type != OnnxElement.int64.rawValue, TensorFormat(rawValue: type)?.range != nil {
        types[name] = type
      }
    }
    for tensor in graph.initializer {
      // No operator reads text, and a message can say so.
      if tensor.isText { types[tensor.name] = tensor.dataType }
      note(tensor.name, tensor.dataType)
    }
    for info in graph.input { note(info.name, info.type.tensorType.elemType) }
    for nodes in [graph.node] + functions.map(\.node) {
      nodes.forEachNested { node in
        guard let output = node.output.first else { return }
        for attribute in node.attribute {
          switch (node.opType, attribute.name) {
          case ("Constant", "value"), ("ConstantOfShape", "value"):
            note(output, attribute.t.dataType)
          case ("Cast", "to"): note(output, Int32(truncatingIfNeeded: attribute.i))
          default: break
          }
        }
      }
    }
    return types
  }
}
