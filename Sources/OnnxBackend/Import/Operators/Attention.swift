import TensorPrograms

extension OperatorCatalogue {
  static let attention: [OperatorRule] = [
    OperatorRule("Attention") { try $0.attention() },
    OperatorRule("RotaryEmbedding", constants: [1, 2]) { try $0.rotaryEmbedding() },
  ]
}

extension NodeContext {
  /// `softmax(scale Q K^T + bias) V` for each head.
  ///
  /// Reference: Vaswani et al., Attention Is All You Need, 2017, section 3.2; heads that share keys:
  /// Ainslie et al., GQA, 2023.
  fileprivate func attention() throws -> [Traced] {
    let isFlat = try floating(0).rank == 3
    let q = try heads(0, "q_num_heads")
    let (k, v) = (try heads(1, "kv_num_heads"), try heads(2, "kv_num_heads"))
    let keys = try extended(k, by: 4)
    let values = try extended(v, by: 5)
    let (batch, queryHeads, queries) = (q.shape[0], q.shape[1], q.shape[2])
    let (keyHeads, total) = (keys.shape[1], keys.shape[2])
    guard keyHeads > 0, queryHeads % keyHeads == 0, q.shape[3] == keys.shape[3],
      Array(values.shape.dimensions[..<3]) == [batch, keyHeads, total], keys.shape[0] == batch
    else {
      throw fail("queries \(q.shape), keys \(keys.shape) and values \(values.shape) do not fit")
    }
    // Query heads that share a key head are one more axis of its product.
    let group = queryHeads / keyHeads
    let scale = float("scale") ?? 1 / Double(max(1, q.shape[3])).squareRoot()
    let products = (q * scale).reshaped([batch, keyHeads, group * queries, q.shape[3]])
      .dot(keys, DotDimensions(contracting: [3], [3], batch: [0, 1], [0, 1]))
      .reshaped([batch, queryHeads, queries, total])
    let softcap = float("softcap", 0)
    let capped = softcap > 0 ? (products / softcap).tanh() * softcap : products
    let offset = try precedingKeys(batch: batch, queries: queries)
    let (biased, isMasked) = try masked(capped, offset: offset)
    let weights = isMasked ? biased.maskedSoftmax() : biased.softmax(axis: 3)
    let sums = weights.reshaped([batch, keyHeads, group * queries, total])
      .dot(values, DotDimensions(contracting: [3], [2], batch: [0, 1], [0, 1]))
      .reshaped([batch, queryHeads, queries, values.shape[3]])
    let y =
      isFlat
      ? sums.transposed([0, 2, 1, 3])
        .reshaped([batch, queries, queryHeads * values.shape[3]]) : sums
    let modes = [products, capped, biased, weights]
    let mode = int("qk_matmul_output_mode", 0)
    guard modes.indices.contains(mode) else { throw fail("there is no output mode \(mode)") }
    return [y, keys, values, modes[mode]]
  }

  /// An input as `[batch, heads, length, size]`.
  private func heads(_ index: Int, _ attribute: String) throws -> Traced {
    let x = try floating(index)
    if x.rank == 4 { return x }
    let count = int(attribute, 0)
    guard x.rank == 3, count > 0, x.shape[2] % count == 0 else {
      throw fail("its input \(index) of shape \(x.shape) does not divide into \(count) heads")
    }
    return x.reshaped([x.shape[0], x.shape[1], count, x.shape[2] / count])
      .transposed([0, 2, 1, 3])
  }

  /// Keys or values with those of earlier calls before them.
  private func extended(_ x: Traced, by index: Int) throws -> Traced {
    guard let past = optionalInput(index) else { return x }
    guard past.rank == 4, past.type.element == x.element,
      past.shape.removing([2]) == x.shape.removing([2])
    else {
      throw fail("its input \(index) of shape \(past.shape) does not fit \(x.shape)")
    }
    return Traced.concatenate([past, x], axis: 2)
  }

  /// How many keys come before the queries: one number, or `[batch, 1, 1, 1]`.
  private func precedingKeys(batch: Int, queries: Int) throws -> Traced {
    func number(_ value: Int) -> Traced {
      builder.constant(Tensor([Int64(value)], shape: .scalar))
    }
    if let past = optionalInput(4) { return number(past.shape[2]) }
    guard let lengths = optionalInput(6) else { return number(0) }
    guard lengths.shape == [batch], !lengths.element.isFloating else {
      throw fail("its input 6 should be a length for each of \(batch) samples, not \(lengths.type)")
    }
    return lengths.converted(to: .int64).reshaped([batch, 1, 1, 1]) - number(queries)
  }

