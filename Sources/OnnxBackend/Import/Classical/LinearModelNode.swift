import Foundation
import TensorPrograms

/// A `LinearClassifier` or `LinearRegressor` as the ordinary nodes that it stands for, its attributes as
/// stored tensors: `NAME.coefficients` and `NAME.intercepts`.
///
/// Two rows that are each other's negative, as scikit-learn's exporter writes a model with one logit, are
/// one row. Reference: onnx/docs/Operators-ml.md; where it is silent, ONNX Runtime.
struct LinearModelNode {
  /// An attribute that a stored tensor was made of.
  struct StoredAttribute: Sendable {
    /// Of the tensor.
    var name: String
    /// The first output of the attribute's node.
    var nodeOutput: String
    var attribute: String
    /// Whether the attribute holds the tensor's negative, then the tensor.
    var isMirrored: Bool
  }

  private(set) var nodes: [Onnx_NodeProto] = []
  private(set) var tensors: [Onnx_TensorProto] = []
  private(set) var attributes: [StoredAttribute] = []
  private let source: Onnx_NodeProto
  private let label: String

  /// Whether a node is of this kind.
  static func matches(_ node: Onnx_NodeProto) -> Bool {
    node.canonicalDomain == "ai.onnx.ml"
      && ["LinearClassifier", "LinearRegressor"].contains(node.opType)
  }

  /// - Parameter unused: a name that nothing in the graph has, made of the one given.
  /// - Throws: `OnnxModelError`, where the attributes do not fit each other.
  init(_ node: Onnx_NodeProto, unused: (String) -> String) throws {
    source = node
    let name = node.name.isEmpty ? node.output.first { !$0.isEmpty } ?? node.opType : node.name
    label = unused(name)
    let isClassifier = node.opType == "LinearClassifier"
    let coefficients = node.floats("coefficients")
    let intercepts = node.floats("intercepts")
    let labelCount = node.attribute("classlabels_ints").map(\.ints.count) ?? 0
    let classes = max(labelCount, node.attribute("classlabels_strings").map(\.strings.count) ?? 0)
    let targets = node.attribute("targets").map { Int($0.i) } ?? 1
    let rows = !intercepts.isEmpty ? intercepts.count : isClassifier ? classes : targets
    guard node.output.contains(where: { !$0.isEmpty }) else {
      throw OnnxModelError("\(node.place): it names no output")
    }
    guard rows > 0, !coefficients.isEmpty, coefficients.count % rows == 0, node.input.count == 1
    else {
      throw OnnxModelError(
        "\(node.place): its \(coefficients.count) coefficients are not as many for each of \(rows) "
          + "outputs")
    }
    guard !isClassifier || classes == rows || (rows == 1 && classes == 2) else {
      throw OnnxModelError("\(node.place): it has \(rows) intercepts for \(classes) classes")
    }
    let transform = node.attribute("post_transform").map { String(decoding: $0.s, as: UTF8.self) }
    let function = transform ?? "NONE"
    guard ["NONE", "LOGISTIC", "SOFTMAX"].contains(function) else {
      throw OnnxModelError(
        "\(node.place): its post_transform \(function) cannot be imported; NONE, LOGISTIC and "
          + "SOFTMAX can")
    }
    let width = coefficients.count / rows
    func negated(_ values: [Float]) -> Bool {
      zip(values.prefix(values.count / 2), values.suffix(values.count / 2)).allSatisfy { $0 == -$1 }
    }
    let isMirrored =
      isClassifier && rows == 2 && negated(coefficients)
      && (intercepts.isEmpty || negated(intercepts))
    let kept = isMirrored ? 1 : rows
    store("coefficients", Array(coefficients.suffix(kept * width)), [kept, width], isMirrored)
    if !intercepts.isEmpty {
      store("intercepts", Array(intercepts.suffix(kept)), [kept], isMirrored)
    }
    if isClassifier {
      classify(rows: rows, isMirrored, function)
    } else {
      let score = add("Gemm", [node.input[0]] + tensors.map(\.name), ints: ["transB": 1])
      finish(score, rows == 1 ? "NONE" : function, to: node.output[0])
    }
  }

  private func inner(_ part: String) -> String { "\(label).\(part)" }

