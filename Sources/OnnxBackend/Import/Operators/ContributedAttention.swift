import TensorPrograms

/// Attention and embeddings as ONNX Runtime's graph optimizer fuses them.
///
/// Reference: onnxruntime/docs/ContribOperators.md.
extension OperatorCatalogue {
  static let contributedAttention: [OperatorRule] = [
    microsoftAttention("EmbedLayerNormalization", [0, 1, 7, 8]) { node in
      try node.embedded(positions: 8) { try node.floating($0) }
    },
    microsoftAttention("QEmbedLayerNormalization", Array(0...1) + Array(7...17)) { node in
      let scales = [2: 8, 3: 9, 4: 10, 5: 11, 6: 12]
      return try node.embedded(positions: nil) { index in
        try node.dequantized(index, scale: scales[index]!, zero: scales[index]! + 5, axis: 0)
      }
    },
    microsoftAttention("Attention", [3, 6]) { node in
      let product = try node.matrixProduct(node.floating(0), node.floating(1))
      let projected = node.optionalInput(2).map { product + $0 } ?? product
      return try node.attention(
        FusedHeads(of: projected, node, past: 4), mask: 3, bias: 5)
    },
    microsoftAttention("QAttention", [3, 4, 5, 6, 7]) { node in
      let x = try node.dequantized(0, scale: 3, zero: 6, axis: 0)
      let weight = try node.dequantized(1, scale: 4, zero: 7, axis: -1)
      let projected = try node.matrixProduct(x, weight) + node.input(2)
      return try node.attention(FusedHeads(of: projected, node, past: 8), mask: 5, bias: nil)
    },
    microsoftAttention("MultiHeadAttention", [4]) { node in
      try node.attention(FusedHeads(separate: node), mask: 4, bias: 5)
    },
  ]

  private static func microsoftAttention(
    _ name: String, _ constants: [Int],
    _ body: @escaping @Sendable (NodeContext) throws -> [Traced]
  ) -> OperatorRule {
    OperatorRule(name, domain: "com.microsoft", constants: constants, import: body)
  }
}

/// Queries, keys and values as `[batch, heads, length, size]`.
private struct FusedHeads {
  let queries: Traced
  let keys: Traced
  let values: Traced
  /// Keys of earlier calls.
  let pastLength: Int
  /// Whether the node keeps keys and values in one output.
  let isPacked: Bool

  /// Side by side on the last axis of `x`, `[batch, length, 3 size]`.
  init(of x: Traced, _ node: NodeContext, past index: Int) throws {
    let sizes =
      node.ints("qkv_hidden_sizes")
      ?? [Int](repeating: (x.shape.dimensions.last ?? 0) / 3, count: 3)
    guard x.rank == 3, sizes.count == 3, sizes.allSatisfy({ (1...x.shape[2]).contains($0) }),
      sizes.reduce(0, +) == x.shape[2]
    else { throw node.fail("the sizes \(sizes) do not make up the projection \(x.shape)") }
    guard !node.flag("do_rotary") else { throw node.fail("it cannot turn its heads by position") }
    let parts = try x.split(sizes: sizes, axis: 2).map { try Self.heads($0, node) }
    queries = parts[0]
    isPacked = true
    guard let past = node.optionalInput(index) else {
      (keys, values, pastLength) = (parts[1], parts[2], 0)
      return
    }
    let expected = [2] + parts[1].shape.dimensions
    guard past.rank == 5, past.shape.removing([3]) == Shape(expected).removing([3]) else {
      throw node.fail("earlier keys and values of shape \(past.shape) do not fit \(parts[1].shape)")
    }
    let earlier = past.split(sizes: [1, 1], axis: 0).map { $0.reshaped($0.shape.removing([0])) }
    keys = .concatenate([earlier[0], parts[1]], axis: 2)
    values = .concatenate([earlier[1], parts[2]], axis: 2)
    pastLength = past.shape[3]
  }

  /// In inputs of their own, with a bias and earlier keys and values where there are some.
  init(separate node: NodeContext) throws {
    var bias: [Traced?] = [nil, nil, nil]
    let query = try node.floating(0)
    guard query.rank == 3, let key = node.optionalInput(1), let value = node.optionalInput(2),
      [3, 4].contains(key.rank), key.rank == value.rank
    else {
      throw node.fail("queries, keys and values in one tensor cannot be told apart")
    }
    if let given = node.optionalInput(3) {
      let last = value.rank == 3 ? value.shape[2] : value.shape[1] * value.shape[3]
      let sizes = [query.shape[2], query.shape[2], last]
      guard given.rank == 1, given.shape[0] == sizes.reduce(0, +) else {
        throw node.fail("the bias \(given.shape) does not fit the sizes \(sizes)")
      }
      bias = given.split(sizes: sizes, axis: 0)
    }
    func heads(_ x: Traced, _ bias: Traced?) throws -> Traced {
      if x.rank == 4 { return x }
      return try Self.heads(bias.map { x + $0 } ?? x, node)
    }
    queries = try heads(query, bias[0])
    let parts = try [heads(key, bias[1]), heads(value, bias[2])]
    var joined: [Traced] = []
    for (part, index) in zip(parts, [6, 7]) {
      guard let past = node.optionalInput(index) else {
        joined.append(part)
        continue
      }
      guard past.rank == 4, past.shape.removing([2]) == part.shape.removing([2]) else {
        throw node.fail("its input \(index) of shape \(past.shape) does not fit \(part.shape)")
      }
      joined.append(.concatenate([past, part], axis: 2))
    }
    (keys, values) = (joined[0], joined[1])
    pastLength = keys.shape[2] - parts[0].shape[2]
    isPacked = false
  }

