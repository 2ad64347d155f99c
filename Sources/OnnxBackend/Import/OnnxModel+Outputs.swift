extension OnnxModel {
  /// The output that a loss is most likely of: the first with floating-point numbers. Labels, which
  /// classifiers put first, are passed over.
  ///
  /// - Returns: nil where there is no output; `passed` names the outputs before it.
  public var scoreOutput: (name: String, passed: [String])? {
    let scores = proto.graph.output.firstIndex { info in
      switch info.type.value {
      case .tensorType(let type)?:
        let real: [Onnx_TensorProto.DataType] = [
          .undefined, .float, .double, .float16, .bfloat16,
        ]
        return real.map(\.rawValue).contains(Int(type.elemType))
      // A sequence or a map, as classifiers write their probabilities.
      case nil: return true
      }
    }
    guard let name = scores.map({ outputs[$0] }) ?? outputs.first else { return nil }
    return (name, scores.map { Array(outputs[..<$0]) } ?? [])
  }

  /// The stored tensors that a file keeps as attributes of a node, and that come of two rows of which one
  /// is the other's negative.
  public var attributeParameters: [(name: String, isMirrored: Bool)] {
    classical.attributes.map { ($0.name, $0.isMirrored) }
  }

  /// The inputs of which every reader is an Imputer: they may hold NaN where a value is missing.
  public var imputedInputs: Set<String> {
    var imputed: Set<String> = []
    // Backwards, so that a node's results are judged before its inputs.
    var others = Set(outputs)
    for node in proto.graph.node.reversed() {
      let passes = ["Cast", "Concat", "Identity"].contains(node.opType)
      let isImputer = node.opType == "Imputer" && node.canonicalDomain == "ai.onnx.ml"
      if isImputer || (passes && !node.output.contains(where: others.contains)) {
        imputed.formUnion(node.input)
      } else {
        others.formUnion(node.input)
      }
      for attribute in node.attribute where attribute.hasG {
        attribute.g.node.forEachNested { others.formUnion($0.input) }
      }
    }
    return imputed.subtracting(others).intersection(inputs.map(\.name))
  }
}
