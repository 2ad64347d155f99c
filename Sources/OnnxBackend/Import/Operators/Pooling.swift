import TensorPrograms

extension OperatorCatalogue {
  static let pooling: [OperatorRule] = [
    OperatorRule("MaxPool") { node in
      let x = try node.input(0)
      let (window, _) = try node.pool(x)
      let y = x.windowMax(
        sizes: window.sizes, strides: window.strides, low: window.low, high: window.high,
        dilation: window.dilation)
      return node.outputCount > 1 ? [y, try node.maximumPositions(x, window)] : [y]
    },
    OperatorRule("AveragePool") { node in
      let x = try node.floating(0)
      let (window, padding) = try node.pool(x)
      let total = window.sum(x)
      let shares = node.flag("count_include_pad") ? padding : padding.map { _ in (0, 0) }
      let spatial = Array(x.shape.dimensions[2...])
      guard spatial.allSatisfy({ $0 <= 1 << 24 }) else {
        throw node.fail("\(x.shape) is too large to count in")
      }
      let counts = spatial.indices.map { axis in
        window.counts(
          axis, of: spatial[axis], from: -shares[axis].0, to: spatial[axis] + shares[axis].1)
      }
      if counts.allSatisfy({ Set($0).count == 1 }) {
        return [total / counts.reduce(1) { $0 * Double($1[0]) }]
      }
      // The number of entries in a window is a product over the axes.
      return [
        counts.enumerated().reduce(total) { result, factor in
          var shape = result.shape.dimensions.map { _ in 1 }
          shape[factor.offset + 2] = factor.element.count
          let reciprocals = factor.element.map { 1 / Double(max(1, $0)) }
          return result
            * x.builder.constant(
              Tensor(reciprocals, type: TensorType(x.element, Shape(shape))))
        }
      ]
    },
    OperatorRule("LpPool") { node in
      let x = try node.floating(0)
      let (window, _) = try node.pool(x)
      let p = try node.normOrder()
      return [window.sum(x.power(p)).root(p)]
    },
    global("GlobalMaxPool") { _, x, axes in x.max(axes, keepingAxes: true) },
    global("GlobalAveragePool") { _, x, axes in x.mean(axes, keepingAxes: true) },
    global("GlobalLpPool") { node, x, axes in
      let p = try node.normOrder()
      return x.power(p).sum(axes, keepingAxes: true).root(p)
    },
  ]

  /// A reduction over all spatial axes.
  private static func global(
    _ name: String, _ reduce: @escaping @Sendable (NodeContext, Traced, [Int]) throws -> Traced
  ) -> OperatorRule {
    OperatorRule(name) { node in
      let x = name == "GlobalMaxPool" ? try node.input(0) : try node.floating(0)
      guard x.rank > 2, !x.shape.dimensions[2...].contains(0) else {
        throw node.fail("there is no spatial axis to pool in \(x.shape)")
      }
      return [try reduce(node, x, Array(2..<x.rank))]
    }
  }
}

extension NodeContext {
  func floating(_ index: Int) throws -> Traced {
    let value = try input(index)
    guard value.element.isFloating else {
      throw fail("its input \(index) must be floating-point, not \(value.type)")
    }
    return value
  }

  func normOrder() throws -> Int {
    let p = int("p", 2)
    guard (1...64).contains(p) else { throw fail("a norm of order \(p) is none") }
    return p
  }

  /// The pool's window, and the padding before and after each axis that the node itself asks for.
  fileprivate func pool(_ x: Traced) throws -> (Window, padding: [(Int, Int)]) {
    guard x.rank > 2, x.element != .bool, let sizes = ints("kernel_shape"),
      sizes.count == x.rank - 2
    else {
      throw fail(
        "its kernel_shape \(ints("kernel_shape") ?? []) does not fit the input \(x.type)")
    }
    let spatial = Array(x.shape.dimensions[2...])
    let plain = try window(sizes, over: spatial)
    guard zip(plain.low + plain.high, plain.extents + plain.extents).allSatisfy({ $0 < $1 }) else {
      throw fail("its padding is as large as its window")
    }
    return (
      try window(sizes, over: spatial, roundingUp: flag("ceil_mode")),
      Array(zip(plain.low, plain.high))
    )
  }

