import TensorPrograms

/// Integers between quantisation and dequantisation are computed with as real numbers: within the range of
/// their type, but not rounded. A rounded loss is flat between jumps, and has no derivative that says
/// anything; unrounded, it is smooth, and its derivative that of the straight-through estimator, which
/// training of quantised networks takes.
///
/// Reference: Bengio, Léonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons,
/// 2013, section 4; Jacob et al., 2018, section 3.
extension OperatorCatalogue {
  static let quantization: [OperatorRule] =
    ["", "com.microsoft"].flatMap { domain in
      [
        OperatorRule("QuantizeLinear", domain: domain, constants: [1, 2]) { node in
          [try node.quantized(node.real(node.input(0)), scale: 1, zero: 2, node.int("axis", 1))]
        },
        OperatorRule("DequantizeLinear", domain: domain, constants: [1, 2]) { node in
          [try node.dequantized(0, scale: 1, zero: 2, axis: node.int("axis", 1))]
        },
      ]
    } + [
      OperatorRule("DynamicQuantizeLinear") { node in
        // Unrounded, every scale gives the same product: the simplest has no rounding of its own.
        let x = try node.floating(0)
        return [
          x, x.builder.full(1, TensorType(x.element, [])), x.builder.full(0, .init(.int64, [])),
        ]
      },
      OperatorRule("MatMulInteger", constants: [2, 3, 4]) { node in
        let a = try node.less(node.real(node.input(0)), zero: 2, axis: -2)
        return [try node.matrixProduct(a, node.integerWeight(axis: -1))]
      },
      OperatorRule("ConvInteger", constants: [2, 3, 4]) { node in
        let x = try node.less(node.real(node.input(0)), zero: 2, axis: 0)
        return [try node.convolution(x, node.integerWeight(axis: 0))]
      },
      OperatorRule("QLinearConv", constants: [1, 2, 4, 5, 6, 7]) { node in
        let x = try node.dequantized(0, scale: 1, zero: 2, axis: 1)
        let kernel = try node.dequantized(3, scale: 4, zero: 5, axis: 0)
        var y = try node.convolution(x, kernel)
        if node.optionalInput(8) != nil {
          y = y + (try node.perChannel(node.bias(8, scales: 1, 4), of: y))
        }
        return [try node.quantized(y, scale: 6, zero: 7, 1)]
      },
      OperatorRule("QLinearMatMul", constants: [1, 2, 4, 5, 6, 7]) { node in
        let a = try node.dequantized(0, scale: 1, zero: 2, axis: -2)
        let b = try node.dequantized(3, scale: 4, zero: 5, axis: -1)
        return [try node.quantized(node.matrixProduct(a, b), scale: 6, zero: 7, -1)]
      },
      microsoftQuantized("QGemm", [1, 2, 4, 5, 7, 8]) { node in
        let isTransposed = node.flag("transB")
        let a = try node.dequantized(0, scale: 1, zero: 2, axis: 0)
        let b = try node.dequantized(3, scale: 4, zero: 5, axis: isTransposed ? 0 : 1)
        guard a.rank == 2, b.rank == 2 else { throw node.fail("it takes matrices") }
        var y = try node.matrixProduct(
          node.flag("transA") ? a.transposed([1, 0]) : a, isTransposed ? b.transposed([1, 0]) : b)
        y = y * node.float("alpha", 1)
        if node.optionalInput(6) != nil { y = y + (try node.bias(6, scales: 1, 4)) }
        return [node.optionalInput(7) == nil ? y : try node.quantized(y, scale: 7, zero: 8, 1)]
      },
      microsoftQuantized("DynamicQuantizeMatMul", [2, 3]) { node in
        let b = try node.dequantized(1, scale: 2, zero: 3, axis: -1)
        let y = try node.matrixProduct(node.floating(0), b)
        return [node.optionalInput(4).map { y + $0 } ?? y]
      },
      microsoftQuantized("MatMulIntegerToFloat", [2, 3, 4, 5]) { node in
        let a = try node.dequantized(0, scale: 2, zero: 4, axis: -2)
        let b = try node.dequantized(1, scale: 3, zero: 5, axis: -1)
        let y = try node.matrixProduct(a, b)
        return [node.optionalInput(6).map { y + $0 } ?? y]
      },
      microsoftQuantized("QLinearAdd", [1, 2, 4, 5, 6, 7]) { try $0.pairwise { $0 + $1 } },
      microsoftQuantized("QLinearMul", [1, 2, 4, 5, 6, 7]) { try $0.pairwise { $0 * $1 } },
      microsoftQuantized("QLinearSigmoid", [1, 2, 3, 4]) { try $0.unary { $0.sigmoid() } },
      microsoftQuantized("QLinearLeakyRelu", [1, 2, 3, 4]) { node in
        let slope = node.float("alpha", 0.01)
        return try node.unary { $0.compare(.greater, $0.scalar(0)).select($0, $0 * slope) }
      },
      microsoftQuantized("QLinearSoftmax", [1, 2, 3, 4]) { node in
        let axis = try node.axis(node.int("axis", -1), rank: node.input(0).rank)
        return try node.unary { $0.softmax(axis: axis) }
      },
      microsoftQuantized("QLinearGlobalAveragePool", [1, 2, 3, 4]) { node in
        let rank = try node.input(0).rank
        guard rank > 2 else { throw node.fail("there is no spatial axis") }
        let axes = node.flag("channels_last") ? Array(1..<(rank - 1)) : Array(2..<rank)
        return try node.unary { $0.mean(axes, keepingAxes: true) }
      },
      microsoftQuantized("QLinearConcat", [0, 1]) { node in
        let parts = try stride(from: 2, to: node.inputCount, by: 3).map {
          try node.dequantized($0, scale: $0 + 1, zero: $0 + 2, axis: 0)
        }
        guard let first = parts.first else { throw node.fail("it has no inputs") }
        let axis = try node.axis(node.int("axis", 0), rank: first.rank)
        return [try node.quantized(.concatenate(parts, axis: axis), scale: 0, zero: 1, 0)]
      },
    ]

