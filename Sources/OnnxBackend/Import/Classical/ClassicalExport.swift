import Foundation
import TensorPrograms

/// A model file as exporters of classical learners write it, in ordinary nodes: linear models with their
/// coefficients as stored tensors, and probabilities as a Softmax or Sigmoid of scores, so that what
/// follows sees parameters and losses as in any network.
///
/// Reference: the converters of skl2onnx, `skl2onnx/operator_converters`.
struct ClassicalExport: Sendable {
  /// The model that is imported.
  let model: Onnx_ModelProto
  /// Stored tensors that are constants of the exporter, with the reason why they are no parameters.
  let constants: [String: String]
  let attributes: [LinearModelNode.StoredAttribute]

  /// - Throws: `OnnxModelError`, for a linear model whose attributes do not fit each other.
  init(_ original: Onnx_ModelProto) throws {
    var model = original
    var attributes: [LinearModelNode.StoredAttribute] = []
    if original.opsetImport.contains(where: { $0.domain == "ai.onnx.ml" }) {
      attributes = try model.expandLinearModels()
    }
    model.graph.simplifyProbabilities(operatorSets(model.opsetImport)[""] ?? 0)
    self.model = model
    self.attributes = attributes
    constants =
      original.producerName == "skl2onnx" ? original.graph.constantsOfScikitLearn : [:]
  }

  /// Writes values of stored tensors back to the attributes that they came from.
  func set(_ values: [String: Tensor], in model: inout Onnx_ModelProto) {
    for stored in attributes {
      guard let value = values[stored.name],
        let node = model.graph.node.firstIndex(where: { $0.output.contains(stored.nodeOutput) }),
        let place = model.graph.node[node].attribute.firstIndex(where: {
          $0.name == stored.attribute
        })
      else { continue }
      let numbers = value.doubles.map { Float($0) }
      model.graph.node[node].attribute[place].floats =
        stored.isMirrored ? numbers.map { -$0 } + numbers : numbers
    }
  }
}

extension Onnx_ModelProto {
  /// Replaces linear models by ordinary nodes; returns which attributes became stored tensors.
  fileprivate mutating func expandLinearModels() throws -> [LinearModelNode.StoredAttribute] {
    var names = Set(graph.initializer.map(\.name) + graph.input.map(\.name))
    graph.node.forEachNested { names.formUnion($0.output) }
    func unused(_ name: String) -> String {
      var result = name
      while names.contains(where: { $0.hasPrefix("\(result).") }) { result += "_" }
      names.insert("\(result).")
      return result
    }
    let integers = Set(
      graph.input.filter {
        guard case .tensorType(let type)? = $0.type.value else { return false }
        return type.elemType != OnnxElement.float32.rawValue
          && type.elemType != OnnxElement.float64.rawValue
      }.map(\.name))
    var attributes: [LinearModelNode.StoredAttribute] = []
    var nodes: [Onnx_NodeProto] = []
    for var node in graph.node {
      guard LinearModelNode.matches(node) else {
        nodes.append(node)
        continue
      }
      if let input = node.input.first, !integers.isEmpty {
        let real = unused("\(input).real") + ".cast"
        nodes.append(.plain("Cast", [input], real, ints: ["to": 1], node.name))
        node.input[0] = real
      }
      let expansion = try LinearModelNode(node, unused: unused)
      nodes += expansion.nodes
      graph.initializer += expansion.tensors
      attributes += expansion.attributes
    }
    graph.node = nodes
    if !opsetImport.contains(where: { canonicalDomain($0.domain).isEmpty }) {
      var standard = Onnx_OperatorSetIdProto()
      standard.version = 13
      opsetImport.append(standard)
    }
    return attributes
  }
}

extension Onnx_GraphProto {
  /// Names of nodes' outputs to their places.
  private var makers: [String: Int] {
    var makers: [String: Int] = [:]
    for (index, node) in node.enumerated() {
      for name in node.output { makers[name] = index }
    }
    return makers
  }

