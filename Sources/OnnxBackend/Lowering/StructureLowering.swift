import TensorPrograms

/// Structural primitives. Those that only rename axes make no node at all.
extension ProgramLowering {
  /// The same elements with other axis numbers: a transposition or a broadcast left pending.
  func relabelled(_ value: LoweredValue, _ rename: (Int) -> Int) -> LoweredValue {
    LoweredValue(name: value.name, dimensions: value.dimensions, axes: value.axes.map(rename))
  }

  /// Axes of one entry come and go for free; anything else needs the elements laid out.
  mutating func reshape(_ x: LoweredValue, _ from: Shape, _ to: Shape) -> LoweredValue {
    let (old, new) = (from.wideAxes, to.wideAxes)
    if old.map({ from[$0] }) == new.map({ to[$0] }) {
      return relabelled(x) { new[old.firstIndex(of: $0)!] }
    }
    if x.axes.isEmpty { return x }
    let value = viewed(exact(x, from), to.dimensions)
    return LoweredValue(name: value.name, dimensions: to.dimensions, axes: new)
  }

  mutating func slice(
    _ x: LoweredValue, _ shape: Shape, _ start: [Int], _ limit: [Int], _ stride: [Int],
    _ result: Shape
  ) -> LoweredValue {
    var bounds: [(axis: Int, start: Int, limit: Int, stride: Int)] = []
    var dimensions = x.dimensions
    for (position, axis) in zip(positions(x), x.axes) where result[axis] != shape[axis] {
      bounds.append((position, start[axis], limit[axis], stride[axis]))
      dimensions[position] = result[axis]
    }
    let axes = x.axes.filter { result[$0] != 1 }
    if bounds.isEmpty { return LoweredValue(name: x.name, dimensions: dimensions, axes: axes) }
    let name = builder.node(
      "Slice",
      [
        x.name, builder.integers(bounds.map(\.start)), builder.integers(bounds.map(\.limit)),
        builder.integers(bounds.map(\.axis)), builder.integers(bounds.map(\.stride)),
      ])
    return LoweredValue(name: name, dimensions: dimensions, axes: axes)
  }

  mutating func split(
    _ x: LoweredValue, _ type: TensorType, _ sizes: [Int], _ axis: Int
  ) -> [LoweredValue] {
    var results: [TensorType] = []
    for size in sizes {
      var shape = type.shape
      shape[axis] = size
      results.append(TensorType(type.element, shape))
    }
    guard let index = x.axes.firstIndex(of: axis) else {
      return zip(sizes, results).map { $0 == 0 ? empty($1) : x }
    }
    let position = positions(x)[index]
    let wanted = sizes.filter { $0 > 0 }
    var names = builder.addNode(
      "Split", [x.name, builder.integers(wanted)], ["axis": .int(position)],
      outputCount: wanted.count)[...]
    return zip(sizes, results).map { size, type in
      if size == 0 { return empty(type) }
      var dimensions = x.dimensions
      dimensions[position] = size
      return LoweredValue(
        name: names.removeFirst(), dimensions: dimensions,
        axes: x.axes.filter { $0 != axis || size > 1 })
    }
  }

  mutating func pad(
    _ x: LoweredValue, _ type: TensorType, _ low: [Int], _ high: [Int], _ interior: [Int],
    _ fill: Double, _ result: Shape
  ) -> LoweredValue {
    if type.shape.count == 0 { return uniform(fill, type.element) }
    let filler = scalar(fill, type.element)
    var value = exact(x, type.shape).name
    var sizes = type.shape.dimensions
    var high = high
    let spread = sizes.indices.filter { interior[$0] > 0 && sizes[$0] > 1 }
    if !spread.isEmpty {
      // Each entry becomes a row [entry, fill, ...]; the last row's filling is cut off again.
      let pairs = sizes.flatMap { [$0, 1] }
      let widths = sizes.indices.flatMap { [0, spread.contains($0) ? interior[$0] : 0] }
      let rows = builder.node("Reshape", [value, builder.integers(pairs)])
      let wide = builder.node(
        "Pad", [rows, builder.integers(pairs.map { _ in 0 } + widths), filler])
      for axis in spread {
        sizes[axis] *= 1 + interior[axis]
        high[axis] -= interior[axis]
      }
      value = builder.node("Reshape", [wide, builder.integers(sizes)])
    }
    let added = (low + high).map { max(0, $0) }
    if added.contains(where: { $0 > 0 }) {
      value = builder.node("Pad", [value, builder.integers(added), filler])
    }
    if (low + high).contains(where: { $0 < 0 }) {
      let start = low.map { max(0, -$0) }
      let limit = zip(start, result.dimensions).map { $0 + $1 }
      value = builder.node(
        "Slice", [value, builder.integers(start), builder.integers(limit)])
    }
    return LoweredValue(name: value, dimensions: result.dimensions, axes: result.wideAxes)
  }

