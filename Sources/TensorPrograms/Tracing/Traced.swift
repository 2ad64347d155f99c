/// A value of a program under construction: operators and functions on it append equations.
///
/// Shapes broadcast along trailing axes as in NumPy; element types must be equal. An operation that
/// does not fit is reported by `Program.trace`.
public struct Traced {
  public let builder: ProgramBuilder
  public let variable: Program.Variable

  public var type: TensorType { builder.type(of: variable) }
  public var shape: Shape { type.shape }
  public var element: ElementType { type.element }
  public var rank: Int { shape.rank }

  func emit(_ primitive: Primitive, _ others: Traced...) -> Traced {
    builder.emit(primitive, [self] + others)[0]
  }

  /// `self` and `other` broadcast to their common shape.
  private func aligned(with other: Traced, for name: String) -> (Traced, Traced) {
    guard let shape = shape.broadcast(with: other.shape) else {
      builder.record(
        .mismatch("\(name) cannot broadcast the shapes \(self.shape) and \(other.shape) together"))
      return (self, self)
    }
    return (broadcast(to: shape), other.broadcast(to: shape))
  }

  public func binary(_ function: BinaryFunction, _ other: Traced) -> Traced {
    let (a, b) = aligned(with: other, for: function.rawValue)
    return a.emit(.binary(function), b)
  }

  public func unary(_ function: UnaryFunction) -> Traced { emit(.unary(function)) }

  public func compare(_ comparison: Comparison, _ other: Traced) -> Traced {
    let (a, b) = aligned(with: other, for: comparison.rawValue)
    return a.emit(.compare(comparison), b)
  }

  /// Where `self` (bool) holds, `then`, else `otherwise`.
  public func select(_ then: Traced, _ otherwise: Traced) -> Traced {
    let (first, _) = then.aligned(with: otherwise, for: "select")
    let (condition, a) = aligned(with: first, for: "select")
    let (b, _) = otherwise.aligned(with: a, for: "select")
    return condition.emit(.select, a, b)
  }

  /// A scalar constant of this value's element type.
  public func scalar(_ value: Double) -> Traced {
    builder.constant(Tensor(scalar: value, element))
  }

  public func zeros() -> Traced { builder.full(0, type) }
}

extension Traced {
  public static func + (a: Traced, b: Traced) -> Traced { a.binary(.add, b) }
  public static func - (a: Traced, b: Traced) -> Traced { a.binary(.subtract, b) }
  public static func * (a: Traced, b: Traced) -> Traced { a.binary(.multiply, b) }
  public static func / (a: Traced, b: Traced) -> Traced { a.binary(.divide, b) }
  public static prefix func - (a: Traced) -> Traced { a.unary(.negate) }

  public static func + (a: Traced, b: Double) -> Traced { a + a.scalar(b) }
  public static func - (a: Traced, b: Double) -> Traced { a - a.scalar(b) }
  public static func * (a: Traced, b: Double) -> Traced { a * a.scalar(b) }
  public static func / (a: Traced, b: Double) -> Traced { a / a.scalar(b) }
  public static func + (a: Double, b: Traced) -> Traced { b.scalar(a) + b }
  public static func - (a: Double, b: Traced) -> Traced { b.scalar(a) - b }
  public static func * (a: Double, b: Traced) -> Traced { b.scalar(a) * b }
  public static func / (a: Double, b: Traced) -> Traced { b.scalar(a) / b }
}

extension Traced {
  public func exp() -> Traced { unary(.exp) }
  public func log() -> Traced { unary(.log) }
  public func sqrt() -> Traced { unary(.sqrt) }
  public func square() -> Traced { unary(.square) }
  public func reciprocal() -> Traced { unary(.reciprocal) }
  public func abs() -> Traced { unary(.absolute) }
  public func sign() -> Traced { unary(.sign) }
  public func sin() -> Traced { unary(.sin) }
  public func cos() -> Traced { unary(.cos) }
  public func tanh() -> Traced { unary(.tanh) }
  public func sigmoid() -> Traced { unary(.sigmoid) }
  public func relu() -> Traced { unary(.relu) }
  public func softplus() -> Traced { unary(.softplus) }
  public func erf() -> Traced { unary(.erf) }

  /// The exact Gaussian error linear unit `x (1 + erf(x / sqrt 2)) / 2`.
  public func gelu() -> Traced { self * ((self * 0.5.squareRoot()).erf() + 1) * 0.5 }

  public func power(_ other: Traced) -> Traced { binary(.power, other) }
  public func maximum(_ other: Traced) -> Traced { binary(.maximum, other) }
  public func minimum(_ other: Traced) -> Traced { binary(.minimum, other) }

  public func converted(to element: ElementType) -> Traced {
    element == self.element ? self : emit(.convert(element))
  }

  /// The same value, taken as a constant by every derivative.
  public func stopGradient() -> Traced { emit(.stopGradient) }
}

extension Traced {
  public func reshaped(_ shape: Shape) -> Traced {
    shape == self.shape ? self : emit(.reshape(shape))
  }

