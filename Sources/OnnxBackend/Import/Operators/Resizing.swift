import TensorPrograms

extension OperatorCatalogue {
  static let resizing: [OperatorRule] = [
    OperatorRule("Resize", constants: [1, 2, 3]) { node in
      if node.operatorSet < 11 { return [try node.legacyResize()] }
      let x = try node.input(0)
      var axes = Array(0..<x.rank)
      if let stated = node.ints("axes") {
        axes = try stated.map { try node.axis($0, rank: x.rank) }
      }
      guard Set(axes).count == axes.count else { throw node.fail("the axes \(axes) repeat") }
      let extents = try node.extents(axes.map { x.shape[$0] })
      let rule = Resampling(
        mode: node.string("mode", "nearest"),
        coordinates: node.string("coordinate_transformation_mode", "half_pixel"),
        rounding: node.string("nearest_mode", "round_prefer_floor"),
        cubic: node.float("cubic_coeff_a", -0.75), isAntialiased: node.flag("antialias"),
        excludesOutside: node.flag("exclude_outside"))
      var regions = axes.map { _ in (start: 0.0, end: 1.0) }
      if rule.coordinates == "tf_crop_and_resize" {
        let region = try node.constant(1).doubles
        guard region.count == 2 * axes.count else {
          throw node.fail("its region has \(region.count) numbers for \(axes.count) axes")
        }
        regions = axes.indices.map { (region[$0], region[axes.count + $0]) }
      }
      var y = x
      for (index, axis) in axes.enumerated() {
        let isWhole = rule.coordinates != "tf_crop_and_resize" || regions[index] == (0, 1)
        if isWhole, extents[index].scale == 1 { continue }
        y = try node.resampled(
          y, axis: axis,
          rule.rows(
            from: x.shape[axis], to: extents[index], region: regions[index], fail: node.fail),
          outside: node.float("extrapolation_value", 0))
      }
      return [y]
    },
    OperatorRule("Upsample", constants: [1]) { [try $0.legacyResize()] },
  ]
}

/// The size of a resized axis and the scale that it comes from, which it need not match exactly.
private struct Extent {
  var size: Int
  var scale: Double
}

extension NodeContext {
  /// The target of each axis, of `sizes` entries now.
  fileprivate func extents(_ sizes: [Int]) throws -> [Extent] {
    guard !sizes.contains(0) else { throw fail("it cannot resize axes of sizes \(sizes)") }
    if let scales = try optionalConstant(2), scales.shape.count > 0 {
      return try extents(sizes, scales: scales.doubles)
    }
    let targets = try optionalIntegers(3) ?? []
    guard targets.count == sizes.count, targets.allSatisfy({ $0 > 0 }) else {
      throw fail("its sizes \(targets) are not one for each of \(sizes.count) axes")
    }
    _ = try shape(targets)
    let scales = zip(targets, sizes).map { Double($0) / Double($1) }
    let common: Double?
    switch string("keep_aspect_ratio_policy", "stretch") {
    case "stretch": common = nil
    case "not_larger": common = scales.min()
    case "not_smaller": common = scales.max()
    case let other: throw fail("there is no keep_aspect_ratio_policy '\(other)'")
    }
    return try zip(sizes, zip(targets, scales)).map { size, target in
      guard let common else { return Extent(size: target.0, scale: target.1) }
      return try extent((common * Double(size) + 0.5).rounded(.down), scale: common)
    }
  }

  private func extents(_ sizes: [Int], scales: [Double]) throws -> [Extent] {
    let largest = Double(1 << 24)
    guard scales.count == sizes.count, scales.allSatisfy({ $0 > 0 && $0 <= largest }) else {
      throw fail("its scales \(scales) are not one for each of \(sizes.count) axes")
    }
    return try zip(sizes, scales).map { size, scale in
      // Rounded as the scale is: 0.7 of 10 is 7.
      try extent(Double((Float(size) * Float(scale)).rounded(.down)), scale: scale)
    }
  }

  private func extent(_ size: Double, scale: Double) throws -> Extent {
    guard size >= 1, size <= 0x1p40 else {
      throw fail("a scale of \(scale) would make an axis of \(size)")
    }
    return Extent(size: Int(size), scale: scale)
  }

  /// Resize before operator set 11, and Upsample.
  fileprivate func legacyResize() throws -> Traced {
    let x = try input(0)
    let scales = try floats("scales") ?? constant(1).doubles
    let mode = string("mode", "nearest")
    let rule = Resampling(
      mode: mode == "bilinear" ? "linear" : mode, coordinates: "asymmetric", rounding: "floor")
    var y = x
    for (axis, extent) in try extents(x.shape.dimensions, scales: scales).enumerated()
    where extent.scale != 1 {
      y = try resampled(
        y, axis: axis, rule.rows(from: x.shape[axis], to: extent, region: (0, 1), fail: fail),
        outside: 0)
    }
    return y
  }

