import TensorPrograms

extension OperatorCatalogue {
  /// Sums, extremes and norms over axes; running sums; places of extremes; order.
  static let reductions: [OperatorRule] = [
    reduction("ReduceSum", axesFrom: 13) { $0.sum($1, keepingAxes: true) },
    reduction("ReduceMean") { x, axes in
      x.element.isFloating
        ? x.mean(axes, keepingAxes: true)
        : x.sum(axes, keepingAxes: true) / Double(axes.reduce(1) { $0 * x.shape[$1] })
    },
    reduction("ReduceMax") { $0.extreme($1) },
    reduction("ReduceMin") { $0.mirrored.extreme($1).mirrored },
    reduction("ReduceProd") { x, axes in axes.reduce(x) { $0.product(along: $1) } },
    reduction("ReduceL1") { $0.abs().sum($1, keepingAxes: true) },
    reduction("ReduceL2") { x, axes in
      let total = x.converted(to: x.element.isFloating ? x.element : .float64)
        .square().sum(axes, keepingAxes: true)
      return total.root(2).converted(to: x.element)
    },
    reduction("ReduceSumSquare") { $0.square().sum($1, keepingAxes: true) },
    reduction("ReduceLogSum") { $0.sum($1, keepingAxes: true).log() },
    reduction("ReduceLogSumExp") { x, axes in
      guard axes.allSatisfy({ x.shape[$0] > 0 }) else {
        return x.exp().sum(axes, keepingAxes: true).log()
      }
      let largest = x.stopGradient().max(axes, keepingAxes: true)
      let isEndless = largest.abs().compare(.equal, largest.scalar(.infinity))
      let peak = isEndless.select(largest.zeros(), largest)
      return (x - peak).exp().sum(axes, keepingAxes: true).log() + peak
    },
    extremePlace("ArgMax") { $0 },
    extremePlace("ArgMin") { $0.mirrored },
    OperatorRule("TopK", constants: [1]) { node in
      let x = try node.input(0)
      let axis = try node.axis(node.int("axis", -1), rank: x.rank)
      let given = try node.operatorSet < 10 ? node.int("k") : node.integers(1).first
      guard let count = given, (0...x.shape[axis]).contains(count) else {
        throw node.fail("there are no \(given ?? 0) entries along axis \(axis) of \(x.shape)")
      }
      let (values, places) = x.sorted(axis: axis, descending: node.flag("largest", true))
      return [values.slice(axis: axis, 0..<count), places.slice(axis: axis, 0..<count)]
    },
    OperatorRule("CumSum", constants: [1]) { node in
      let x = try node.input(0)
      guard let given = try node.integers(1).first else { throw node.fail("it needs an axis") }
      let axis = try node.axis(given, rank: x.rank)
      let reversed = node.flag("reverse")
      let total = x.cumulativeSum(axis: axis, reversed: reversed)
      guard node.flag("exclusive"), x.shape[axis] > 0 else { return [total] }
      var (low, high) = ([Int](repeating: 0, count: x.rank), [Int](repeating: 0, count: x.rank))
      low[axis] = reversed ? -1 : 1
      high[axis] = -low[axis]
      return node.builder.emit(
        .pad(low: low, high: high, interior: low.map { _ in 0 }, value: 0), [total])
    },
  ]

  /// - Parameter axesFrom: the operator set in which the axes became an input.
  private static func reduction(
    _ name: String, axesFrom: Int = 18,
    _ body: @escaping @Sendable (Traced, [Int]) -> Traced
  ) -> OperatorRule {
    OperatorRule(name, constants: [1]) { node in
      let x = try node.input(0)
      let given =
        try (node.operatorSet < axesFrom ? node.ints("axes") : node.optionalIntegers(1)) ?? []
      if given.isEmpty, node.flag("noop_with_empty_axes") {
        return [body(x, [])]
      }
      let axes = try given.isEmpty ? Array(0..<x.rank) : node.axes(given, rank: x.rank)
      let number = x.element == .bool ? x.converted(to: .int32) : x
      let reduced = body(number, axes)
      let result =
        x.element == .bool ? reduced.compare(.greater, reduced.scalar(0)) : reduced
      let isRank = node.flag("keepdims", true) || result.rank != x.rank
      return [isRank ? result : result.reshaped(x.shape.removing(axes))]
    }
  }

  private static func extremePlace(
    _ name: String, _ order: @escaping @Sendable (Traced) -> Traced
  ) -> OperatorRule {
    OperatorRule(name, constants: OperatorRule.everyInput) { node in
      let x = order(try node.input(0))
      let axis = try node.axis(node.int("axis", 0), rank: x.rank)
      var place = x.argMax(axis: axis)
      if node.flag("select_last_index") {
        place = x.reversed(axes: [axis]).argMax(axis: axis)
        place = place.scalar(Double(x.shape[axis] - 1)) - place
      }
      return [node.flag("keepdims", true) ? place.expanded(at: axis) : place]
    }
  }
}

extension Traced {
  /// The maximum, keeping axes; that of nothing is the lowest number.
  fileprivate func extreme(_ axes: [Int]) -> Traced {
    if axes.allSatisfy({ shape[$0] > 0 }) { return max(axes, keepingAxes: true) }
    var kept = shape
    for axis in axes { kept[axis] = 1 }
    return builder.full(element.lowest, TensorType(element, kept))
  }

  /// In the opposite order: the negative, of integers `-1 - x`, which none of them is too low for.
  var mirrored: Traced { element.isFloating ? -self : scalar(-1) - self }

  /// The product along an axis, which stays with size 1: pairs, then pairs of pairs, so that the
  /// derivative needs no quotient.
  func product(along axis: Int) -> Traced {
    var factors = self
    while factors.shape[axis] > 1 {
      let count = factors.shape[axis]
      let half = count / 2
      let pairs =
        factors.slice(axis: axis, 0..<half) * factors.slice(axis: axis, half..<(2 * half))
      factors =
        count % 2 == 0
        ? pairs : .concatenate([pairs, factors.slice(axis: axis, (count - 1)..<count)], axis: axis)
    }
    guard factors.shape[axis] == 0 else { return factors }
    var kept = shape
    kept[axis] = 1
    return builder.full(1, TensorType(element, kept))
  }
}

extension ElementType {
  /// What no number is below.
  var lowest: Double {
    switch self {
    case .float32, .float64: -.infinity
    case .int32: Double(Int32.min)
    case .int64: Double(Int64.min)
    case .bool: 0
    }
  }
}
