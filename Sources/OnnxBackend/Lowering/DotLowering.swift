import TensorPrograms

/// The general dot product. What is pending on the operands is folded in: a transposed operand becomes
/// a flag of the product, a batch axis that one operand lacks becomes a free axis of the other, and
/// the result's axes stay in the order in which the product yields them.
extension ProgramLowering {
  /// An operand with its axes named alike on both sides: results' axes by their position in the
  /// result, contracted axes by negative numbers.
  private struct Factor {
    var value: LoweredValue
    var labels: [Int] { value.axes }

    /// The axes in three runs: shared ones, then the rest as it stands.
    func rest(after shared: [Int]) -> [Int]? {
      labels.starts(with: shared) ? Array(labels.dropFirst(shared.count)) : nil
    }
  }

  mutating func dot(
    _ operands: [LoweredValue], _ types: [TensorType], _ dimensions: DotDimensions,
    _ result: TensorType, leading: Int?
  ) -> LoweredValue {
    if types[0].shape.count == 0 || types[1].shape.count == 0 {
      return uniform(0, result.element)
    }
    let batch = dimensions.leftBatch.count
    let leftFree = dimensions.leftFree(rank: types[0].shape.rank)
    let rightFree = dimensions.rightFree(rank: types[1].shape.rank)
    func labels(_ contracting: [Int], _ shared: [Int], _ free: [Int], _ offset: Int) -> [Int: Int] {
      var labels: [Int: Int] = [:]
      for (index, axis) in contracting.enumerated() { labels[axis] = -1 - index }
      for (index, axis) in shared.enumerated() { labels[axis] = index }
      for (index, axis) in free.enumerated() { labels[axis] = offset + index }
      return labels
    }
    var left = operands[0]
    var right = operands[1]
    // A contracted axis must be there on both sides.
    if dimensions.leftContracting.contains(where: { isPending($0, left, types[0].shape) }) {
      left = materialised(left, types[0].shape)
    }
    if dimensions.rightContracting.contains(where: { isPending($0, right, types[1].shape) }) {
      right = materialised(right, types[1].shape)
    }
    let leftLabels = labels(
      dimensions.leftContracting, dimensions.leftBatch, leftFree, batch)
    let rightLabels = labels(
      dimensions.rightContracting, dimensions.rightBatch, rightFree, batch + leftFree.count)
    left.axes = left.axes.map { leftLabels[$0]! }
    right.axes = right.axes.map { rightLabels[$0]! }
    // A batch axis that only the right factor really has leads the result all the same.
    let alone = right.axes.first.flatMap { $0 >= 0 && $0 < batch ? $0 : nil }
    return product(Factor(value: left), Factor(value: right), leading ?? alone)
  }

  private func isPending(_ axis: Int, _ value: LoweredValue, _ shape: Shape) -> Bool {
    shape[axis] > 1 && !value.axes.contains(axis)
  }

  private mutating func product(
    _ left: Factor, _ right: Factor, _ leading: Int?
  ) -> LoweredValue {
    let common = Set(left.labels).intersection(right.labels)
    let shared = left.labels.filter { $0 >= 0 && common.contains($0) }
    let contracted = left.labels.filter { $0 < 0 }
    let leftFree = left.labels.filter { !common.contains($0) }
    let rightFree = right.labels.filter { !common.contains($0) }
    if contracted.isEmpty { return outerProduct(left, right, shared, leftFree, rightFree) }
    if !shared.isEmpty, leftFree.isEmpty, rightFree.isEmpty {
      return innerProducts(left, right, shared, contracted)
    }
    if shared.isEmpty {
      if let value = interleaved(left, right, leftFree, rightFree) { return value }
      if let leading,
        let value = led(by: leading, left, right, leftFree, rightFree, contracted)
      {
        return value
      }
    }
    return matrixProduct(left, right, shared, leftFree, rightFree)
  }

  // MARK: Shapes of products

  /// Nothing is contracted: a multiplication with broadcasting.
  private mutating func outerProduct(
    _ left: Factor, _ right: Factor, _ shared: [Int], _ leftFree: [Int], _ rightFree: [Int]
  ) -> LoweredValue {
    let a = arranged(left.value, shared + leftFree)
    let b = arranged(right.value, shared + rightFree)
    let sharedSizes = Array(a.sizes.prefix(shared.count))
    let leftSizes = Array(a.sizes.dropFirst(shared.count))
    let rightSizes = Array(b.sizes.dropFirst(shared.count))
    let x = viewed(a, sharedSizes + leftSizes + rightSizes.map { _ in 1 })
    let ySizes = sharedSizes + leftSizes.map { _ in 1 } + rightSizes
    let y = viewed(b, Array(ySizes.drop { $0 == 1 }))
    return LoweredValue(
      name: builder.node("Mul", [x.name, y.name]),
      dimensions: sharedSizes + leftSizes + rightSizes, axes: shared + leftFree + rightFree)
  }