  /// Says the probabilities of classical models by Softmax and Sigmoid: `[1 - sigmoid(z), sigmoid(z)]` is
  /// the softmax of 0 and z, `1 / (exp(-z) + 1)` is the sigmoid of z, a softmax divided by its sum is
  /// itself, and a map of classes to probabilities holds them as they come.
  fileprivate mutating func simplifyProbabilities(_ operatorSet: Int) {
    let makers = makers
    var stored: [String: Onnx_TensorProto] = [:]
    for tensor in initializer where tensor.dims.allSatisfy({ $0 == 1 }) {
      stored[tensor.name] = tensor
    }
    func maker(_ name: String?, _ operation: String) -> Onnx_NodeProto? {
      guard let name, let place = makers[name] else { return nil }
      return node[place].opType == operation ? node[place] : nil
    }
    func isNumber(_ name: String, _ number: Float) -> Bool {
      stored[name]?.singleFloat == number
    }
    /// `other` of a commutative node whose one input is the number.
    func other(_ node: Onnx_NodeProto, _ number: Float) -> String? {
      guard node.input.count == 2 else { return nil }
      if isNumber(node.input[0], number) { return node.input[1] }
      return isNumber(node.input[1], number) ? node.input[0] : nil
    }
    func negated(_ name: String) -> String? {
      maker(name, "Neg")?.input.first ?? maker(name, "Mul").flatMap { other($0, -1) }
    }
    var result: [Onnx_NodeProto] = []
    for var node in self.node {
      switch (node.canonicalDomain, node.opType) {
      case ("ai.onnx.ml", "ZipMap"):
        node.domain = ""
        node.opType = "Identity"
        node.attribute = []
      case ("ai.onnx.ml", "Normalizer"):
        let norm = node.attribute("norm").map { String(decoding: $0.s, as: UTF8.self) }
        if norm == "L1", let softmax = maker(node.input.first, "Softmax"),
          softmax.attribute("axis")?.i == 1
        {
          node.domain = ""
          node.opType = "Identity"
          node.attribute = []
        }
      case ("", "Reciprocal"):
        if let sum = maker(node.input.first, "Add"), let power = other(sum, 1),
          let exponent = maker(power, "Exp")?.input.first, let score = negated(exponent),
          let result = node.output.first
        {
          node = .plain("Sigmoid", [score], result, node.name)
        }
      case ("", "Concat"):
        if operatorSet >= 13, node.input.count == 2, node.attribute("axis")?.i == 1,
          let difference = maker(node.input[0], "Sub"), difference.input.count == 2,
          difference.input[1] == node.input[1], isNumber(difference.input[0], 1),
          let score = maker(node.input[1], "Sigmoid")?.input.first,
          let label = node.output.first
        {
          let (zero, pair) = ("\(label).zero", "\(label).scores")
          guard makers[zero] == nil, makers[pair] == nil else { break }
          result.append(.plain("Sub", [score, score], zero, node.name))
          result.append(.plain("Concat", [zero, score], pair, ints: ["axis": 1], node.name))
          node = .plain("Softmax", [pair], label, ints: ["axis": 1], node.name)
        }
      default: break
      }
      result.append(node)
    }
    node = result
  }

  /// What skl2onnx stores beside weights: the numbers in its formulas, and scales of the inputs.
  fileprivate var constantsOfScikitLearn: [String: String] {
    var reasons: [String: String] = [:]
    for tensor in initializer
    where tensor.name.wholeMatch(of: /(unity|negate|num_classes)\d*/) != nil {
      reasons[tensor.name] = "a number in the exporter's formulas"
    }
    for tensor in initializer where tensor.name.wholeMatch(of: /transform_matrix\d*/) != nil {
      reasons[tensor.name] = "a transformation of the inputs"
    }
    let stored = Set(initializer.map(\.name))
    let passing: Set = [
      "Cast", "Imputer", "Scaler", "Mul", "Add", "Sub", "Div", "Identity", "Concat", "Clip",
      "ArrayFeatureExtractor", "FeatureVectorizer", "Normalizer", "Reshape",
    ]
    var features = Set(input.map(\.name)).subtracting(stored)
    for node in node where passing.contains(node.opType) {
      let values = node.input.filter { !stored.contains($0) && !$0.isEmpty }
      guard !values.isEmpty, values.allSatisfy(features.contains) else { continue }
      features.formUnion(node.output)
      for name in node.input where stored.contains(name) {
        reasons[name] = "a scale of the inputs"
      }
    }
    return reasons
  }
}

extension Onnx_TensorProto {
  /// The one number of a float32 or float64 tensor that is kept in the file.
  fileprivate var singleFloat: Float? {
    if let value = floatData.first { return value }
    if let value = doubleData.first { return Float(value) }
    switch (dataType, rawData.count) {
    case (OnnxElement.float32.rawValue, 4):
      return rawData.withUnsafeBytes { $0.loadUnaligned(as: Float.self) }
    case (OnnxElement.float64.rawValue, 8):
      return Float(rawData.withUnsafeBytes { $0.loadUnaligned(as: Double.self) })
    default: return nil
    }
  }
}

extension Onnx_TensorProto {
  /// Whether it holds texts, such as names of classes.
  var isText: Bool { dataType == Int32(Onnx_TensorProto.DataType.string.rawValue) }
}