  private static func microsoftQuantized(
    _ name: String, _ constants: [Int],
    _ body: @escaping @Sendable (NodeContext) throws -> [Traced]
  ) -> OperatorRule {
    OperatorRule(name, domain: "com.microsoft", constants: constants, import: body)
  }
}

extension NodeContext {
  /// Integers as the floating-point numbers that the model is computed with.
  fileprivate func real(_ x: Traced) -> Traced {
    x.element.isFloating ? x : x.converted(to: importer.reader.floating ?? .float32)
  }

  /// Whether an input holds real numbers where the operator has integers: see `QuantizedWeights`.
  func isReal(_ index: Int) -> Bool {
    ints(QuantizedWeights.attribute)?.contains(index) ?? false
  }

  /// A scale or zero point, one number or one for each place of an axis (or block of it), as it broadcasts
  /// to `x`.
  private func spread(_ index: Int, over x: Traced, axis given: Int) throws -> Traced? {
    guard let value = optionalInput(index).map(real)?.converted(to: x.element) else { return nil }
    if value.shape.count == 1 { return value.reshaped([]) }
    let axis = try axis(given, rank: x.rank)
    if value.rank == 1, value.shape[0] == x.shape[axis] {
      return value.reshaped(
        Shape(x.shape.dimensions.indices.map { $0 == axis ? x.shape[axis] : 1 }))
    }
    let block = int("block_size", 0)
    if value.rank == x.rank, block > 0, value.shape.removing([axis]) == x.shape.removing([axis]),
      value.shape[axis] == x.shape[axis] / block + (x.shape[axis] % block == 0 ? 0 : 1)
    {
      let places = (0..<x.shape[axis]).map { Int64($0 / block) }
      return value.gather(
        builder.constant(Tensor(places, shape: [places.count])), axis: axis)
    }
    if x.shape.broadcast(with: value.shape) == x.shape { return value }
    throw fail("its input \(index) of shape \(value.shape) does not fit \(x.shape)")
  }

  fileprivate func less(_ x: Traced, zero: Int, axis: Int) throws -> Traced {
    guard let offset = try spread(zero, over: x, axis: axis),
      builder.constantValue(of: offset)?.uniformValue != 0
    else { return x }
    return x - offset
  }

  /// The real numbers that the integers of an input stand for.
  func dequantized(
    _ index: Int, scale: Int, zero: Int, axis: Int
  ) throws -> Traced {
    let x = try real(input(index))
    if isReal(index) { return x }
    guard let factor = try spread(scale, over: x, axis: axis) else {
      throw fail("its input \(scale), a scale, is missing")
    }
    return try less(x, zero: zero, axis: axis) * factor
  }

  /// `x / scale + zero`, no less and no more than the integers of the zero point's type.
  fileprivate func quantized(_ x: Traced, scale: Int, zero: Int, _ axis: Int) throws -> Traced {
    guard let factor = try spread(scale, over: x, axis: axis) else {
      throw fail("its input \(scale), a scale, is missing")
    }
    var y = x / factor
    if let offset = try spread(zero, over: x, axis: axis) { y = y + offset }
    let stated = Int32(truncatingIfNeeded: int("output_dtype", 0))
    let named =
      node.input.indices.contains(zero) ? importer.options.storedTypes[node.input[zero]] : nil
    let format = TensorFormat(rawValue: named ?? stated) ?? .uint8
    guard let range = format.range else {
      throw fail("it cannot quantise to \(TensorReader.name(format.rawValue))")
    }
    return y.maximum(y.scalar(range.lowerBound)).minimum(y.scalar(range.upperBound))
  }

  /// The second operand of an integer product, less its zero point.
  fileprivate func integerWeight(axis: Int) throws -> Traced {
    let weight = try real(input(1))
    guard isReal(1) else { return try less(weight, zero: 3, axis: axis) }
    guard let factor = try spread(4, over: weight, axis: axis) else {
      throw fail("the scale of its weight is missing")
    }
    return weight / factor
  }

  fileprivate func bias(_ index: Int, scales a: Int, _ b: Int) throws -> Traced {
    let bias = try real(input(index))
    if isReal(index) { return bias }
    let (first, second) = (try real(input(a)), try real(input(b)))
    return bias * float("alpha", 1) * first.reshaped([])
      * (second.shape.count == 1 ? second.reshaped([]) : second)
  }

  fileprivate func pairwise(_ body: (Traced, Traced) -> Traced) throws -> [Traced] {
    let a = try dequantized(0, scale: 1, zero: 2, axis: 0)
    let b = try dequantized(3, scale: 4, zero: 5, axis: 0)
    return [try quantized(body(a, b), scale: 6, zero: 7, 0)]
  }

  fileprivate func unary(_ body: (Traced) -> Traced) throws -> [Traced] {
    [
      try quantized(
        body(dequantized(0, scale: 1, zero: 2, axis: 0)), scale: 3, zero: 4, 0)
    ]
  }
}