  private mutating func store(
    _ attribute: String, _ values: [Float], _ dimensions: [Int], _ isMirrored: Bool
  ) {
    var tensor = Onnx_TensorProto()
    tensor.name = inner(attribute)
    tensor.dataType = OnnxElement.float32.rawValue
    tensor.dims = dimensions.map(Int64.init)
    tensor.rawData = values.withUnsafeBytes { Data($0) }
    tensors.append(tensor)
    attributes.append(
      StoredAttribute(
        name: tensor.name, nodeOutput: source.output.first { !$0.isEmpty } ?? "",
        attribute: attribute, isMirrored: isMirrored))
  }

  /// Adds a node with one output, which is returned.
  private mutating func add(
    _ operation: String, _ inputs: [String], ints: [String: Int] = [:], to output: String? = nil
  ) -> String {
    let result = output ?? inner("\(operation.lowercased())\(nodes.count)")
    nodes.append(Onnx_NodeProto.plain(operation, inputs, result, ints: ints, source.name))
    return result
  }

  private mutating func finish(_ score: String, _ function: String, to output: String) {
    switch function {
    case "SOFTMAX": _ = add("Softmax", [score], ints: ["axis": 1], to: output)
    case "LOGISTIC": _ = add("Sigmoid", [score], to: output)
    default: _ = add("Identity", [score], to: output)
    }
  }

  private mutating func classify(rows: Int, _ isMirrored: Bool, _ function: String) {
    let gemm = add("Gemm", [source.input[0]] + tensors.map(\.name), ints: ["transB": 1])
    let scores = source.output.count > 1 && !source.output[1].isEmpty ? source.output[1] : nil
    if rows == 1 || isMirrored {
      let zero = add("Sub", [gemm, gemm])
      let pair = add("Concat", [zero, gemm], ints: ["axis": 1])
      addLabel(pair)
      guard let scores else { return }
      switch (function, isMirrored) {
      case ("LOGISTIC", _):
        // The logistic function of z and of -z is the softmax of 0 and z.
        finish(pair, "SOFTMAX", to: scores)
      case (_, true):
        let opposite = add("Neg", [gemm])
        finish(add("Concat", [opposite, gemm], ints: ["axis": 1]), function, to: scores)
      case (_, false):
        let one = add("Exp", [zero])
        let other = add("Sub", [one, gemm])
        finish(add("Concat", [other, gemm], ints: ["axis": 1]), "NONE", to: scores)
      }
    } else {
      addLabel(gemm)
      if let scores { finish(gemm, function, to: scores) }
    }
  }

  /// The predicted label; one that is a text as its place among the labels.
  private mutating func addLabel(_ scores: String) {
    guard let output = source.output.first, !output.isEmpty else { return }
    guard let labels = source.attribute("classlabels_ints"), !labels.ints.isEmpty else {
      _ = add("ArgMax", [scores], ints: ["axis": 1, "keepdims": 0], to: output)
      return
    }
    let place = add("ArgMax", [scores], ints: ["axis": 1, "keepdims": 0])
    var tensor = Onnx_TensorProto()
    tensor.name = inner("labels")
    tensor.dataType = OnnxElement.int64.rawValue
    tensor.dims = [Int64(labels.ints.count)]
    tensor.int64Data = labels.ints
    tensors.append(tensor)
    _ = add("Gather", [tensor.name, place], to: output)
  }
}

extension Onnx_NodeProto {
  func attribute(_ name: String) -> Onnx_AttributeProto? { attribute.first { $0.name == name } }

  fileprivate func floats(_ name: String) -> [Float] { attribute(name)?.floats ?? [] }

  /// A node of ONNX's own domain with one output.
  static func plain(
    _ operation: String, _ inputs: [String], _ output: String, ints: [String: Int] = [:],
    _ name: String
  ) -> Onnx_NodeProto {
    var node = Onnx_NodeProto()
    node.opType = operation
    node.name = name.isEmpty ? "" : "\(name)/\(operation)"
    node.input = inputs
    node.output = [output]
    for (key, value) in ints.sorted(by: { $0.key < $1.key }) {
      var attribute = Onnx_AttributeProto()
      attribute.name = key
      attribute.type = .int
      attribute.i = Int64(value)
      node.attribute.append(attribute)
    }
    return node
  }
}
