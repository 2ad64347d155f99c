/// What must hold of a model before anything is made of it.
enum ModelCheck {
  /// How deep graphs and function calls may nest.
  static let nestingLimit = 16
  static let operatorSets = 9...28
  static let intermediateRepresentations: ClosedRange<Int64> = 3...14

  /// - Throws: `OnnxModelError` in one sentence.
  static func check(_ model: Onnx_ModelProto, limits: OnnxModel.Limits) throws {
    guard model.hasGraph else { throw OnnxModelError("The file holds no ONNX graph") }
    guard intermediateRepresentations.contains(model.irVersion) else {
      throw OnnxModelError(
        "The model has IR version \(model.irVersion); those from \(intermediateRepresentations.lowerBound) "
          + "to \(intermediateRepresentations.upperBound) can be read: convert it with onnx.version_converter"
      )
    }
    try check(model.opsetImport)
    for function in model.functions { try check(function.opsetImport) }
    try check(model.graph, outer: [], depth: 0)
    for function in model.functions {
      var known: Set<String> = []
      for name in function.input where !known.insert(name).inserted {
        throw OnnxModelError("The function '\(function.name)' has two inputs '\(name)'")
      }
      try check(function.node, &known, outer: [], depth: 0)
      for attribute in function.attributeProto where attribute.hasG {
        try check(attribute.g, outer: [known], depth: 1)
      }
      for name in function.output where !known.contains(name) {
        throw OnnxModelError(
          "Nothing in the function '\(function.name)' makes its output '\(name)'")
      }
    }
  }

  private static func check(_ imports: [Onnx_OperatorSetIdProto]) throws {
    for entry in imports where canonicalDomain(entry.domain).isEmpty {
      guard operatorSets.contains(Int(entry.version)) else {
        throw OnnxModelError(
          "The model uses operator set \(entry.version); those from \(operatorSets.lowerBound) to "
            + "\(operatorSets.upperBound) can be read: convert it with onnx.version_converter")
      }
    }
  }

  private static func check(_ graph: Onnx_GraphProto, outer: [Set<String>], depth: Int) throws {
    guard depth <= nestingLimit else {
      throw OnnxModelError("The model's graphs nest more than \(nestingLimit) deep")
    }
    if let sparse = graph.sparseInitializer.first {
      throw OnnxModelError(
        "The initializer '\(sparse.values.name)' is sparse: store it as a dense tensor")
    }
    var known: Set<String> = []
    for input in graph.input where !known.insert(input.name).inserted {
      throw OnnxModelError("The graph has two inputs '\(input.name)'")
    }
    var initializers: Set<String> = []
    for tensor in graph.initializer {
      guard !tensor.name.isEmpty else { throw OnnxModelError("An initializer has no name") }
      guard initializers.insert(tensor.name).inserted else {
        throw OnnxModelError("The graph has two initializers '\(tensor.name)'")
      }
    }
    known.formUnion(initializers)
    try check(graph.node, &known, outer: outer, depth: depth)
    for output in graph.output
    where !known.contains(output.name) && !outer.contains(where: { $0.contains(output.name) }) {
      throw OnnxModelError("Nothing in the graph makes its output '\(output.name)'")
    }
  }

  private static func check(
    _ nodes: [Onnx_NodeProto], _ known: inout Set<String>, outer: [Set<String>], depth: Int
  ) throws {
    for node in nodes {
      for name in node.input where !name.isEmpty {
        guard known.contains(name) || outer.contains(where: { $0.contains(name) }) else {
          let isLater = nodes.contains { $0.output.contains(name) }
          throw OnnxModelError(
            isLater
              ? "\(node.place): its input '\(name)' is made by a later node or by itself; an ONNX "
                + "graph lists its nodes in order and has no cycles"
              : "\(node.place): nothing makes its input '\(name)'")
        }
      }
      for attribute in node.attribute where attribute.hasG {
        try check(attribute.g, outer: outer + [known], depth: depth + 1)
      }
      for name in node.output where !name.isEmpty {
        guard known.insert(name).inserted else {
          throw OnnxModelError("\(node.place): the value '\(name)' is made twice")
        }
      }
    }
  }
}
