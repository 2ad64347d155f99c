/// Each window's entries on axes of their own: `[leading, places..., taps...]`.
private func windows(_ operand: Tensor, _ window: Window, fill: Double) -> Tensor {
  let (leading, spatial) = window.split(operand.shape)
  let zeros = leading.map { _ in 0 }
  let sizes = spatial.indices.map { spatial[$0] + window.low[$0] + window.high[$0] }
  let whole = padded(
    operand, low: zeros + window.low, interior: zeros + window.low.map { _ in 0 }, value: fill,
    shape: Shape(leading + sizes))
  let strides = Array(whole.shape.strides[leading.count...])
  return read(
    whole, as: Shape(leading + window.positions(spatial) + window.sizes), offset: 0,
    strides: Array(whole.shape.strides[..<leading.count])
      + zip(strides, window.strides).map { $0 * $1 }
      + zip(strides, window.dilation).map { $0 * $1 })
}

private func tapAxes(_ window: Window, of windows: Tensor) -> [Int] {
  Array((windows.shape.rank - window.sizes.count)..<windows.shape.rank)
}

func windowMaximum(_ operand: Tensor, _ window: Window, shape: Shape) -> Tensor {
  let lowest =
    switch operand.element {
    case .float32, .float64: -Double.infinity
    case .int32: Double(Int32.min)
    case .int64: Double(Int64.min)
    case .bool: preconditionFailure("maxima of bools")
    }
  let entries = windows(operand, window, fill: lowest)
  return reduced(entries, tapAxes(window, of: entries), by: MaximumFold.self)
}

func windowSum(_ operand: Tensor, _ window: Window, shape: Shape) -> Tensor {
  let entries = windows(operand, window, fill: 0)
  return reduced(entries, tapAxes(window, of: entries), by: SumFold.self)
}

/// The three roles of a convolution, as dot products of windows.
func convolved(_ a: Tensor, _ b: Tensor, _ convolution: Convolution, shape: Shape) -> Tensor {
  let rank = convolution.spatialRank
  let groups = convolution.groups
  /// `[N, channels, ...]` as `[N, group, channels of the group, ...]`; kernels likewise from axis 0.
  func grouped(_ value: Tensor, axis: Int) -> Tensor {
    var sizes = value.shape.dimensions
    sizes.replaceSubrange(axis...axis, with: [groups, sizes[axis] / groups])
    return value.reshaped(Shape(sizes))
  }
  func axes(_ start: Int) -> [Int] { Array(start..<(start + rank)) }

  switch convolution.role {
  case .output:
    // Windows [N, g, c, places, taps] with kernels [g, o, c, taps], to [g, N, places, o].
    let taps = Array(b.shape.dimensions[2...])
    let entries = windows(grouped(a, axis: 1), convolution.window(taps), fill: 0)
    let product = dot(
      entries, grouped(b, axis: 0),
      DotDimensions(contracting: [2] + axes(3 + rank), [2] + axes(3), batch: [1], [0]),
      shape: Shape(
        [groups, a.shape[0]] + shape.dimensions[2...] + [b.shape[0] / groups]))
    return transposed(product, [1, 0, rank + 2] + axes(2)).reshaped(shape)

  case .input(let spatial):
    // The cotangents, spread by the strides, with the kernel's taps in reverse order.
    let taps = Array(b.shape.dimensions[2...])
    let window = convolution.window(taps)
    guard !window.positions(spatial).contains(0) else {
      return Tensor(repeating: 0, type: TensorType(a.element, shape))
    }
    let padding = window.transposedPadding(spatial: spatial)
    let spread = padded(
      a, low: [0, 0] + padding.low, interior: [0, 0] + padding.interior, value: 0,
      shape: Shape([a.shape[0], a.shape[1]] + zip(spatial, window.extents).map { $0 + $1 - 1 }))
    let entries = windows(
      grouped(spread, axis: 1), Window(sizes: taps, dilation: convolution.dilation), fill: 0)
    let strides = b.shape.strides
    let reversed = read(
      b, as: b.shape, offset: axes(2).reduce(0) { $0 + (b.shape[$1] - 1) * strides[$1] },
      strides: Array(strides[..<2]) + axes(2).map { -strides[$0] })
    let product = dot(
      entries, grouped(reversed, axis: 0),
      DotDimensions(contracting: [2] + axes(3 + rank), [1] + axes(3), batch: [1], [0]),
      shape: Shape([groups, a.shape[0]] + spatial + [b.shape[1]]))
    return transposed(product, [1, 0, rank + 2] + axes(2)).reshaped(shape)

  case .kernel(let taps):
    // Cotangents [N, g, o, places] with windows [N, g, c, places, taps], to [g, o, c, taps].
    let entries = windows(grouped(a, axis: 1), convolution.window(taps), fill: 0)
    return dot(
      grouped(b, axis: 1), entries,
      DotDimensions(contracting: [0] + axes(3), [0] + axes(3), batch: [1], [1]),
      shape: Shape(
        [groups, b.shape[1] / groups, a.shape[1] / groups] + taps)
    ).reshaped(shape)
  }
}
