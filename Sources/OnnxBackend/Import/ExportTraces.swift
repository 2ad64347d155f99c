import TensorPrograms

/// What exporters did to a model that makes it another one than that which is trained.
public struct ExportTraces: Sendable {
  /// A layer that took a BatchNormalization in.
  public struct Folded: Hashable, Sendable {
    public var node: String
    public var weight: String
  }

  public private(set) var folded: [Folded] = []
  /// Nodes that draw random numbers whenever the model runs, each with its operator.
  public private(set) var random: [(node: String, operation: String)] = []

  /// - Parameter output: only nodes before it count.
  public init(_ model: OnnxModel, output: String) {
    let nodes = Dependencies(of: [output], in: model.proto.graph.node).nodes
    folded = nodes.compactMap(Self.folded)
    nodes.forEachNested { node in
      if model.isRandom(node) { random.append((node.title, node.opType)) }
    }
    let calls = nodes.filter { model.functions[$0] != nil }
    for call in calls {
      model.functions[call]?.node.forEachNested { node in
        if model.isRandom(node) { random.append((call.title, node.opType)) }
      }
    }
  }

  /// A normalisation leaves the name of its own result, of its bias or of a weight that is no module's.
  private static func folded(_ node: Onnx_NodeProto) -> Folded? {
    guard ["Conv", "ConvTranspose", "Gemm"].contains(node.opType), node.canonicalDomain.isEmpty,
      node.input.count > 2, let result = node.output.first
    else { return nil }
    let (weight, bias) = (node.input[1], node.input[2])
    let isFolded =
      // torch.onnx's optimiser, since PyTorch 2.6: a bias where the module has none, and results of
      // batch_norm, which returns a tuple.
      bias == weight + "_bias" || result.wholeMatch(of: /getitem(?:_\d+)?/) != nil
      // The older exporter's constant folding, which loses the module's names.
      || weight.wholeMatch(of: /(?:.*\/)?onnx::Conv(?:Transpose)?_\d+/) != nil
      // Optimisers that keep the name of the result; tf2onnx.
      || result.contains(/(?i)batch_?norm/) || result.contains(/(?:^|[\/._])bn\d*(?:[\/._]|$)/)
      || weight.contains("fused_bn") || bias.contains("fused_bn")
    return isFolded ? Folded(node: node.title, weight: weight) : nil
  }
}

extension OnnxModel {
  fileprivate func isRandom(_ node: Onnx_NodeProto) -> Bool {
    let sources: Set<String> = [
      "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
      "Multinomial",
    ]
    guard node.canonicalDomain.isEmpty else { return false }
    if sources.contains(node.opType) { return true }
    guard node.opType == "Dropout", node.input.count > 2 else { return false }
    let ratio = node.input[1].isEmpty ? 0.5 : number(node.input[1]) ?? 0.5
    return ratio > 0 && number(node.input[2]) == 1
  }

  /// The number that an initializer or a Constant node holds.
  private func number(_ name: String) -> Double? {
    if let tensor = initializers[name] { return tensor.doubles.first }
    let stored = proto.graph.node.first { $0.opType == "Constant" && $0.output.first == name }
    guard let tensor = stored?.attribute.first(where: { $0.name == "value" })?.t else { return nil }
    return (try? reader.tensor(tensor, named: name))?.doubles.first
  }

  /// Pairs of stored tensors that hold the same numbers, as one matrix and its transpose or equal, and are
  /// no constant throughout: of the names given, in their order.
  public func copies(
    among names: [String]
  ) -> [(first: String, second: String, isTransposed: Bool)] {
    var seen: [UInt64: [String]] = [:]
    var pairs: [(first: String, second: String, isTransposed: Bool)] = []
    for name in names {
      guard let tensor = initializers[name], tensor.shape.count >= 4 else { continue }
      let numbers = tensor.doubles
      guard numbers.contains(where: { $0 != numbers[0] }) else { continue }
      // Whatever order the numbers stand in.
      let key = numbers.reduce(UInt64(numbers.count)) { sum, number in
        var bits = number.bitPattern &* 0x9E37_79B9_7F4A_7C15
        bits ^= bits >> 29
        return sum &+ bits &* 0xBF58_476D_1CE4_E5B9
      }
      for other in seen[key] ?? [] {
        let earlier = initializers[other]!
        let values = earlier.doubles
        if earlier.shape == tensor.shape, values == numbers {
          pairs.append((other, name, false))
          break
        }
        guard let (rows, columns) = tensor.matrixSize, let (m, n) = earlier.matrixSize,
          (rows, columns) == (n, m),
          (0..<rows).allSatisfy({ row in
            (0..<columns).allSatisfy { numbers[row * columns + $0] == values[$0 * rows + row] }
          })
        else { continue }
        pairs.append((other, name, true))
        break
      }
      seen[key, default: []].append(name)
    }
    return pairs
  }
}

extension Tensor {
  fileprivate var matrixSize: (Int, Int)? { shape.rank == 2 ? (shape[0], shape[1]) : nil }
}
