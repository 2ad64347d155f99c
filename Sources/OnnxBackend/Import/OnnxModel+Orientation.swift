extension OnnxModel {
  /// The stored matrices that nodes transpose before they multiply by them: of `Gemm` with `transB`, and of
  /// `Transpose` of two axes. Their rows belong to outputs, as PyTorch keeps the weights of a linear layer.
  package var transposedMatrices: Set<String> {
    var names: Set<String> = []
    for node in proto.graph.node {
      switch node.opType {
      case "Gemm" where node.attribute.contains { $0.name == "transB" && $0.i != 0 }:
        if node.input.count > 1 { names.insert(node.input[1]) }
      case "Transpose":
        if let name = node.input.first { names.insert(name) }
      default: break
      }
    }
    return names.filter { initializers[$0]?.shape.rank == 2 }
  }
}