  /// The linear map along an axis: repetition or a selection where that is what it is, else a matrix.
  fileprivate func resampled(
    _ x: Traced, axis: Int, _ rows: [Resampling.Row], outside: Double
  ) throws -> Traced {
    let size = x.shape[axis]
    var result = x.shape
    result[axis] = rows.count
    _ = try shape(result.dimensions)
    let selected = rows.compactMap { $0.weights.count == 1 ? $0.weights[0].index : nil }
    if selected.count == rows.count {
      let factor = rows.count / size
      if factor * size == rows.count, selected.indices.allSatisfy({ selected[$0] == $0 / factor }) {
        let split = x.shape.inserting(factor, at: axis + 1)
        return x.broadcast(to: split, axes: (0..<x.rank).map { $0 > axis ? $0 + 1 : $0 })
          .reshaped(result)
      }
      let indices = Tensor(selected.map(Int64.init), shape: [rows.count])
      return x.gather(builder.constant(indices), axis: axis)
    }
    guard x.element.isFloating else { throw fail("it cannot interpolate \(x.type)") }
    var matrix = [Double](repeating: 0, count: rows.count * size)
    for (place, row) in rows.enumerated() {
      for weight in row.weights { matrix[place * size + weight.index] += weight.value }
    }
    let type = TensorType(x.element, [rows.count, size])
    var order = Array(0..<(x.rank - 1))
    order.insert(x.rank - 1, at: axis)
    let y = x.dot(
      builder.constant(Tensor(matrix, type: type)), DotDimensions(contracting: [axis], [1])
    ).transposed(order)
    guard rows.contains(where: { $0.weights.isEmpty }) else { return y }
    let isOutside = builder.constant(
      Tensor(rows.map { $0.weights.isEmpty }, shape: [rows.count])
    ).broadcast(to: result, axes: [axis])
    return isOutside.select(y.scalar(outside), y)
  }
}

/// How the entries of a resized axis are made from those of the original one.
///
/// Reference: Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981.
private struct Resampling {
  /// A sum of entries; empty where the place lies outside of a cropped region.
  struct Row {
    var weights: [(index: Int, value: Double)]
  }

  var mode: String
  var coordinates: String
  var rounding: String
  var cubic = -0.75
  var isAntialiased = false
  var excludesOutside = false

  func rows(
    from size: Int, to extent: Extent, region: (start: Double, end: Double),
    fail: (String) -> OnnxModelError
  ) throws -> [Row] {
    guard extent.size <= 1 << 20, mode == "nearest" || extent.size <= (1 << 24) / size else {
      throw fail("resizing an axis from \(size) to \(extent.size) takes too large a table")
    }
    return try (0..<extent.size).map { place in
      guard
        let x = position(
          Double(place), size: Double(size), extent: extent, region: region)
      else {
        throw fail("there is no coordinate_transformation_mode '\(coordinates)'")
      }
      guard abs(x) <= 0x1p40 else { throw fail("a place at \(x) is far outside of the axis") }
      if coordinates == "tf_crop_and_resize", x < 0 || x > Double(size - 1) {
        return Row(weights: [])
      }
      if mode == "nearest" {
        guard let nearest = rounded(x) else { throw fail("there is no nearest_mode '\(rounding)'") }
        return Row(weights: [(min(max(Int(nearest), 0), size - 1), 1)])
      }
      guard let support = mode == "linear" ? 1.0 : mode == "cubic" ? 2.0 : nil else {
        throw fail("there is no mode '\(mode)'")
      }
      // Shrinking, an antialiased kernel spans as many entries as one result stands for.
      let stretch = isAntialiased ? min(1, extent.scale) : 1
      let first = Int((x - support / stretch).rounded(.down)) + 1
      let last = Int((x + support / stretch).rounded(.up)) - 1
      guard last - first < 1 << 20 else { throw fail("a scale of \(extent.scale) is too small") }
      var weights = (first...max(first, last)).map { index in
        (index: index, value: kernel((Double(index) - x) * stretch))
      }
      if excludesOutside { weights.removeAll { !(0..<size).contains($0.index) } }
      let total = weights.reduce(0) { $0 + $1.value }
      let divisor = (excludesOutside || isAntialiased) && total != 0 ? total : 1
      return Row(
        weights: weights.map { (min(max($0.index, 0), size - 1), $0.value / divisor) })
    }
  }

  /// Where a place lies on the original axis.
  private func position(
    _ place: Double, size: Double, extent: Extent, region: (start: Double, end: Double)
  ) -> Double? {
    let width = extent.scale * size
    // A nearest place may lie halfway between two: it is rounded as ONNX Runtime and PyTorch do it,
    // in float32.
    let scale = Float(extent.scale)
    let isNearest = mode == "nearest"
    let centred =
      isNearest
      ? Double((Float(place) + 0.5) / scale - 0.5) : (place + 0.5) / extent.scale - 0.5
    switch coordinates {
    case "half_pixel": return centred
    case "half_pixel_symmetric":
      return size / 2 * (1 - Double(extent.size) / width) + centred
    case "pytorch_half_pixel": return extent.size == 1 ? -0.5 : centred
    case "asymmetric": return isNearest ? Double(Float(place) / scale) : place / extent.scale
    case "align_corners": return width == 1 ? 0 : place * (size - 1) / (width - 1)
    case "tf_crop_and_resize":
      let span = (region.end - region.start) * (size - 1)
      return region.start * (size - 1) + (width == 1 ? span / 2 : place * span / (width - 1))
    default: return nil
    }
  }

  private func rounded(_ x: Double) -> Double? {
    switch rounding {
    case "round_prefer_floor": (x - 0.5).rounded(.up)
    case "round_prefer_ceil": (x + 0.5).rounded(.down)
    case "floor": x.rounded(.down)
    case "ceil": x.rounded(.up)
    default: nil
    }
  }

  private func kernel(_ distance: Double) -> Double {
    let d = abs(distance)
    if mode == "linear" { return max(0, 1 - d) }
    let a = cubic
    if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
  }
}
