import TensorPrograms

extension OperatorCatalogue {
  /// Operators outside of ONNX that exporters and graph optimizers write.
  ///
  /// Reference: onnxruntime/docs/ContribOperators.md.
  static let contributed: [OperatorRule] = [
    microsoft("Gelu") { [try $0.floating(0).gelu()] },
    microsoft("BiasGelu") { node in
      let x = try node.floating(0)
      return [(x + (try node.floating(1))).gelu()]
    },
    microsoft("FastGelu") { node in
      var x = try node.floating(0)
      if let bias = node.optionalInput(1) { x = x + bias }
      return [x.geluByTanh]
    },
    microsoft("QuickGelu") { node in
      let x = try node.floating(0)
      return [x * (x * node.float("alpha", 1.702)).sigmoid()]
    },
    microsoft("SkipLayerNormalization") { node in
      let (x, axes) = try node.summed(bias: 4)
      let mean = x.mean(axes, keepingAxes: true)
      let scale = (x - mean).inverseDeviation(over: axes, node.float("epsilon", 1e-12))
      return [try node.scaled((x - mean) * scale, by: 2, plus: 3), mean, scale, x]
    },
    microsoft("SkipSimplifiedLayerNormalization") { node in
      let (x, axes) = try node.summed(bias: 3)
      let scale = x.inverseDeviation(over: axes, node.float("epsilon", 1e-12))
      return [try node.scaled(x * scale, by: 2), x.mean(axes, keepingAxes: true), scale, x]
    },
  ]

  private static func microsoft(
    _ name: String, _ body: @escaping @Sendable (NodeContext) throws -> [Traced]
  ) -> OperatorRule {
    OperatorRule(name, domain: "com.microsoft", import: body)
  }
}

extension NodeContext {
  /// The sum of the input, what skips to it and a bias, and its last axis.
  fileprivate func summed(bias: Int) throws -> (Traced, axes: [Int]) {
    var x = try floating(0)
    guard x.rank > 0 else { throw fail("it cannot normalise a scalar") }
    x = x + (try floating(1))
    if let bias = optionalInput(bias) { x = x + bias }
    return (x, [x.rank - 1])
  }
}
