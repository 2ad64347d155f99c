/// One operation of a tensor program: a closed set, so that every rule is an exhaustive `switch` and
/// the compiler names the rule that a new primitive still lacks.
///
/// Elementwise primitives take operands of one shape; broadcasting is a primitive of its own.
public enum Primitive: Hashable, Sendable {
  // Elementwise.
  case unary(UnaryFunction)
  case binary(BinaryFunction)
  /// `(a, b) -> bool`
  case compare(Comparison)
  /// `(bool, a, b) -> a where true, b where false`
  case select
  case convert(ElementType)
  /// The identity, with derivative zero.
  case stopGradient

  // Values from nothing.
  case constant(Tensor)
  /// The index along `axis`, in a tensor of the given type.
  case iota(TensorType, axis: Int)

  // Structure; all linear.
  case reshape(Shape)
  /// Result axis `i` is operand axis `permutation[i]`.
  case transpose([Int])
  /// Operand axis `i` becomes result axis `axes[i]` (increasing); other axes repeat. Sizes agree or
  /// the operand's is 1.
  case broadcast(Shape, axes: [Int])
  case slice(start: [Int], limit: [Int], stride: [Int])
  /// Cuts an axis into consecutive pieces: one result each.
  case split(sizes: [Int], axis: Int)
  /// `value` around (`low`, `high`; negative crops) and between (`interior`) elements of each axis.
  case pad(low: [Int], high: [Int], interior: [Int], value: Double)
  case concatenate(axis: Int)
  case reverse([Int])
  /// `(operand, indices)`: takes slices along `axis`; the first `batch` axes of both are shared.
  /// Result: operand axes before `axis`, the indices' own axes, operand axes after `axis`.
  case gather(axis: Int, batch: Int)
  /// `(updates, indices)`: the transpose of `gather` onto zeros with `size` entries along `axis`.
  case scatterAdd(axis: Int, batch: Int, size: Int)

  // Reductions; the axes vanish.
  case reduceSum([Int])
  case reduceMax([Int])

  // Windows over trailing axes.
  /// The maximum in each window; padding never is.
  case windowMax(Window)
  /// The sum over each window; padding is zero.
  case windowSum(Window)

  // Along one axis.
  /// `y_i = x_0 + ... + x_i`, or from the end where `reversed`.
  case cumulativeSum(axis: Int, reversed: Bool)
  /// The int64 index of the first maximum; the axis vanishes.
  case argMax(axis: Int)
  /// The values in order and their int64 positions before; equal ones stay in order, NaN comes last.
  case sort(axis: Int, descending: Bool)

  // Bilinear.
  case dot(DotDimensions)
  case convolution(Convolution)

  // A carried sub-program, applied to the operands.
  case call(Program)
  /// A sub-program applied step after step.
  case scan(Scan)
}

/// Elementwise functions of one operand.
public enum UnaryFunction: String, Hashable, Sendable, CaseIterable {
  case negate, absolute, sign, floor, ceil
  /// To the nearest integer, halves to even.
  case round
  case exp, log
  /// `exp(x) - 1` without cancellation near zero.
  case expm1
  /// `log(1 + x)` without cancellation near zero.
  case log1p
  case sqrt, square, reciprocal
  case sin, cos, tan, asin, acos, atan, sinh, cosh, tanh
  /// `1 / (1 + exp(-x))`
  case sigmoid
  case erf
  /// `max(x, 0)`, with derivative 0 at 0.
  case relu
  /// `log(1 + exp(x))`
  case softplus
  /// Logical negation of a bool.
  case not
}

/// Elementwise functions of two operands of one type.
public enum BinaryFunction: String, Hashable, Sendable, CaseIterable {
  case add, subtract, multiply, divide, power
  /// Ties share the derivative equally.
  case maximum
  /// Ties share the derivative equally.
  case minimum
  /// The remainder with the sign of the dividend, as C's `fmod`.
  case remainder
  case and, or
}

/// Elementwise comparisons; comparisons with NaN are false, `notEqual` true.
public enum Comparison: String, Hashable, Sendable, CaseIterable {
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
}

/// Which axes a general dot product sums over and which it shares.
///
/// The result's axes are the batch axes, the left operand's free axes, the right operand's free axes.
public struct DotDimensions: Hashable, Sendable {
  public var leftContracting: [Int]
  public var rightContracting: [Int]
  public var leftBatch: [Int]
  public var rightBatch: [Int]

  public init(
    contracting left: [Int], _ right: [Int], batch leftBatch: [Int] = [], _ rightBatch: [Int] = []
  ) {
    leftContracting = left
    rightContracting = right
    self.leftBatch = leftBatch
    self.rightBatch = rightBatch
  }

  /// The left operand's axes that are neither summed nor shared, in order.
  public func leftFree(rank: Int) -> [Int] {
    (0..<rank).filter { !leftContracting.contains($0) && !leftBatch.contains($0) }
  }

  /// The right operand's axes that are neither summed nor shared, in order.
  public func rightFree(rank: Int) -> [Int] {
    (0..<rank).filter { !rightContracting.contains($0) && !rightBatch.contains($0) }
  }
}
