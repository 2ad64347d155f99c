import TensorPrograms

/// Convolutions and windows: ONNX's operators where ONNX Runtime has a kernel for them, else the same
/// map composed of slices and matrix products.
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
      case .kernel: break
      }
    }
    return try composed(operands, types) { [convolution.composed($0[0], $0[1])] }
  }

  private func attributes(
    _ convolution: Convolution
  ) -> KeyValuePairs<String, GraphBuilder.Attribute> {
    [
      "strides": .ints(convolution.strides), "dilations": .ints(convolution.dilation),
      "pads": .ints(convolution.low + convolution.high), "group": .int(convolution.groups),
    ]
  }

  private mutating func forward(
    _ operands: [LoweredValue], _ types: [TensorType], _ convolution: Convolution,
    _ result: TensorType
  ) -> LoweredValue {
    let names = zip(operands, types).map { exact($0, $1.shape).name }
    return laidOut(builder.node("Conv", names, attributes(convolution)), result)
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
      return laidOut(
        builder.node(
          "Conv", [image, kernel],
          [
            "dilations": .ints(convolution.dilation),
            "pads": .ints(padding.low + padding.high), "group": .int(convolution.groups),
          ]), result)
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

  // MARK: Windows

  mutating func windowMax(
    _ x: LoweredValue, _ type: TensorType, _ window: Window, _ result: TensorType
  ) throws -> LoweredValue {
    if type.element.isFloating, window.isPooling {
      return pooled(
        "MaxPool", x, type, window, result,
        [
          "kernel_shape": .ints(window.sizes), "strides": .ints(window.strides),
          "pads": .ints(window.low + window.high), "dilations": .ints(window.dilation),
        ])
    }
    let lowest: Double =
      switch type.element {
      case .float32, .float64, .bool: -.infinity
      case .int32: Double(Int32.min)
      case .int64: Double(Int64.min)
      }
    return try composed([x], [type]) { [window.composedMaximum($0[0], lowest: lowest)] }
  }

  mutating func windowSum(
    _ x: LoweredValue, _ type: TensorType, _ window: Window, _ result: TensorType
  ) throws -> LoweredValue {
    guard type.element == .float32, window.isPooling, window.dilation.allSatisfy({ $0 == 1 })
    else { return try composed([x], [type]) { [window.composedSum($0[0])] } }
    let mean = pooled(
      "AveragePool", x, type, window, result,
      [
        "kernel_shape": .ints(window.sizes), "strides": .ints(window.strides),
        "pads": .ints(window.low + window.high), "count_include_pad": .int(1),
      ])
    let count = scalar(Double(window.sizes.reduce(1, *)), .float32)
    return laidOut(builder.node("Mul", [mean.name, count]), result)
  }

  /// A pooling operator on `[leading, 1, spatial...]`.
  private mutating func pooled(
    _ operation: String, _ x: LoweredValue, _ type: TensorType, _ window: Window,
    _ result: TensorType, _ attributes: KeyValuePairs<String, GraphBuilder.Attribute>
  ) -> LoweredValue {
    let spatial = Array(type.shape.dimensions.suffix(window.sizes.count))
    let leading = type.shape.dimensions.dropLast(window.sizes.count).reduce(1, *)
    let image = viewed(exact(x, type.shape), [leading, 1] + spatial).name
    let pooled = builder.node(operation, [image], attributes)
    return laidOut(
      builder.node("Reshape", [pooled, builder.integers(result.shape.dimensions)]), result)
  }

  // MARK: Along an axis

  mutating func cumulativeSum(
    _ x: LoweredValue, _ type: TensorType, _ axis: Int, _ reversed: Bool
  ) -> LoweredValue {
    let place = scalar(Double(axis), .int64)
    return laidOut(
      builder.node(
        "CumSum", [exact(x, type.shape).name, place], ["reverse": .int(reversed ? 1 : 0)]), type)
  }

  mutating func argMax(
    _ x: LoweredValue, _ type: TensorType, _ axis: Int, _ result: TensorType
  ) -> LoweredValue {
    // Every int64 below 2^53 is a float64; there is no kernel for larger ones.
    let value =
      type.element == .int64 ? convert(x, from: .int64, to: .float64) : x
    return laidOut(
      builder.node(
        "ArgMax", [exact(value, type.shape).name], ["axis": .int(axis), "keepdims": .int(0)]),
      result)
  }

  mutating func sort(
    _ x: LoweredValue, _ type: TensorType, _ axis: Int, _ descending: Bool
  ) -> [LoweredValue] {
    let names = builder.addNode(
      "TopK", [exact(x, type.shape).name, builder.integers([type.shape[axis]])],
      ["axis": .int(axis), "largest": .int(descending ? 1 : 0), "sorted": .int(1)],
      outputCount: 2)
    return names.map { laidOut($0, type) }
  }

  // MARK: Pieces

  /// A node's result in row-major order under the variable's own sizes.
  private func laidOut(_ name: String, _ type: TensorType) -> LoweredValue {
    LoweredValue(name: name, dimensions: type.shape.dimensions, axes: type.shape.wideAxes)
  }

  /// Lowers a program made of other primitives in the place of one that has no kernel.
  private mutating func composed(
    _ operands: [LoweredValue], _ types: [TensorType], _ body: ([Traced]) -> [Traced]
  ) throws -> LoweredValue {
    let program = try Program.trace(types, body).simplified()
    for operand in operands { self[openProduct: operand] = nil }
    return try lower(program, operands)[0]
  }
}

extension Window {
  /// Whether ONNX's pooling takes it: at most three axes, and padding smaller than the window.
  fileprivate var isPooling: Bool {
    sizes.count <= 3 && zip(low + high, sizes + sizes).allSatisfy { $0 < $1 }
  }
}