  mutating func concatenate(
    _ operands: [LoweredValue], _ types: [TensorType], _ axis: Int, _ result: Shape
  ) -> LoweredValue {
    let names = zip(operands, types).compactMap { value, type in
      type.shape.count == 0 ? nil : exact(value, type.shape).name
    }
    return LoweredValue(
      name: names.count == 1 ? names[0] : builder.node("Concat", names, ["axis": .int(axis)]),
      dimensions: result.dimensions, axes: result.wideAxes)
  }

  mutating func reverse(_ x: LoweredValue, _ shape: Shape, _ axes: [Int]) -> LoweredValue {
    let reversed = zip(positions(x), x.axes).filter { axes.contains($1) }.map(\.0)
    if reversed.isEmpty { return x }
    let name = builder.node(
      "Slice",
      [
        x.name, builder.integers(reversed.map { _ in -1 }),
        builder.integers(reversed.map { _ in Int.min + 1 }), builder.integers(reversed),
        builder.integers(reversed.map { _ in -1 }),
      ])
    return LoweredValue(name: name, dimensions: x.dimensions, axes: x.axes)
  }

  // MARK: Indices

  mutating func gather(
    _ operands: [LoweredValue], _ types: [TensorType], _ axis: Int, _ batch: Int,
    _ result: TensorType
  ) -> LoweredValue {
    let shape = types[0].shape
    let indices = exact(operands[1], types[1].shape)
    guard batch > 0 else {
      let name = builder.node(
        "Gather", [exact(operands[0], shape).name, indices.name], ["axis": .int(axis)])
      return LoweredValue(
        name: name, dimensions: result.shape.dimensions, axes: result.shape.wideAxes)
    }
    let layout = IndexLayout(whole: shape, indices: types[1].shape, axis: axis, batch: batch)
    let source = laidOut(
      operands[0], shape, layout.wholeOrder, [layout.batchCount, layout.size, layout.rest])
    let own = convert(indices, from: types[1].element, to: .int64)
    if layout.rest == 1 {
      let entries = viewed(source, [layout.batchCount, layout.size])
      let places = viewed(own, [layout.batchCount, layout.ownCount])
      let name = builder.node(
        "GatherElements", [entries.name, places.name], ["axis": .int(1)])
      return unpacked(name, layout.partOrder, result.shape)
    }
    let positions = viewed(own, [layout.batchCount, layout.ownCount, 1])
    let name = builder.node(
      "GatherND", [source.name, positions.name], ["batch_dims": .int(1)])
    return unpacked(name, layout.partOrder, result.shape)
  }

  mutating func scatterAdd(
    _ operands: [LoweredValue], _ types: [TensorType], _ axis: Int, _ batch: Int, _ size: Int,
    _ result: TensorType
  ) -> LoweredValue {
    if types[0].shape.count == 0 { return uniform(0, result.element) }
    let layout = IndexLayout(
      whole: result.shape, indices: types[1].shape, axis: axis, batch: batch)
    let updateSizes = [layout.batchCount, layout.ownCount, layout.rest]
    let updates = laidOut(operands[0], types[0].shape, layout.partOrder, updateSizes)
    let indices = viewed(
      convert(exact(operands[1], types[1].shape), from: types[1].element, to: .int64),
      [layout.batchCount, layout.ownCount, 1])
    let zeros = builder.node(
      "Expand",
      [
        scalar(0, result.element),
        builder.integers([layout.batchCount, size, layout.rest]),
      ])
    let name: String
    if layout.ownCount == 1 {
      let owners = builder.node(
        "Reshape",
        [
          builder.integers(Array(0..<layout.batchCount)),
          builder.integers([layout.batchCount, 1, 1]),
        ])
      let positions = builder.node("Concat", [owners, indices.name], ["axis": .int(2)])
      name = builder.node(
        "ScatterND", [zeros, positions, updates.name], ["reduction": .string("add")])
    } else {
      // ScatterND adds from several threads at once and loses updates that meet.
      let everywhere = builder.node("Expand", [indices.name, builder.integers(updateSizes)])
      name = builder.node(
        "ScatterElements", [zeros, everywhere, updates.name],
        ["axis": .int(1), "reduction": .string("add")])
    }
    return unpacked(name, layout.wholeOrder, result.shape)
  }

