import TensorPrograms

extension OperatorCatalogue {
  /// Parts of tensors, tensors of parts, and borders around them.
  static let slicing: [OperatorRule] = [
    OperatorRule("Concat") { node in
      let parts = try node.allInputs()
      guard let first = parts.first else { throw node.fail("it has no inputs") }
      guard let given = node.int("axis") else { throw node.fail("it needs an axis") }
      return [Traced.concatenate(parts, axis: try node.axis(given, rank: first.rank))]
    },
    OperatorRule("Split", constants: [1]) { node in
      let x = try node.input(0)
      let axis = try node.axis(node.int("axis", 0), rank: x.rank)
      let size = x.shape[axis]
      if let sizes = try node.operatorSet < 13 ? node.ints("split") : node.optionalIntegers(1) {
        guard sizes.allSatisfy({ (0...size).contains($0) }), sizes.reduce(0, +) == size else {
          throw node.fail("the sizes \(sizes) do not add up to axis \(axis) of \(x.shape)")
        }
        return x.split(sizes: sizes, axis: axis)
      }
      let count = node.int("num_outputs") ?? node.node.output.count
      guard (1...max(1, node.node.output.count)).contains(count) else {
        throw node.fail("it cannot be cut into \(count) parts")
      }
      let step = (size + count - 1) / count
      guard node.operatorSet >= 18 || size % count == 0 else {
        throw node.fail("axis \(axis) of \(x.shape) has no \(count) equal parts")
      }
      return x.split(
        sizes: (0..<count).map { max(0, min(step, size - $0 * step)) }, axis: axis)
    },
    OperatorRule("Slice", constants: [1, 2, 3, 4]) { node in
      let x = try node.input(0)
      let old = node.operatorSet < 10
      let starts = try old ? node.ints("starts") ?? [] : node.integers(1)
      let ends = try old ? node.ints("ends") ?? [] : node.integers(2)
      let axes =
        try (old ? node.ints("axes") : node.optionalIntegers(3)) ?? Array(starts.indices)
      let steps = try old ? nil : node.optionalIntegers(4)
      guard starts.count == ends.count, starts.count == axes.count,
        steps?.count ?? starts.count == starts.count
      else { throw node.fail("its starts, ends, axes and steps differ in number") }
      return [try sliced(x, starts, ends, axes, steps, node)]
    },
    OperatorRule("Pad", constants: [1, 3]) { node in
      let x = try node.input(0)
      let pads = try node.operatorSet < 11 ? node.ints("pads") ?? [] : node.integers(1)
      let axes =
        try node.optionalIntegers(3).map { try $0.map { try node.axis($0, rank: x.rank) } }
        ?? Array(0..<x.rank)
      guard pads.count == 2 * axes.count, pads.allSatisfy((-(1 << 40)...(1 << 40)).contains) else {
        throw node.fail("it needs \(2 * axes.count) widths, not \(pads)")
      }
      var (low, high) = ([Int](repeating: 0, count: x.rank), [Int](repeating: 0, count: x.rank))
      for (index, axis) in axes.enumerated() {
        (low[axis], high[axis]) = (pads[index], pads[index + axes.count])
      }
      _ = try node.shape(x.shape.dimensions.indices.map { x.shape[$0] + low[$0] + high[$0] })
      let mode = node.string("mode", "constant")
      guard mode == "constant" else { return [try bordered(x, low, high, mode, node)] }
      let value = node.operatorSet < 11 ? nil : node.optionalInput(2)
      let known = value.flatMap { node.builder.constantValue(of: $0)?.uniformValue }
      let number = value == nil ? node.float("value", 0) : known ?? 0
      func padded(_ x: Traced, _ number: Double) -> Traced {
        node.builder.emit(
          .pad(low: low, high: high, interior: low.map { _ in 0 }, value: number), [x])[0]
      }
      func extended(_ x: Traced, _ value: Traced?) -> Traced {
        guard let value, known == nil else { return padded(x, number) }
        let isNew = padded(x.zeros(), 1).compare(.notEqual, x.scalar(0))
        return isNew.select(value.reshaped([]), padded(x, 0))
      }
      guard value?.shape.count ?? 1 == 1 else {
        throw node.fail("its value must be one number, not \(value!.type)")
      }
      return x.element == .bool
        ? [extended(x.converted(to: .int32), value?.converted(to: .int32)).converted(to: .bool)]
        : [extended(x, value)]
    },
  ]

  private static func sliced(
    _ x: Traced, _ starts: [Int], _ ends: [Int], _ axes: [Int], _ steps: [Int]?,
    _ node: NodeContext
  ) throws -> Traced {
    var start = [Int](repeating: 0, count: x.rank)
    var limit = x.shape.dimensions
    var stride = [Int](repeating: 1, count: x.rank)
    var reversed: [Int] = []
    for index in starts.indices {
      let axis = try node.axis(axes[index], rank: x.rank)
      let (size, step) = (x.shape[axis], steps?[index] ?? 1)
      func fromEnd(_ place: Int) -> Int { place < 0 ? max(place, -(1 << 40)) + size : place }
      guard step != 0, step > Int.min else { throw node.fail("a step of \(step) leads nowhere") }
      if step > 0 {
        start[axis] = min(max(fromEnd(starts[index]), 0), size)
        limit[axis] = max(start[axis], min(max(fromEnd(ends[index]), 0), size))
        stride[axis] = step
      } else {
        // From `first` down to above `last`: the same places upwards, then reversed.
        let first = min(max(fromEnd(starts[index]), -1), size - 1)
        let last = min(max(fromEnd(ends[index]), -1), size - 1)
        let count = first > last ? (first - last - 1) / -step + 1 : 0
        start[axis] = count == 0 ? 0 : first - (count - 1) * -step
        limit[axis] = count == 0 ? 0 : first + 1
        stride[axis] = -step
        reversed.append(axis)
      }
      stride[axis] = min(stride[axis], max(1, size))
    }
    let part = node.builder.emit(.slice(start: start, limit: limit, stride: stride), [x])[0]
    return reversed.isEmpty ? part : part.reversed(axes: reversed)
  }

  private static func bordered(
    _ x: Traced, _ low: [Int], _ high: [Int], _ mode: String, _ node: NodeContext
  ) throws -> Traced {
    var result = x
    for axis in 0..<x.rank where low[axis] != 0 || high[axis] != 0 {
      let size = x.shape[axis]
      guard size > 0, low[axis] + size + high[axis] <= node.foldingLimit else {
        throw node.fail(
          "axis \(axis) of \(x.shape) cannot be padded by \(low[axis]), \(high[axis])")
      }
      let places = try (-low[axis]..<(size + high[axis])).map { place -> Int in
        switch mode {
        case "edge": return min(max(place, 0), size - 1)
        case "wrap": return ((place % size) + size) % size
        case "reflect":
          guard size > 1 else { return 0 }
          let period = 2 * (size - 1)
          let folded = ((place % period) + period) % period
          return min(folded, period - folded)
        default: throw node.fail("there is no mode '\(mode)'")
        }
      }
      let indices = node.builder.constant(Tensor(places.map(Int64.init), shape: [places.count]))
      result = result.gather(indices, axis: axis)
    }
    return result
  }
}