  private static func heads(_ x: Traced, _ node: NodeContext) throws -> Traced {
    let count = node.int("num_heads", 0)
    guard x.rank == 3, count > 0, x.shape[2] % count == 0 else {
      throw node.fail("\(x.shape) does not divide into \(count) heads")
    }
    return x.reshaped([x.shape[0], x.shape[1], count, x.shape[2] / count])
      .transposed([0, 2, 1, 3])
  }
}

extension NodeContext {
  /// `softmax(scale Q K^T + mask + bias) V` of each head, then keys and values.
  fileprivate func attention(
    _ heads: FusedHeads, mask: Int, bias: Int?
  ) throws -> [Traced] {
    let (q, k, v) = (heads.queries, heads.keys, heads.values)
    guard Array(k.shape.dimensions[..<3]) == Array(v.shape.dimensions[..<3]),
      q.shape[0] == k.shape[0], q.shape[1] == k.shape[1], q.shape[3] == k.shape[3]
    else { throw fail("queries \(q.shape), keys \(k.shape) and values \(v.shape) do not fit") }
    let stated = float("scale", 0)
    let scale = stated == 0 ? 1 / Double(max(1, q.shape[3])).squareRoot() : stated
    var scores = (q * scale).dot(k, DotDimensions(contracting: [3], [3], batch: [0, 1], [0, 1]))
    if let allowed = try allowedKeys(mask, batch: q.shape[0], scores.shape[2], scores.shape[3]) {
      let filler = scores.scalar(float("mask_filter_value", -10_000))
      scores = scores + allowed.select(scores.zeros(), filler)
    }
    if let bias = bias.flatMap(optionalInput) {
      guard scores.shape.broadcast(with: bias.shape) == scores.shape else {
        throw fail("the bias \(bias.shape) does not broadcast to the scores \(scores.shape)")
      }
      scores = scores + bias
    }
    if flag("unidirectional") {
      let grid = TensorType(.int64, [scores.shape[2], scores.shape[3]])
      let key = builder.emit(.iota(grid, axis: 1), [])[0]
      let last = builder.emit(.iota(grid, axis: 0), [])[0] + Double(heads.pastLength)
      scores = key.compare(.lessOrEqual, last).select(scores, scores.scalar(-.infinity))
    }
    let sums = scores.softmax(axis: 3)
      .dot(v, DotDimensions(contracting: [3], [2], batch: [0, 1], [0, 1]))
    let y = sums.transposed([0, 2, 1, 3])
      .reshaped([q.shape[0], q.shape[2], q.shape[1] * v.shape[3]])
    let present =
      heads.isPacked
      ? [Traced.concatenate([k.expanded(at: 0), v.expanded(at: 0)], axis: 0)] : [k, v]
    return [y] + present
  }

  /// Where attention may be paid, as it broadcasts to the scores; nil where it may everywhere.
  private func allowedKeys(
    _ index: Int, batch: Int, _ queries: Int, _ keys: Int
  ) throws -> Traced? {
    guard let mask = optionalInput(index)?.converted(to: .int64) else { return nil }
    let key = builder.emit(.iota(TensorType(.int64, [1, 1, 1, keys]), axis: 3), [])[0]
    switch mask.shape {
    // The length of each sample, and where it starts.
    case [batch]: return key.compare(.less, mask.reshaped([batch, 1, 1, 1]))
    case [2 * batch]:
      let parts = mask.split(sizes: [batch, batch], axis: 0).map { $0.reshaped([batch, 1, 1, 1]) }
      return key.compare(.less, parts[0])
        .binary(.and, key.compare(.greaterOrEqual, parts[1]))
    case [batch, keys]:
      return mask.reshaped([batch, 1, 1, keys]).compare(.greater, mask.scalar(0))
    case [batch, queries, keys]:
      return mask.reshaped([batch, 1, queries, keys]).compare(.greater, mask.scalar(0))
    default:
      throw fail("the mask \(mask.shape) does not fit \(queries) queries and \(keys) keys")
    }
  }

  /// The sum of the embeddings of words, positions and segments, normalised; the lengths by the mask; the sum.
  fileprivate func embedded(
    positions places: Int?, _ value: (Int) throws -> Traced
  ) throws -> [Traced] {
    let ids = try input(0)
    guard ids.rank == 2, !ids.element.isFloating else {
      throw fail("it takes integers [batch, length], not \(ids.type)")
    }
    func rows(_ table: Int, _ places: Traced) throws -> Traced {
      let table = try value(table)
      guard table.rank == 2 else { throw fail("a table of shape \(table.shape) has no rows") }
      return table.gather(try self.places(places, in: table.shape[0]), axis: 0)
    }
    let positions =
      places.flatMap(optionalInput)
      ?? builder.constant(
        Tensor((0..<ids.shape[1]).map { Int64($0) }, shape: [1, ids.shape[1]]))
    var sum = try rows(2, ids) + rows(3, positions)
    if let segments = optionalInput(1), optionalInput(4) != nil {
      sum = sum + (try rows(4, segments))
    }
    let centred = sum - sum.mean([2], keepingAxes: true)
    let normal = centred * centred.inverseDeviation(over: [2], float("epsilon", 1e-12))
    let y = normal * (try value(5)) + (try value(6))
    let lengths =
      optionalInput(7).map { $0.compare(.equal, $0.scalar(1)).converted(to: .int32).sum([1]) }
      ?? builder.full(0, TensorType(.int32, [ids.shape[0]]))
    return [y, lengths, sum]
  }
}
