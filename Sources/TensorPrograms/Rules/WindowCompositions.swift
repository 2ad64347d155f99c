extension Window {
  /// The operand with its padding around it.
  fileprivate func padded(_ x: Traced, _ fill: Double) -> Traced {
    guard (low + high).contains(where: { $0 != 0 }) else { return x }
    let before = [Int](repeating: 0, count: x.rank - sizes.count)
    return x.emit(
      .pad(
        low: before + low, high: before + high, interior: before + low.map { _ in 0 },
        value: fill))
  }

  /// What each tap of the windows sees, one value of the result's shape per tap.
  func tapSlices(_ x: Traced, _ fill: Double) -> [Traced] {
    let (leading, spatial) = split(x.shape)
    let positions = positions(spatial)
    let whole = padded(x, fill)
    return taps.map { tap in
      let start = zip(tap, dilation).map { $0 * $1 }
      let limit = start.indices.map { axis in
        start[axis] + max(0, (positions[axis] - 1) * strides[axis] + 1)
      }
      return whole.emit(
        .slice(
          start: leading.map { _ in 0 } + start, limit: leading + limit,
          stride: leading.map { _ in 1 } + strides))
    }
  }

  /// The sum over each window, composed of slices and additions.
  package func composedSum(_ x: Traced) -> Traced {
    let parts = tapSlices(x, 0)
    return parts.dropFirst().reduce(parts[0], +)
  }

  /// The maximum of each window, composed of slices and maxima.
  package func composedMaximum(_ x: Traced, lowest: Double) -> Traced {
    let parts = tapSlices(x, lowest)
    return parts.dropFirst().reduce(parts[0]) { $0.maximum($1) }
  }

  /// The windows of `[N, g, c, spatial...]` as `[N, g, c x taps, places]`.
  fileprivate func patches(_ x: Traced) -> Traced {
    let (leading, spatial) = split(x.shape)
    let places = positions(spatial).reduce(1, *)
    let columns = tapSlices(x, 0).map {
      $0.reshaped(Shape(leading + [1, places]))
    }
    let stacked = columns.count == 1 ? columns[0] : Traced.concatenate(columns, axis: 3)
    return stacked.reshaped(
      Shape([leading[0], leading[1], leading[2] * columns.count, places]))
  }
}

extension Convolution {
  /// Below this many places of the window one product over all samples is faster than one per sample.
  private static let fewPlaces = 64

  /// The same map composed of slices and matrix products: the windows of one operand laid out as the
  /// columns of matrices (`im2col`), so that what depends on that operand alone can be told apart.
  package func composed(_ a: Traced, _ b: Traced) -> Traced {
    /// `[N, channels, ...]` as `[N, group, channels of the group, ...]`; kernels likewise from axis 0.
    func grouped(_ value: Traced, axis: Int) -> Traced {
      var sizes = value.shape.dimensions
      sizes.replaceSubrange(axis...axis, with: [groups, sizes[axis] / groups])
      return value.reshaped(Shape(sizes))
    }
    func flattened(_ value: Traced, from axis: Int) -> Traced {
      let sizes = value.shape.dimensions
      return value.reshaped(Shape(sizes[..<axis] + [sizes[axis...].reduce(1, *)]))
    }
    /// Kernels `[g, o, k]` with columns `[N, g, k, places]`, to `[N, g x o, spatial...]`.
    func product(_ kernels: Traced, _ columns: Traced, _ spatial: [Int]) -> Traced {
      let result = kernels.dot(
        columns, DotDimensions(contracting: [2], [2], batch: [0], [1]))
      return result.transposed([2, 0, 1, 3])
        .reshaped(Shape([columns.shape[0], groups * kernels.shape[1]] + spatial))
    }

    switch role {
    case .output:
      let window = window(Array(b.shape.dimensions[2...]))
      let columns = window.patches(grouped(a, axis: 1))
      let spatial = window.positions(Array(a.shape.dimensions[2...]))
      return product(flattened(grouped(b, axis: 0), from: 2), columns, spatial)

    case .input(let spatial):
      let taps = Array(b.shape.dimensions[2...])
      let window = window(taps)
      guard !window.positions(spatial).contains(0) else {
        return a.builder.full(
          0, TensorType(a.element, Shape([a.shape[0], b.shape[1] * groups] + spatial)))
      }
      let padding = window.transposedPadding(spatial: spatial)
      let spread = a.emit(
        .pad(
          low: [0, 0] + padding.low, high: [0, 0] + padding.high,
          interior: [0, 0] + padding.interior, value: 0))
      let columns = Window(sizes: taps, dilation: dilation).patches(grouped(spread, axis: 1))
      let reversed = b.reversed(axes: Array(2..<b.rank))
      // [g, o, c, taps] as [g, c, o x taps].
      let kernels = grouped(reversed, axis: 0).transposed([0, 2, 1] + Array(3..<(b.rank + 1)))
      return product(flattened(kernels, from: 2), columns, spatial)

    case .kernel(let taps):
      let (x, c) = (grouped(a, axis: 1), grouped(b, axis: 1))
      let shape = Shape([b.shape[1], a.shape[1] / groups] + taps)
      if taps.count == 2, taps[0] > 1, strides[0] == 1 {
        let rows = Array(0..<taps[0]), columns = Array(0..<taps[1])
        let (left, right) = (shiftedColumns(x, columns), shiftedRows(c, rows, of: a.shape[2]))
        // [g, column x c, row x o] as [g, o, c, row, column].
        return contracted(left, right)
          .reshaped([groups, taps[1], shape[1], taps[0], shape[0] / groups])
          .transposed([0, 4, 2, 3, 1]).reshaped(shape)
      }
      let columns = window(taps).patches(x)
      return contracted(columns, flattened(c, from: 3)).transposed([0, 2, 1]).reshaped(shape)
    }
  }

