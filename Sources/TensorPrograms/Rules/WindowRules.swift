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

  /// The tangent of the maxima `y` of `x`: that of the first entry that is the maximum, taken from its
  /// place. One index for each maximum is all that is kept of `x`.
  func maximumTangent(_ x: Traced, _ t: Traced, _ y: Traced) -> Traced {
    let (leading, spatial) = split(x.shape)
    let rows = leading.reduce(1, *)
    let entries = spatial.reduce(1, *)
    let places = firstMaxima(x, y).reshaped([rows, y.shape.count / max(rows, 1)])
    return t.reshaped([rows, entries]).gather(places, axis: 1, batch: 1).reshaped(y.shape)
  }

  /// For each window the int64 index of its first maximum among all entries of the windows' axes.
  private func firstMaxima(_ x: Traced, _ y: Traced) -> Traced {
    let (leading, spatial) = split(x.shape)
    let steps = Shape(spatial).strides
    let type = TensorType(.int64, y.shape)
    var index: Traced?
    for (tap, value) in zip(taps, tapSlices(x, -.infinity)).reversed() {
      let offset = sizes.indices.reduce(0) { $0 + (tap[$1] * dilation[$1] - low[$1]) * steps[$1] }
      let here = x.builder.full(Double(offset), type)
      index = index.map { value.compare(.equal, y).select(here, $0) } ?? here
    }
    for axis in sizes.indices {
      let place = x.builder.emit(.iota(type, axis: leading.count + axis), [])[0]
      index = index! + place * Double(strides[axis] * steps[axis])
    }
    guard (low + high).contains(where: { $0 > 0 }) else { return index! }
    // A window of nothing but padding, or of NaN, still needs an entry that there is.
    let last = x.builder.full(Double(spatial.reduce(1, *) - 1), type)
    return index!.maximum(x.builder.full(0, type)).minimum(last)
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
