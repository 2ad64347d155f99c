import TensorPrograms

/// Windows: ONNX's pooling where ONNX Runtime has a kernel for it, else the same map composed of slices.
/// What goes along one axis too.
extension ProgramLowering {
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
    if type.shape.count == 0 { return uniform(0, result.element) }
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
  func laidOut(_ name: String, _ type: TensorType) -> LoweredValue {
    LoweredValue(name: name, dimensions: type.shape.dimensions, axes: type.shape.wideAxes)
  }

  /// Lowers a program made of other primitives in the place of one that has no kernel.
  mutating func composed(
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