  /// The index, in all of `x`, of the first maximum of each window.
  fileprivate func maximumPositions(_ x: Traced, _ window: Window) throws -> Traced {
    let spatial = Array(x.shape.dimensions[2...])
    let places = window.positions(spatial)
    let (placeCount, tapCount) = (places.reduce(1, *), window.sizes.reduce(1, *))
    let entries = try shape([placeCount, tapCount])
    guard entries.count <= importer.options.limits.foldedElements else {
      throw fail("the positions of its maxima are too many to tabulate: leave out its output 1")
    }
    let image = Shape(spatial)
    let strides = image.strides
    let isColumnMajor = flag("storage_order")
    let columnStrides = Array(Shape(spatial.reversed()).strides.reversed())
    func coordinates(_ index: Int, _ sizes: [Int]) -> [Int] {
      zip(Shape(sizes).strides, sizes).map { index / $0 % $1 }
    }
    var (read, found, inside): ([Int64], [Int64], [Bool]) = ([], [], [])
    for place in 0..<placeCount {
      let start = coordinates(place, places)
      for tap in 0..<tapCount {
        let step = coordinates(tap, window.sizes)
        let at = spatial.indices.map {
          start[$0] * window.strides[$0] + step[$0] * window.dilation[$0] - window.low[$0]
        }
        let isInside = zip(at, spatial).allSatisfy { $0 >= 0 && $0 < $1 }
        inside.append(isInside)
        read.append(isInside ? Int64(zip(at, strides).reduce(0) { $0 + $1.0 * $1.1 }) : 0)
        let order = isColumnMajor ? columnStrides : strides
        found.append(isInside ? Int64(zip(at, order).reduce(0) { $0 + $1.0 * $1.1 }) : 0)
      }
    }
    func table(_ values: [Int64], _ shape: Shape) -> Traced {
      builder.constant(Tensor(values, shape: shape))
    }
    let planes = x.shape[0] * x.shape[1]
    let taps = x.stopGradient().reshaped([planes, image.count])
      .gather(table(read, entries), axis: 1)
    let lowest: Double =
      x.element.isFloating ? -.infinity : x.element == .int32 ? -2_147_483_648 : -0x1p63
    let first = builder.constant(Tensor(inside, shape: entries))
      .select(taps, x.scalar(lowest)).argMax(axis: 2)
    let row = first.places(along: 1, element: .int64) * Double(tapCount)
    let plane = first.places(along: 0, element: .int64) * Double(image.count)
    return (table(found, [found.count]).gather(row + first, axis: 0) + plane)
      .reshaped(Shape(Array(x.shape.dimensions[..<2]) + places))
  }
}

extension Window {
  fileprivate func sum(_ x: Traced) -> Traced {
    x.windowSum(sizes: sizes, strides: strides, low: low, high: high, dilation: dilation)
  }

  /// How many taps of each place along an axis of `size` entries lie in `first..<end`.
  fileprivate func counts(_ axis: Int, of size: Int, from first: Int, to end: Int) -> [Int] {
    let (stride, step) = (strides[axis], dilation[axis])
    let places = (size + low[axis] + high[axis] - extents[axis]) / stride + 1
    return (0..<places).map { place in
      let start = place * stride - low[axis]
      let before = max(0, (first - start + step - 1) / step)
      let inside = start < end ? min(sizes[axis], (end - 1 - start) / step + 1) : 0
      return max(0, inside - before)
    }
  }
}

extension Traced {
  /// `|x|^p`.
  func power(_ p: Int) -> Traced {
    switch p {
    case 1: abs()
    case 2: square()
    default: abs().power(scalar(Double(p)))
    }
  }

  /// The root of order `p` of values that are not negative, with derivative 0 at 0.
  func root(_ p: Int) -> Traced {
    guard p > 1 else { return self }
    let isZero = compare(.equal, scalar(0))
    let safe = isZero.select(zeros() + 1, self)
    return isZero.select(zeros(), p == 2 ? safe.sqrt() : safe.power(scalar(1 / Double(p))))
  }
}
