extension Window {
  /// The result's type of a maximum or a sum over the windows.
  func resultType(_ operand: TensorType, isMaximum: Bool) -> Result<TensorType, ProgramError> {
    func fail(_ why: String) -> Result<TensorType, ProgramError> {
      .failure(.mismatch("windows of \(sizes) cannot take \(operand): \(why)"))
    }
    if let fault { return fail(fault) }
    guard operand.element != .bool else { return fail("it needs numbers") }
    guard operand.shape.rank >= sizes.count else { return fail("it has too few axes") }
    let (leading, spatial) = split(operand.shape)
    if isMaximum, spatial.contains(0) { return fail("there is no maximum of nothing") }
    return .success(TensorType(operand.element, Shape(leading + positions(spatial))))
  }

  /// Axes before the windows', and theirs.
  func split(_ shape: Shape) -> (leading: [Int], spatial: [Int]) {
    let lead = shape.rank - sizes.count
    return (Array(shape.dimensions[..<lead]), Array(shape.dimensions[lead...]))
  }

  /// The tangent of the maxima `y` of `x`: that of the first entry that is the maximum.
  func maximumTangent(_ x: Traced, _ t: Traced, _ y: Traced) -> Traced {
    isTiling ? tilingTangent(x, t, y) : tapTangent(x, t, y)
  }

  /// One product with a mask over all of `x`, for windows that do not overlap.
  private func tilingTangent(_ x: Traced, _ t: Traced, _ y: Traced) -> Traced {
    let (leading, spatial) = split(x.shape)
    let counts = positions(spatial)
    let lead = leading.count
    /// `[leading, count, size, count, size, ...]` of the part that windows cover.
    func tiled(_ value: Traced) -> Traced {
      let limit = leading + zip(counts, sizes).map { $0 * $1 }
      let covered = value.emit(
        .slice(
          start: limit.map { _ in 0 }, limit: limit, stride: limit.map { _ in 1 }))
      return covered.reshaped(Shape(leading + zip(counts, sizes).flatMap { [$0, $1] }))
    }
    let tapAxes = sizes.indices.map { lead + 2 * $0 + 1 }
    let placeAxes = Array(0..<lead) + sizes.indices.map { lead + 2 * $0 }
    let tiles = tiled(x)
    // The taps of a place as one last axis, on which the first maximum is looked for.
    let taps = tiles.transposed(placeAxes + tapAxes)
      .reshaped(Shape(leading + counts + [sizes.reduce(1, *)]))
    let last = taps.rank - 1
    let places = x.builder.emit(.iota(TensorType(.int64, taps.shape), axis: last), [])[0]
    let first = taps.argMax(axis: last).expanded(at: last).broadcast(to: taps.shape)
    let inOrder = places.compare(.equal, first).converted(to: x.element)
      .reshaped(Shape(leading + counts + sizes))
    let order = placeAxes + tapAxes
    let mask = inOrder.transposed(order.indices.map { order.firstIndex(of: $0)! })
    return (tiled(t) * mask).sum(tapAxes)
  }

  /// One product with a mask of the result's size per tap.
  private func tapTangent(_ x: Traced, _ t: Traced, _ y: Traced) -> Traced {
    var taken: Traced?
    var total: Traced?
    for (value, tangent) in zip(tapSlices(x, -.infinity), tapSlices(t, 0)) {
      let holds = value.compare(.equal, y)
      let isFirst = taken.map { holds.binary(.and, $0.unary(.not)) } ?? holds
      taken = taken.map { $0.binary(.or, holds) } ?? holds
      total = sum(total, tangent * isFirst.converted(to: x.element))
    }
    return total!
  }

  /// The cotangent of an operand of `type` whose window sums have the cotangent `c`.
  func sumCotangent(_ c: Traced, _ type: TensorType) -> Traced {
    let (leading, spatial) = split(type.shape)
    guard !positions(spatial).contains(0) else { return c.builder.full(0, type) }
    let padding = transposedPadding(spatial: spatial)
    let zeros = leading.map { _ in 0 }
    let spread = c.emit(
      .pad(
        low: zeros + padding.low, high: zeros + padding.high, interior: zeros + padding.interior,
        value: 0))
    return spread.emit(.windowSum(Window(sizes: sizes, dilation: dilation)))
  }
}

/// The tangent of sorted values: the operand's, taken at their positions.
func sortedTangent(_ t: Traced, _ positions: Traced, axis: Int) -> Traced {
  let last = t.rank - 1
  var order = Array(0..<t.rank)
  order.swapAt(axis, last)
  return t.transposed(order).gather(positions.transposed(order), axis: last, batch: last)
    .transposed(order)
}