  /// One number per shared entry: a sum of elementwise products beats many products of vectors.
  private mutating func innerProducts(
    _ left: Factor, _ right: Factor, _ shared: [Int], _ contracted: [Int]
  ) -> LoweredValue {
    let a = arranged(left.value, shared + contracted)
    let b = arranged(right.value, shared + contracted)
    let x = viewed(a, a.sizes)
    let y = viewed(b, b.sizes)
    let products = builder.node("Mul", [x.name, y.name])
    let axes = builder.integers(Array(shared.count..<(shared.count + contracted.count)))
    return LoweredValue(
      name: builder.node("ReduceSum", [products, axes], ["keepdims": .int(0)]),
      dimensions: Array(x.dimensions.prefix(shared.count)), axes: shared)
  }

  /// A factor whose contracted axes stand between its free ones, `[n1, k, n2]` against `[m, k]`: a
  /// product per entry of n1, without moving the elements. Nil where neither factor is like that.
  private mutating func interleaved(
    _ left: Factor, _ right: Factor, _ leftFree: [Int], _ rightFree: [Int]
  ) -> LoweredValue? {
    if let (outer, inner, contracted) = Self.sandwich(right.labels, rightFree),
      let (a, transposed) = matrix(left, [], leftFree, contracted, freeFirst: true)
    {
      let b = viewed(right.value, grouped(right.value, [outer, contracted, inner]))
      return assembled(
        "FusedMatMul", a.name, transposed, b.name, false,
        groups: [(outer, right.value), (leftFree, left.value), (inner, right.value)])
    }
    if let (outer, inner, contracted) = Self.sandwich(left.labels, leftFree),
      let (b, transposed) = matrix(right, [], rightFree, contracted, freeFirst: false)
    {
      let a = viewed(left.value, grouped(left.value, [outer, contracted, inner]))
      return assembled(
        "FusedMatMul", a.name, true, b.name, transposed,
        groups: [(outer, left.value), (inner, left.value), (rightFree, right.value)])
    }
    return nil
  }

  /// A right factor `[n1, n2, k]` whose axis n1 comes first in the result: a product per entry of n1
  /// puts it there at once; for `[n1, k]` the factors change places. Nil for any other factor.
  private mutating func led(
    by leading: Int, _ left: Factor, _ right: Factor, _ leftFree: [Int], _ rightFree: [Int],
    _ contracted: [Int]
  ) -> LoweredValue? {
    let rest = Array(rightFree.dropFirst())
    if rightFree == [leading] { return matrixProduct(right, left, [], rightFree, leftFree) }
    guard right.labels == [leading] + rest + contracted,
      let (a, transposed) = matrix(left, [], leftFree, contracted, freeFirst: true)
    else { return nil }
    let b = viewed(right.value, grouped(right.value, [[leading], rest, contracted]))
    return assembled(
      "FusedMatMul", a.name, transposed, b.name, true,
      groups: [([leading], right.value), (leftFree, left.value), (rest, right.value)])
  }

  /// Free axes, contracted axes, free axes: the two runs of free axes and the contracted one.
  private static func sandwich(
    _ labels: [Int], _ free: [Int]
  ) -> (outer: [Int], inner: [Int], contracted: [Int])? {
    guard let first = labels.firstIndex(where: { $0 < 0 }),
      let last = labels.lastIndex(where: { $0 < 0 }),
      first > 0, last < labels.count - 1, labels[first...last].allSatisfy({ $0 < 0 })
    else { return nil }
    return (
      Array(labels[..<first]), Array(labels[(last + 1)...]), Array(labels[first...last])
    )
  }

