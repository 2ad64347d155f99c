import TensorPrograms

/// The attributes that convolutions and pools share.
extension NodeContext {
  /// Beyond this a size, stride or padding is a mistake, not a network.
  private static let largestAttribute = 1 << 20

  /// One number for each spatial axis; `fallback` where the attribute is missing.
  func spatialAttribute(_ name: String, _ fallback: [Int], from least: Int) throws -> [Int] {
    guard let values = ints(name), !values.isEmpty else { return fallback }
    guard values.count == fallback.count,
      values.allSatisfy({ (least...Self.largestAttribute).contains($0) })
    else {
      throw fail(
        "its \(name) \(values) should be \(fallback.count) numbers from \(least) to "
          + "\(Self.largestAttribute)")
    }
    return values
  }

  /// The window with its strides and dilations.
  func windowWithoutPadding(_ sizes: [Int]) throws -> Window {
    guard sizes.allSatisfy({ (1...Self.largestAttribute).contains($0) }),
      sizes.reduce(1, { $0 * Double($1) }) <= 0x1p16
    else {
      throw fail("a window of \(sizes) is impossible")
    }
    let ones = sizes.map { _ in 1 }
    return Window(
      sizes: sizes, strides: try spatialAttribute("strides", ones, from: 1),
      dilation: try spatialAttribute("dilations", ones, from: 1))
  }

  /// The window with its padding, which `auto_pad` may derive from the sizes of the axes.
  ///
  /// - Parameter roundingUp: whether a last place that begins inside, but does not end there, counts.
  /// - Throws: where the window does not fit in the padded axes.
  func window(_ sizes: [Int], over spatial: [Int], roundingUp: Bool = false) throws -> Window {
    var window = try windowWithoutPadding(sizes)
    let extents = window.extents
    switch string("auto_pad", "NOTSET") {
    case "NOTSET":
      let pads = try spatialAttribute("pads", (sizes + sizes).map { _ in 0 }, from: 0)
      window.low = Array(pads[..<sizes.count])
      window.high = Array(pads[sizes.count...])
    case "VALID": break
    case let mode where mode == "SAME_UPPER" || mode == "SAME_LOWER":
      for axis in sizes.indices {
        let stride = window.strides[axis]
        let places = (spatial[axis] + stride - 1) / stride
        let missing = max(0, (places - 1) * stride + extents[axis] - spatial[axis])
        window.low[axis] = mode == "SAME_UPPER" ? missing / 2 : missing - missing / 2
        window.high[axis] = missing - window.low[axis]
      }
    case let other: throw fail("there is no auto_pad '\(other)'")
    }
    let places = window.positions(spatial)
    guard !places.contains(0) else {
      throw fail("a window of extents \(extents) does not fit in axes of sizes \(spatial)")
    }
    _ = try shape(places)
    guard roundingUp else { return window }
    for axis in sizes.indices {
      let start = places[axis] * window.strides[axis]
      let padded = window.low[axis] + spatial[axis]
      if start < padded, start + extents[axis] > padded + window.high[axis],
        (places[axis] - 1) * window.strides[axis] + extents[axis] < padded + window.high[axis]
      {
        window.high[axis] = start + extents[axis] - padded
      }
    }
    return window
  }

  /// `values`, one number per channel, as it broadcasts along axis 1 of `x`.
  func perChannel(_ values: Traced, of x: Traced) throws -> Traced {
    guard x.rank >= 2, values.shape == [x.shape[1]] else {
      throw fail("\(values.type) should hold one number for each channel of \(x.type)")
    }
    return values.reshaped(Shape([x.shape[1]] + x.shape.dimensions[2...].map { _ in 1 }))
  }
}