  private mutating func laidOut(
    _ value: LoweredValue, _ shape: Shape, _ order: [Int], _ dimensions: [Int]
  ) -> LoweredValue {
    let full = materialised(value, shape)
    return viewed(arranged(full, order.filter(full.axes.contains)), dimensions)
  }

  private mutating func unpacked(
    _ name: String, _ order: [Int], _ shape: Shape
  ) -> LoweredValue {
    let sizes = order.map { shape[$0] }
    let view = builder.node("Reshape", [name, builder.integers(sizes)])
    return LoweredValue(
      name: view, dimensions: sizes, axes: order.filter { shape[$0] != 1 })
  }

  // MARK: Reductions

  mutating func reduceSum(
    _ x: LoweredValue, _ type: TensorType, _ axes: [Int]
  ) -> LoweredValue {
    if type.shape.count == 0 { return uniform(0, type.element) }
    var value = reduced("ReduceSum", x, axes)
    let copies = axes.filter { !x.axes.contains($0) }.reduce(1) { $0 * type.shape[$1] }
    if copies > 1 {
      value.name = builder.node("Mul", [value.name, scalar(Double(copies), type.element)])
    }
    return renumbered(value, type.shape, without: axes)
  }

  mutating func reduceMax(
    _ x: LoweredValue, _ type: TensorType, _ axes: [Int]
  ) -> LoweredValue {
    renumbered(reduced("ReduceMax", x, axes), type.shape, without: axes)
  }

  private mutating func reduced(
    _ operation: String, _ x: LoweredValue, _ axes: [Int]
  ) -> LoweredValue {
    let gone = zip(positions(x), x.axes).filter { axes.contains($1) }.map(\.0)
    if gone.isEmpty { return x }
    let name = builder.node(
      operation, [x.name, builder.integers(gone)], ["keepdims": .int(0)])
    return LoweredValue(
      name: name,
      dimensions: x.dimensions.indices.filter { !gone.contains($0) }.map { x.dimensions[$0] },
      axes: x.axes.filter { !axes.contains($0) })
  }

  private func renumbered(
    _ value: LoweredValue, _ shape: Shape, without axes: [Int]
  ) -> LoweredValue {
    let kept = (0..<shape.rank).filter { !axes.contains($0) }
    return relabelled(value) { kept.firstIndex(of: $0)! }
  }

  /// Where in ONNX's sizes the value's axes stand.
  private func positions(_ value: LoweredValue) -> [Int] {
    value.dimensions.indices.filter { value.dimensions[$0] != 1 }
  }
}

/// Axis orders that put what an index selects from, or into, behind the shared axes.
private struct IndexLayout {
  /// Of the tensor with the whole axis: shared axes, the axis, then the others.
  var wholeOrder: [Int]
  /// Of the tensor with an entry per index: shared axes, the indices' own, then the others.
  var partOrder: [Int]
  var batchCount: Int
  var ownCount: Int
  var size: Int
  var rest: Int

  init(whole: Shape, indices: Shape, axis: Int, batch: Int) {
    let own = indices.rank - batch
    let shared = Array(0..<batch)
    let others = (batch..<whole.rank).filter { $0 != axis }
    wholeOrder = shared + [axis] + others
    partOrder =
      shared + Array(axis..<(axis + own)) + others.map { $0 < axis ? $0 : $0 + own - 1 }
    batchCount = shared.reduce(1) { $0 * whole[$1] }
    ownCount = indices.dimensions.dropFirst(batch).reduce(1, *)
    size = whole[axis]
    rest = others.reduce(1) { $0 * whole[$1] }
  }
}
