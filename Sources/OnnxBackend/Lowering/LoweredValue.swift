import TensorPrograms

/// A program's variable as it stands in the ONNX graph: perhaps not yet broadcast or transposed.
///
/// Broadcasting and transposing cost a pass over memory, and ONNX's operators can often do without:
/// elementwise ones broadcast by themselves, matrix products take transposed operands. So both stay
/// pending here until an operator needs the elements laid out.
struct LoweredValue {
  /// The ONNX value.
  var name: String
  /// Its sizes in ONNX. Sizes of 1 may stand anywhere and mean nothing.
  var dimensions: [Int]
  /// Which axis of the variable each size above 1 is, in order. An axis of the variable with more
  /// than one entry that is missing here is a pending broadcast; an order that does not increase
  /// is a pending transposition.
  var axes: [Int]

  /// The sizes above 1: those of `axes`.
  var sizes: [Int] { dimensions.filter { $0 != 1 } }
}

/// The part of lowering that settles what is pending.
extension ProgramLowering {
  /// The same elements with the named axes in this order: a transposition unless they are already.
  mutating func arranged(_ value: LoweredValue, _ order: [Int]) -> LoweredValue {
    if value.axes == order { return value }
    let squeezed = viewed(value, value.sizes)
    let permutation = order.map { value.axes.firstIndex(of: $0)! }
    let key = "transpose \(squeezed.name) \(permutation)"
    let name = cached(key) {
      $0.node("Transpose", [squeezed.name], ["perm": .ints(permutation)])
    }
    return LoweredValue(
      name: name, dimensions: permutation.map { squeezed.dimensions[$0] }, axes: order)
  }

  /// The same elements under other sizes of equal count; the axes are kept.
  mutating func viewed(_ value: LoweredValue, _ dimensions: [Int]) -> LoweredValue {
    if value.dimensions == dimensions { return value }
    let name = cached("reshape \(value.name) \(dimensions)") {
      $0.node("Reshape", [value.name, $0.integers(dimensions)])
    }
    return LoweredValue(name: name, dimensions: dimensions, axes: value.axes)
  }

  /// Every element present, axes in whatever order they are.
  mutating func materialised(_ value: LoweredValue, _ shape: Shape) -> LoweredValue {
    let missing = shape.dimensions.indices.filter { shape[$0] > 1 && !value.axes.contains($0) }
    if missing.isEmpty { return value }
    let order = Self.merged(value.axes, with: missing)
    let aligned = aligned(value, to: order, shape)
    let sizes = order.map { shape[$0] }
    let name = cached("expand \(aligned.name) \(sizes)") {
      $0.node("Expand", [aligned.name, $0.integers(sizes)])
    }
    return LoweredValue(name: name, dimensions: sizes, axes: order)
  }

  /// Every element present, in row-major order, under the variable's own sizes.
  mutating func exact(_ value: LoweredValue, _ shape: Shape) -> LoweredValue {
    let full = materialised(value, shape)
    return viewed(arranged(full, full.axes.sorted()), shape.dimensions)
  }

  /// Laid out for ONNX's trailing-axis broadcasting against `order`: size 1 for an axis that is
  /// missing, leading ones as they come. The value's own axes must be a subsequence of `order`.
  mutating func aligned(_ value: LoweredValue, to order: [Int], _ shape: Shape) -> LoweredValue {
    let wanted = order.map { value.axes.contains($0) ? shape[$0] : 1 }
    let trimmed = Array(wanted.drop { $0 == 1 })
    if Array(value.dimensions.drop { $0 == 1 }) == trimmed, value.dimensions.count <= order.count {
      return value
    }
    return viewed(value, trimmed)
  }

  /// Operands of one shape, laid out so that ONNX's broadcasting combines them.
  mutating func aligned(
    _ values: [LoweredValue], _ shape: Shape
  ) -> (values: [LoweredValue], order: [Int]) {
    let withAxes = values.filter { !$0.axes.isEmpty }
    if let first = withAxes.first,
      withAxes.allSatisfy({ $0.axes == first.axes && $0.dimensions == first.dimensions }),
      values.allSatisfy({ !$0.axes.isEmpty || $0.dimensions.count <= first.dimensions.count })
    {
      return (values, first.axes)
    }
    // The operand with most axes keeps its order, a row-major one before others.
    let leader = values.max { left, right in
      let (a, b) = (left.axes, right.axes)
      return (a.count, a == a.sorted() ? 1 : 0) < (b.count, b == b.sorted() ? 1 : 0)
    }!
    let others = Set(values.flatMap(\.axes)).subtracting(leader.axes).sorted()
    let order = Self.merged(leader.axes, with: others)
    return (
      values.map { value in
        aligned(arranged(value, order.filter(value.axes.contains)), to: order, shape)
      }, order
    )
  }

  /// `order` with each of `others` put before the first greater axis.
  static func merged(_ order: [Int], with others: [Int]) -> [Int] {
    var result = order
    for axis in others {
      result.insert(axis, at: result.firstIndex { $0 > axis } ?? result.count)
    }
    return result
  }

  /// The sizes that ONNX's broadcasting gives.
  static func broadcast(_ values: [LoweredValue]) -> [Int] {
    let rank = values.map(\.dimensions.count).max() ?? 0
    var result = [Int](repeating: 1, count: rank)
    for value in values {
      let offset = rank - value.dimensions.count
      for (axis, size) in value.dimensions.enumerated() where size != 1 {
        result[offset + axis] = size
      }
    }
    return result
  }
}