  private mutating func matrixProduct(
    _ left: Factor, _ right: Factor, _ shared: [Int], _ leftFree: [Int], _ rightFree: [Int]
  ) -> LoweredValue {
    // Of the two orders in which the contracted axes may run, take one that spares a transposition.
    let orders = [left.labels.filter { $0 < 0 }, right.labels.filter { $0 < 0 }]
    let contracted =
      orders.max { first, second in
        fits(left, right, shared, leftFree, rightFree, first)
          < fits(left, right, shared, leftFree, rightFree, second)
      }!
    let (a, transA) =
      matrix(left, shared, leftFree, contracted, freeFirst: true)
      ?? forced(left, shared + leftFree + contracted, shared, leftFree, contracted)
    let (b, transB) =
      matrix(right, shared, rightFree, contracted, freeFirst: false)
      ?? forced(right, shared + contracted + rightFree, shared, contracted, rightFree)
    return assembled(
      shared.isEmpty ? "Gemm" : "FusedMatMul", a.name, transA, b.name, transB,
      groups: [(shared, left.value), (leftFree, left.value), (rightFree, right.value)])
  }

  private func fits(
    _ left: Factor, _ right: Factor, _ shared: [Int], _ leftFree: [Int], _ rightFree: [Int],
    _ contracted: [Int]
  ) -> Int {
    (Self.runs(left, shared, leftFree, contracted) == nil ? 0 : 1)
      + (Self.runs(right, shared, rightFree, contracted) == nil ? 0 : 1)
  }

  // MARK: Operands as matrices

  /// Whether the free axes come first, or nil if the factor is not shared, free and contracted axes
  /// in runs.
  private static func runs(
    _ factor: Factor, _ shared: [Int], _ free: [Int], _ contracted: [Int]
  ) -> Bool? {
    guard let rest = factor.rest(after: shared) else { return nil }
    return rest == free + contracted ? true : rest == contracted + free ? false : nil
  }

  /// The factor as a matrix per shared entry, and whether the product must transpose it.
  private mutating func matrix(
    _ factor: Factor, _ shared: [Int], _ free: [Int], _ contracted: [Int], freeFirst: Bool
  ) -> (LoweredValue, transposed: Bool)? {
    guard let isFreeFirst = Self.runs(factor, shared, free, contracted) else { return nil }
    let groups = shared.isEmpty ? [] : [shared]
    let matrix = isFreeFirst ? [free, contracted] : [contracted, free]
    return (
      viewed(factor.value, grouped(factor.value, groups + matrix)), isFreeFirst != freeFirst
    )
  }

  private mutating func forced(
    _ factor: Factor, _ order: [Int], _ shared: [Int], _ rows: [Int], _ columns: [Int]
  ) -> (LoweredValue, transposed: Bool) {
    let value = arranged(factor.value, order)
    let groups = shared.isEmpty ? [] : [shared]
    return (viewed(value, grouped(value, groups + [rows, columns])), false)
  }

  /// One size per group of axes.
  private func grouped(_ value: LoweredValue, _ groups: [[Int]]) -> [Int] {
    groups.map { group in group.reduce(1) { $0 * size($1, value) } }
  }

  private func size(_ axis: Int, _ value: LoweredValue) -> Int {
    value.sizes[value.axes.firstIndex(of: axis)!]
  }

  private mutating func assembled(
    _ operation: String, _ a: String, _ transA: Bool, _ b: String, _ transB: Bool,
    groups: [(axes: [Int], value: LoweredValue)]
  ) -> LoweredValue {
    let isGemm = operation == "Gemm"
    let isPlain = !isGemm && !transA && !transB
    let name =
      isPlain
      ? builder.node("MatMul", [a, b])
      : builder.node(
        operation, [a, b], ["transA": .int(transA ? 1 : 0), "transB": .int(transB ? 1 : 0)],
        domain: isGemm ? "" : "com.microsoft")
    // A Gemm has no shared axes: its result is the matrix of the last two groups.
    let used = isGemm ? Array(groups.dropFirst()) : groups
    let axes = used.flatMap(\.axes)
    let sizes = used.flatMap { group in group.axes.map { size($0, group.value) } }
    let matrix = LoweredValue(
      name: name, dimensions: used.map { group in grouped(group.value, [group.axes])[0] },
      axes: [])
    let needsView = used.contains { $0.axes.count > 1 }
    let value = needsView ? viewed(matrix, sizes) : matrix
    let result = LoweredValue(name: value.name, dimensions: value.dimensions, axes: axes)
    if !isPlain {
      self[openProduct: result] = OpenProduct(
        nodes: needsView ? [result.name, name] : [name], takesFactor: true,
        matrix: isGemm ? used.map(\.axes) : nil, sizes: matrix.dimensions)
    }
    return result
  }
}