  /// `[N, g, k, places]` with `[N, g, o, places]` to `[g, k, o]`: over few places one product of all
  /// samples, laid out for it beforehand; else one per sample, which needs no other layout.
  private func contracted(_ left: Traced, _ right: Traced) -> Traced {
    guard left.shape[3] <= Self.fewPlaces else {
      return left.dot(right, DotDimensions(contracting: [3], [3], batch: [0, 1], [0, 1]))
        .sum([0])
    }
    return left.transposed([1, 2, 0, 3]).dot(
      right.transposed([1, 2, 0, 3]), DotDimensions(contracting: [2, 3], [2, 3], batch: [0], [0]))
  }

  /// `[N, g, c, H, W]` padded, once for each tap of a row: `[N, g, column x c, rows x places]`.
  ///
  /// With the other operand shifted by rows, the taps of a 3 x 3 window cost three copies of either
  /// operand and not nine of one.
  private func shiftedColumns(_ x: Traced, _ taps: [Int]) -> Traced {
    let rows = x.shape[3] + low[0] + high[0]
    let row = Window(
      sizes: [taps.count], strides: [strides[1]], dilation: [dilation[1]], low: [low[1]],
      high: [high[1]])
    let padded = x.emit(
      .pad(
        low: [0, 0, 0, low[0], 0], high: [0, 0, 0, high[0], 0], interior: [0, 0, 0, 0, 0],
        value: 0))
    let places = row.positions([x.shape[4]])[0]
    let copies = row.tapSlices(padded, 0)
    let stacked = copies.count == 1 ? copies[0] : Traced.concatenate(copies, axis: 2)
    return stacked.reshaped([x.shape[0], x.shape[1], x.shape[2] * copies.count, rows * places])
  }

  /// `[N, g, o, h, w]` once for each tap of a column, at the padded row that it sees:
  /// `[N, g, row x o, rows x w]`.
  private func shiftedRows(_ c: Traced, _ taps: [Int], of height: Int) -> Traced {
    let rows = height + low[0] + high[0]
    let copies = taps.map { tap -> Traced in
      let before = tap * dilation[0]
      return c.emit(
        .pad(
          low: [0, 0, 0, before, 0], high: [0, 0, 0, rows - before - c.shape[3], 0],
          interior: [0, 0, 0, 0, 0], value: 0))
    }
    return Traced.concatenate(copies, axis: 2)
      .reshaped([c.shape[0], c.shape[1], c.shape[2] * copies.count, rows * c.shape[4]])
  }
}
