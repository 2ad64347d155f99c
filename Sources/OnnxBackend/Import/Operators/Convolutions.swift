import TensorPrograms

extension OperatorCatalogue {
  static let convolutions: [OperatorRule] = [
    OperatorRule("Conv") { node in
      [try node.biased(node.convolution(node.floating(0), node.floating(1)))]
    },
    OperatorRule("ConvTranspose") { node in
      let (x, kernel) = (try node.floating(0), try node.floating(1))
      let spatial = try node.spatialSizes(x, kernel: kernel)
      let groups = node.int("group", 1)
      guard groups > 0, x.shape[1] > 0, x.shape[1] == kernel.shape[0], x.shape[1] % groups == 0
      else {
        throw node.fail(
          "the kernel \(kernel.shape) does not fit the input \(x.shape) in \(groups) groups")
      }
      let taps = Array(kernel.shape.dimensions[2...])
      return [
        try node.biased(
          node.transposedWindow(taps, over: spatial).transposedConvolution(
            x, kernel, spatial: spatial, groups: groups))
      ]
    },
  ]
}

/// The geometry of a transposed convolution: the window of the convolution that it transposes, and
/// what it crops from each end of the full result; a negative crop of the high end adds to it.
private struct TransposedWindow {
  var window: Window
  var cropLow: [Int]
  var cropHigh: [Int]

  func transposedConvolution(
    _ x: Traced, _ kernel: Traced, spatial: [Int], groups: Int
  ) -> Traced {
    let full = spatial.indices.map { axis in
      (spatial[axis] - 1) * window.strides[axis] + window.extents[axis]
    }
    // A convolution's padding crops the result of its transpose; rows that the last place of the
    // window does not reach are added at the end.
    let added = cropHigh.map { max(0, -$0) }
    guard zip(added, window.strides).allSatisfy({ $0 < $1 }) else {
      let result = x.convolutionTransposed(
        kernel, spatial: full, strides: window.strides, dilation: window.dilation, groups: groups)
      return x.builder.emit(
        .pad(
          low: [0, 0] + cropLow.map { -$0 }, high: [0, 0] + cropHigh.map { -$0 },
          interior: [0, 0] + full.map { _ in 0 }, value: 0), [result])[0]
    }
    return x.convolutionTransposed(
      kernel, spatial: full.indices.map { full[$0] - cropLow[$0] - cropHigh[$0] },
      strides: window.strides, low: cropLow, high: cropHigh.map { max(0, $0) },
      dilation: window.dilation, groups: groups)
  }
}

extension NodeContext {
  /// The convolution that the node's attributes tell of.
  func convolution(_ x: Traced, _ kernel: Traced) throws -> Traced {
    let spatial = try spatialSizes(x, kernel: kernel)
    let groups = int("group", 1)
    guard groups > 0, x.shape[1] > 0, x.shape[1] % groups == 0,
      x.shape[1] / groups == kernel.shape[1], kernel.shape[0] % groups == 0
    else {
      throw fail(
        "the kernel \(kernel.shape) does not fit the input \(x.shape) in \(groups) groups")
    }
    let window = try window(Array(kernel.shape.dimensions[2...]), over: spatial)
    return x.convolved(
      kernel, strides: window.strides, low: window.low, high: window.high,
      dilation: window.dilation, groups: groups)
  }

  /// The sizes of the axes that a kernel slides over.
  fileprivate func spatialSizes(_ x: Traced, kernel: Traced) throws -> [Int] {
    guard (3...5).contains(x.rank), kernel.rank == x.rank else {
      throw fail(
        "it takes an input with one to three spatial axes and a kernel with as many, not \(x.shape) "
          + "and \(kernel.shape)")
    }
    if let stated = ints("kernel_shape"), stated != Array(kernel.shape.dimensions[2...]) {
      throw fail("its kernel_shape \(stated) is not that of the kernel \(kernel.shape)")
    }
    return Array(x.shape.dimensions[2...])
  }

  /// `y` plus the bias, one number per channel, where there is one.
  func biased(_ y: Traced) throws -> Traced {
    guard let bias = optionalInput(2) else { return y }
    return y + (try perChannel(bias, of: y))
  }

  fileprivate func transposedWindow(_ sizes: [Int], over spatial: [Int]) throws -> TransposedWindow
  {
    guard !spatial.contains(0) else { throw fail("there is nothing along its axes \(spatial)") }
    let axes = spatial.indices
    var window = try windowWithoutPadding(sizes)
    let padding = try spatialAttribute("output_padding", axes.map { _ in 0 }, from: 0)
    let full = axes.map { axis in
      (spatial[axis] - 1) * window.strides[axis] + window.extents[axis] + padding[axis]
    }
    let mode = string("auto_pad", "NOTSET")
    var wanted = try ints("output_shape").map { _ in
      try spatialAttribute("output_shape", full, from: 1)
    }
    if wanted == nil, mode.hasPrefix("SAME") {
      wanted = zip(spatial, window.strides).map { $0 * $1 }
    }
    let (low, high): ([Int], [Int])
    if let wanted {
      let excess = axes.map { max(0, full[$0] - wanted[$0]) }
      low = excess.map { mode == "SAME_UPPER" ? $0 / 2 : $0 - $0 / 2 }
      high = axes.map { full[$0] - wanted[$0] - low[$0] }
    } else {
      window = try self.window(sizes, over: full)
      (low, high) = (window.low, window.high)
    }
    let cropHigh = axes.map { high[$0] - padding[$0] }
    let result = axes.map { full[$0] - low[$0] - high[$0] }
    guard result.allSatisfy({ $0 > 0 }) else { throw fail("its result has sizes \(result)") }
    _ = try shape(result)
    return TransposedWindow(window: window, cropLow: low, cropHigh: cropHigh)
  }
}