  /// The scores with the mask's numbers added, and minus infinity where no attention is to be paid.
  private func masked(
    _ scores: Traced, offset: Traced
  ) throws -> (scores: Traced, isMasked: Bool) {
    let (queries, total) = (scores.shape[2], scores.shape[3])
    var allowed: Traced?
    func require(_ condition: Traced) {
      allowed = allowed.map { $0.binary(.and, condition) } ?? condition
    }
    var result = scores
    if var mask = optionalInput(3) {
      guard mask.rank >= 1, let width = mask.shape.dimensions.last, width <= total else {
        throw fail("the mask \(mask.shape) does not fit the scores \(scores.shape)")
      }
      let isBool = mask.element == .bool
      guard isBool || mask.element == scores.element else {
        throw fail("the mask must be bool or \(scores.element.rawValue), not \(mask.type)")
      }
      if width < total {
        var rest = mask.shape
        rest[mask.rank - 1] = total - width
        let filler = builder.full(isBool ? 0 : -.infinity, TensorType(mask.element, rest))
        mask = Traced.concatenate([mask, filler], axis: mask.rank - 1)
      }
      guard scores.shape.broadcast(with: mask.shape) == scores.shape else {
        throw fail("the mask \(mask.shape) does not broadcast to the scores \(scores.shape)")
      }
      if isBool { require(mask) } else { result = result + mask }
    }
    let grid = TensorType(.int64, [queries, total])
    let key = builder.emit(.iota(grid, axis: 1), [])[0]
    let position = builder.emit(.iota(grid, axis: 0), [])[0] + offset
    if flag("is_causal") { require(key.compare(.lessOrEqual, position)) }
    let (left, right) = (int("left_window_size", -1), int("right_window_size", -1))
    let largest = 1 << 40
    guard (-1...largest).contains(left), (-1...largest).contains(right) else {
      throw fail("a window of \(left) keys to the left and \(right) to the right is impossible")
    }
    if left >= 0 { require(key.compare(.greaterOrEqual, position - Double(left))) }
    if right >= 0 { require(key.compare(.lessOrEqual, position + Double(right))) }
    if optionalInput(6) != nil {
      require(key.compare(.less, offset + Double(queries)))
    }
    if let allowed { result = allowed.select(result, result.scalar(-.infinity)) }
    return (result, allowed != nil || optionalInput(3) != nil)
  }

  /// Pairs of numbers turned by an angle for each position.
  ///
  /// Reference: Su et al., RoFormer, 2021, section 3.4.
  fileprivate func rotaryEmbedding() throws -> [Traced] {
    let x = try floating(0)
    let count = int("num_heads", 0)
    guard x.rank == 4 || (x.rank == 3 && count > 0 && x.shape[2] % count == 0) else {
      throw fail("its input of shape \(x.shape) does not divide into \(count) heads")
    }
    // [batch, length, heads, size]
    let heads =
      x.rank == 4
      ? x.transposed([0, 2, 1, 3])
      : x.reshaped([x.shape[0], x.shape[1], count, x.shape[2] / count])
    let size = heads.shape[3]
    let stated = int("rotary_embedding_dim", 0)
    let turned = stated == 0 ? size : stated
    let angles = [heads.shape[0], heads.shape[1], turned / 2]
    func cache(_ index: Int) throws -> Traced {
      var cache = try floating(index)
      if let positions = optionalInput(3) {
        guard cache.rank == 2, positions.rank == 2, !positions.element.isFloating else {
          throw fail("positions \(positions.type) cannot be looked up in \(cache.shape)")
        }
        cache = cache.gather(positions, axis: 0)
      }
      guard cache.shape.dimensions == angles else {
        throw fail("its input \(index) holds angles of shape \(cache.shape), not \(angles)")
      }
      return cache.expanded(at: 2)
    }
    guard turned > 0, turned % 2 == 0, turned <= size else {
      throw fail("\(turned) of \(size) numbers cannot be turned in pairs")
    }
    let (cosine, sine) = (try cache(1), try cache(2))
    let part = turned == size ? heads : heads.slice(axis: 3, 0..<turned)
    let pairShape = Array(part.shape.dimensions[..<3])
    let isInterleaved = flag("interleaved")
    let pairs = part.reshaped(
      Shape(pairShape + (isInterleaved ? [turned / 2, 2] : [2, turned / 2])))
    let axis = isInterleaved ? 4 : 3
    func half(_ index: Int) -> Traced {
      pairs.slice(axis: axis, index..<(index + 1)).reshaped(Shape(pairShape + [turned / 2]))
    }
    let (a, b) = (half(0), half(1))
    let rotated = [cosine * a - sine * b, sine * a + cosine * b].map { $0.expanded(at: axis) }
    var y = Traced.concatenate(rotated, axis: axis).reshaped(part.shape)
    if turned < size {
      y = Traced.concatenate([y, heads.slice(axis: 3, turned..<size)], axis: 3)
    }
    return [x.rank == 4 ? y.transposed([0, 2, 1, 3]) : y.reshaped(x.shape)]
  }
}

extension Traced {
  /// The softmax along the last axis; zeros where everything is minus infinity.
  fileprivate func maskedSoftmax() -> Traced {
    let peak = stopGradient().max([rank - 1], keepingAxes: true)
    let safe = peak.compare(.equal, peak.scalar(-.infinity)).select(peak.zeros(), peak)
    let powers = (self - safe).exp()
    let total = powers.sum([rank - 1], keepingAxes: true)
    return powers / total.compare(.equal, total.scalar(0)).select(total.zeros() + 1, total)
  }
}
