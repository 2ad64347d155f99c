import TensorPrograms

/// Convolutions: ONNX's operators where ONNX Runtime has a kernel for them, else the same map composed
/// of slices and matrix products.
extension ProgramLowering {
  mutating func convolution(
    _ operands: [LoweredValue], _ types: [TensorType], _ convolution: Convolution,
    _ result: TensorType
  ) throws -> LoweredValue {
    if types.contains(where: { $0.shape.count == 0 }) { return uniform(0, result.element) }
    if result.element == .float32 {
      switch convolution.role {
      case .output: return forward(operands, types, convolution, result)
      case .input(let spatial):
        if let value = backward(operands, types, convolution, spatial, result) { return value }
      case .kernel(let taps):
        if let value = kernel(operands, types, convolution, taps, result) { return value }
      }
    }
    return try composed(operands, types) { [convolution.composed($0[0], $0[1])] }
  }

  private mutating func forward(
    _ operands: [LoweredValue], _ types: [TensorType], _ convolution: Convolution,
    _ result: TensorType
  ) -> LoweredValue {
    let image = exact(operands[0], types[0].shape).name
    let kernel = exact(operands[1], types[1].shape).name
    return convolved(image, kernel, types[1].shape, convolution, result)
  }

  /// A convolution of operands laid out as they are defined.
  private mutating func convolved(
    _ image: String, _ kernel: String, _ shape: Shape, _ convolution: Convolution,
    _ result: TensorType
  ) -> LoweredValue {
    let attributes: KeyValuePairs<String, GraphBuilder.Attribute> = [
      "strides": .ints(convolution.strides), "dilations": .ints(convolution.dilation),
      "pads": .ints(convolution.low + convolution.high), "group": .int(convolution.groups),
      "kernel_shape": .ints(Array(shape.dimensions[2...])),
    ]
    if convolution.groups == 1, convolution.spatialRank == 2, shape[2] * shape[3] > 1,
      min(shape[0], shape[1]) >= ChannelBlock.least, let block = channelBlock,
      shape[0] % block == 0, shape[1] % block == 0
    {
      return laidOut(blocked(image, kernel, shape, attributes, block), result)
    }
    return laidOut(builder.node("Conv", [image, kernel], attributes), result)
  }

  /// A convolution in the layout that ONNX Runtime gives those with constant kernels: channels in
  /// blocks of a vector's length, innermost. With the way there and back it takes 0.6 to 0.8 of the
  /// time of the plain operator, but for windows of one tap, which are a matrix product.
  private mutating func blocked(
    _ image: String, _ kernel: String, _ shape: Shape,
    _ attributes: KeyValuePairs<String, GraphBuilder.Attribute>, _ block: Int
  ) -> String {
    let domain = ChannelBlock.domain
    let image = cached("blocked image \(image)") {
      $0.node("ReorderInput", [image], domain: domain)
    }
    let kernel = cached("blocked kernel \(kernel)") { builder in
      // Output and input channels in blocks, the input's block before the output's.
      let split = [shape[0] / block, block, shape[1] / block, block, shape[2], shape[3]]
      let parts = builder.node("Reshape", [kernel, builder.integers(split)])
      let inBlocks = builder.node("Transpose", [parts], ["perm": .ints([0, 2, 4, 5, 3, 1])])
      return builder.node("Reshape", [inBlocks, builder.integers(shape.dimensions)])
    }
    let product = builder.node("Conv", [image, kernel], attributes, domain: domain)
    return builder.node(
      "ReorderOutput", [product], ["channels": .int(shape[0])], domain: domain)
  }

  /// The cotangent of the input: with stride 1 a convolution with the reversed kernel.
  private mutating func backward(
    _ operands: [LoweredValue], _ types: [TensorType], _ convolution: Convolution,
    _ spatial: [Int], _ result: TensorType
  ) -> LoweredValue? {
    let taps = Array(types[1].shape.dimensions[2...])
    let window = convolution.window(taps)
    let padding = window.transposedPadding(spatial: spatial)
    let image = exact(operands[0], types[0].shape).name
    if convolution.strides.allSatisfy({ $0 == 1 }),
      (padding.low + padding.high).allSatisfy({ $0 >= 0 })
    {
      let kernel = reversedKernel(operands[1], types[1].shape, convolution.groups)
      let flipped = Convolution(
        strides: convolution.strides, dilation: convolution.dilation, low: padding.low,
        high: padding.high, groups: convolution.groups)
      let sizes = Shape([result.shape[1], types[1].shape[0] / convolution.groups] + taps)
      return convolved(image, kernel, sizes, flipped, result)
    }
    // What the last stride leaves over is output padding, of which ONNX allows less than a stride.
    let positions = window.positions(spatial)
    let remainder = spatial.indices.map { axis -> Int in
      let reached = (positions[axis] - 1) * window.strides[axis] + window.extents[axis]
      return spatial[axis] + window.low[axis] + window.high[axis] - reached
    }
    guard zip(remainder, window.strides).allSatisfy({ $0 >= 0 && $0 < $1 }) else { return nil }
    let kernel = exact(operands[1], types[1].shape).name
    return laidOut(
      builder.node(
        "ConvTranspose", [image, kernel],
        [
          "strides": .ints(convolution.strides), "dilations": .ints(convolution.dilation),
          "pads": .ints(convolution.low + convolution.high), "group": .int(convolution.groups),
          "output_padding": .ints(remainder),
        ]), result)
  }