  /// Result axis `i` is this value's axis `permutation[i]`; reversed axes by default.
  public func transposed(_ permutation: [Int]? = nil) -> Traced {
    let permutation = permutation ?? (0..<rank).reversed()
    return permutation == Array(0..<rank) ? self : emit(.transpose(permutation))
  }

  /// With the axis `from` in the place `to`, the others in order.
  package func movingAxis(_ from: Int, to: Int) -> Traced {
    // A single number has no axis to move.
    guard from != to else { return self }
    var order = Array(0..<rank)
    order.insert(order.remove(at: from), at: to)
    return transposed(order)
  }

  /// Repeats along leading axes and axes of size 1, trailing axes aligned.
  public func broadcast(to shape: Shape) -> Traced {
    broadcast(to: shape, axes: (0..<rank).map { $0 + shape.rank - rank })
  }

  /// Puts axis `i` at `axes[i]` of `shape` and repeats along the others.
  public func broadcast(to shape: Shape, axes: [Int]) -> Traced {
    shape == self.shape ? self : emit(.broadcast(shape, axes: axes))
  }

  /// With a new axis of size 1 at `axis`.
  public func expanded(at axis: Int) -> Traced { reshaped(shape.inserting(1, at: axis)) }

  /// Elements `range` of `axis`.
  public func slice(axis: Int, _ range: Range<Int>) -> Traced {
    var (start, limit) = ([Int](repeating: 0, count: rank), shape.dimensions)
    start[axis] = range.lowerBound
    limit[axis] = range.upperBound
    return emit(.slice(start: start, limit: limit, stride: .init(repeating: 1, count: rank)))
  }

  public func split(sizes: [Int], axis: Int) -> [Traced] {
    builder.emit(.split(sizes: sizes, axis: axis), [self])
  }

  public func reversed(axes: [Int]) -> Traced { emit(.reverse(axes)) }

  public static func concatenate(_ parts: [Traced], axis: Int) -> Traced {
    parts[0].builder.emit(.concatenate(axis: axis), parts)[0]
  }

  /// Slices along `axis` at `indices`; the first `batch` axes of both are shared.
  public func gather(_ indices: Traced, axis: Int, batch: Int = 0) -> Traced {
    emit(.gather(axis: axis, batch: batch), indices)
  }

  /// Adds these updates into zeros with `size` entries along `axis`, at `indices`.
  public func scatterAdd(_ indices: Traced, axis: Int, size: Int, batch: Int = 0) -> Traced {
    emit(.scatterAdd(axis: axis, batch: batch, size: size), indices)
  }
}

extension Traced {
  /// The sum over `axes` (all by default), which vanish unless `keepingAxes`.
  public func sum(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Traced {
    reduced(axes, keepingAxes) { .reduceSum($0) }
  }

  /// The maximum over `axes` (all by default), which vanish unless `keepingAxes`.
  public func max(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Traced {
    reduced(axes, keepingAxes) { .reduceMax($0) }
  }

  private func reduced(_ axes: [Int]?, _ keep: Bool, _ primitive: ([Int]) -> Primitive) -> Traced {
    let axes = axes ?? Array(0..<rank)
    guard !axes.isEmpty else { return self }
    var kept = shape
    for axis in axes where kept.dimensions.indices.contains(axis) { kept[axis] = 1 }
    let result = emit(primitive(axes))
    return keep ? result.reshaped(kept) : result
  }

  /// The mean over `axes` (all by default).
  public func mean(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Traced {
    let axes = axes ?? Array(0..<rank)
    let count = axes.reduce(1) { $0 * shape[$1] }
    return sum(axes, keepingAxes: keepingAxes) * (1 / Double(count))
  }

  /// `log(sum(exp(x)))` over one axis, shifted by the maximum so that nothing overflows.
  public func logSumExp(axis: Int, keepingAxes: Bool = false) -> Traced {
    let peak = stopGradient().max([axis], keepingAxes: true)
    let total = (self - peak).exp().sum([axis], keepingAxes: true).log() + peak
    return keepingAxes ? total : total.reshaped(shape.removing([axis]))
  }

  public func logSoftmax(axis: Int) -> Traced { self - logSumExp(axis: axis, keepingAxes: true) }

  public func softmax(axis: Int) -> Traced {
    let peak = stopGradient().max([axis], keepingAxes: true)
    let powers = (self - peak).exp()
    return powers / powers.sum([axis], keepingAxes: true)
  }

  public func dot(_ other: Traced, _ dimensions: DotDimensions) -> Traced {
    emit(.dot(dimensions), other)
  }

  /// The matrix product over the last axis of `self` and the last but one of `other` (the only one of
  /// a vector); leading axes of two higher-rank operands are shared.
  public func matmul(_ other: Traced) -> Traced {
    guard rank > 0, other.rank > 0 else {
      builder.record(.mismatch("matmul cannot take \(shape) and \(other.shape): scalars"))
      return self
    }
    let shared = rank > 2 && other.rank > 2 ? Array(0..<(Swift.min(rank, other.rank) - 2)) : []
    return dot(
      other,
      DotDimensions(contracting: [rank - 1], [Swift.max(0, other.rank - 2)], batch: shared, shared))
  }
}