  /// `[g x o, c, taps]` as `[g x c, o, taps in reverse order]`.
  private mutating func reversedKernel(
    _ kernel: LoweredValue, _ shape: Shape, _ groups: Int
  ) -> String {
    let exact = exact(kernel, shape)
    return cached("reversed kernel \(exact.name) \(groups)") { builder in
      let spatial = Array(2..<shape.rank)
      let taps = Array(shape.dimensions[2...])
      var name = exact.name
      let wide = spatial.filter { shape[$0] > 1 }
      if !wide.isEmpty {
        name = builder.node(
          "Slice",
          [
            name, builder.integers(wide.map { _ in -1 }),
            builder.integers(wide.map { _ in Int.min + 1 }), builder.integers(wide),
            builder.integers(wide.map { _ in -1 }),
          ])
      }
      let grouped = [groups, shape[0] / groups, shape[1]] + taps
      name = builder.node("Reshape", [name, builder.integers(grouped)])
      name = builder.node(
        "Transpose", [name], ["perm": .ints([0, 2, 1] + spatial.map { $0 + 1 })])
      return builder.node(
        "Reshape",
        [name, builder.integers([groups * shape[1], shape[0] / groups] + taps)])
    }
  }

  /// The cotangent of the kernel as one convolution, in which samples are the channels and the
  /// cotangent of the output is the kernel.
  ///
  /// With each entry's channels side by side on the last spatial axis, and the kernel dilated by as
  /// much, the places along that axis are every tap with every channel. So the result is one product
  /// `[O, N x places] [N x places, taps x C]` whose right factor is laid out block by block in cache:
  /// as fast as the product of matrices alone, where writing that factor (`taps` times the image)
  /// takes two to four times as long.
  private mutating func kernel(
    _ operands: [LoweredValue], _ types: [TensorType], _ convolution: Convolution,
    _ taps: [Int], _ result: TensorType
  ) -> LoweredValue? {
    let (axes, last) = (taps.indices, taps.count - 1)
    // A window of one tap needs no columns; and a step between taps would skip channels as well.
    guard taps.contains(where: { $0 > 1 }), taps[last] == 1 || convolution.dilation[last] == 1
    else { return nil }
    let shape = types[0].shape
    let (groups, channels) = (convolution.groups, shape[1] / convolution.groups)
    let spatial = Array(shape.dimensions[2...])
    let places = Array(types[1].shape.dimensions[2...])
    /// What the image needs behind it for as many places as there are taps; less than none is cut off.
    let behind = axes.map { axis in
      (taps[axis] - 1) * convolution.dilation[axis] + (places[axis] - 1) * convolution.strides[axis]
        + 1 - spatial[axis] - convolution.low[axis]
    }
    let kept = zip(spatial, behind).map { $0 + min($1, 0) }
    guard kept.allSatisfy({ $0 > 0 }) else { return nil }
    let covered = Shape(shape.dimensions[..<2] + kept)
    var image = operands[0]
    if covered != shape {
      let (start, step) = (covered.dimensions.map { _ in 0 }, covered.dimensions.map { _ in 1 })
      image = slice(image, shape, start, covered.dimensions, step, covered)
    }

    func interleaved(_ sizes: [Int]) -> [Int] {
      sizes.dropLast() + [sizes[last] * channels]
    }
    image = grouped(image, covered, groups, [1, 0] + axes.map { $0 + 3 } + [2])
    image = viewed(image, [1, groups * shape[0]] + interleaved(kept))
    var cotangent = grouped(operands[1], types[1].shape, groups, [1, 2, 0] + axes.map { $0 + 3 })
    cotangent = viewed(cotangent, [types[1].shape[1], shape[0]] + places)
    let product = builder.node(
      "Conv", [image.name, cotangent.name],
      [
        "strides": .ints(convolution.dilation.dropLast() + [1]),
        "dilations": .ints(interleaved(convolution.strides)),
        "pads": .ints(
          interleaved(convolution.low) + interleaved(behind.map { max($0, 0) })),
        "group": .int(groups),
      ])
    let sizes = [types[1].shape[1]] + taps + [channels]
    let order = [0] + axes.map { $0 + 2 } + [1]
    return LoweredValue(
      name: builder.node("Reshape", [product, builder.integers(sizes)]), dimensions: sizes,
      axes: order.filter { result.shape[$0] > 1 })
  }

  /// `[N, g x c, spatial...]` as `[N, g, c, spatial...]` with its axes in this order.
  private mutating func grouped(
    _ value: LoweredValue, _ shape: Shape, _ groups: Int, _ order: [Int]
  ) -> LoweredValue {
    let sizes = Shape([shape[0], groups, shape[1] / groups] + shape.dimensions[2...])
    var split = viewed(exact(value, shape), sizes.wideAxes.map { sizes[$0] })
    split.axes = sizes.wideAxes
    return arranged(split, order.filter { sizes[$0] > 1 })
  }
}
