extension Primitive {
  /// The types of the results for operands of the given types.
  ///
  /// - Throws: `ProgramError.mismatch`, naming the primitive and the offending types.
  public func resultTypes(_ operands: [TensorType]) throws -> [TensorType] {
    func fail(_ why: String) -> ProgramError {
      let types = operands.map(\.description).joined(separator: " and ")
      return .mismatch("\(text) cannot take \(types.isEmpty ? "no operands" : types): \(why)")
    }
    func expect(_ count: Int) throws {
      guard operands.count == count else { throw fail("it takes \(count) operands") }
    }
    func require(_ condition: Bool, _ why: @autoclosure () -> String) throws {
      guard condition else { throw fail(why()) }
    }

    switch self {
    case .unary(let function):
      try expect(1)
      let element = operands[0].element
      switch function {
      case .not: try require(element == .bool, "it needs a bool")
      case .negate, .absolute, .sign, .square, .relu:
        try require(element != .bool, "it needs numbers")
      case .floor, .ceil, .round, .exp, .log, .expm1, .log1p, .sqrt, .reciprocal, .sin, .cos, .tan,
        .asin, .acos, .atan, .sinh, .cosh, .tanh, .sigmoid, .erf, .softplus:
        try require(element.isFloating, "it needs floating-point numbers")
      }
      return operands

    case .binary(let function):
      try expect(2)
      try require(operands[0] == operands[1], "the types must be equal")
      switch function {
      case .and, .or: try require(operands[0].element == .bool, "it needs bools")
      case .add, .subtract, .multiply, .divide, .power, .maximum, .minimum, .remainder:
        try require(operands[0].element != .bool, "it needs numbers")
      }
      return [operands[0]]

    case .compare:
      try expect(2)
      try require(operands[0] == operands[1], "the types must be equal")
      return [TensorType(.bool, operands[0].shape)]

    case .select:
      try expect(3)
      try require(operands[0].element == .bool, "the first operand must be bool")
      try require(operands[1] == operands[2], "both branches must have one type")
      try require(operands[0].shape == operands[1].shape, "the shapes must be equal")
      return [operands[1]]

    case .convert(let element):
      try expect(1)
      return [TensorType(element, operands[0].shape)]

    case .stopGradient:
      try expect(1)
      return operands

    case .constant(let value):
      try expect(0)
      return [value.type]

    case .iota(let type, let axis):
      try expect(0)
      try require(type.shape.dimensions.indices.contains(axis), "there is no axis \(axis)")
      try require(type.element != .bool, "it counts in numbers")
      return [type]

    case .reshape(let shape):
      try expect(1)
      try require(shape.count == operands[0].shape.count, "the element counts differ")
      return [TensorType(operands[0].element, shape)]

    case .transpose(let permutation):
      try expect(1)
      try require(
        permutation.sorted() == Array(0..<operands[0].shape.rank),
        "\(permutation) is not a permutation of its axes")
      return [
        TensorType(operands[0].element, Shape(permutation.map { operands[0].shape[$0] }))
      ]

    case .broadcast(let shape, let axes):
      try expect(1)
      let from = operands[0].shape
      try require(axes.count == from.rank, "it names \(axes.count) axes")
      try require(zip(axes, axes.dropFirst()).allSatisfy { $0 < $1 }, "the axes must increase")
      for (axis, target) in axes.enumerated() {
        try require(
          shape.dimensions.indices.contains(target)
            && (from[axis] == shape[target] || from[axis] == 1),
          "axis \(axis) does not fit \(shape)")
      }
      return [TensorType(operands[0].element, shape)]

    case .slice(let start, let limit, let stride):
      try expect(1)
      let from = operands[0].shape
      try require(
        start.count == from.rank && limit.count == from.rank && stride.count == from.rank,
        "it needs \(from.rank) bounds")
      var sizes: [Int] = []
      for axis in 0..<from.rank {
        try require(
          0 <= start[axis] && start[axis] <= limit[axis] && limit[axis] <= from[axis]
            && stride[axis] >= 1, "the bounds of axis \(axis) do not fit")
        sizes.append((limit[axis] - start[axis] + stride[axis] - 1) / stride[axis])
      }
      return [TensorType(operands[0].element, Shape(sizes))]

    case .split(let sizes, let axis):
      try expect(1)
      let from = operands[0].shape
      try require(from.dimensions.indices.contains(axis), "there is no axis \(axis)")
      try require(
        sizes.allSatisfy { $0 >= 0 } && sizes.reduce(0, +) == from[axis],
        "the sizes do not add up to axis \(axis)")
      return sizes.map { size in
        var shape = from
        shape[axis] = size
        return TensorType(operands[0].element, shape)
      }

    case .pad(let low, let high, let interior, _):
      try expect(1)
      let from = operands[0].shape
      try require(
        low.count == from.rank && high.count == from.rank && interior.count == from.rank,
        "it needs \(from.rank) widths")
      try require(operands[0].element != .bool, "it needs numbers")
      var sizes: [Int] = []
      for axis in 0..<from.rank {
        try require(interior[axis] >= 0, "an interior width is negative")
        let size =
          low[axis] + high[axis] + from[axis] + max(0, from[axis] - 1) * interior[axis]
        try require(size >= 0, "axis \(axis) would have a negative size")
        sizes.append(size)
      }
      return [TensorType(operands[0].element, Shape(sizes))]

    case .concatenate(let axis):
      try require(!operands.isEmpty, "it needs at least one")
      var shape = operands[0].shape
      try require(shape.dimensions.indices.contains(axis), "there is no axis \(axis)")
      for operand in operands.dropFirst() {
        try require(
          operand.element == operands[0].element && operand.shape.rank == shape.rank
            && operand.shape.removing([axis]) == shape.removing([axis]),
          "all but axis \(axis) must agree")
        shape[axis] += operand.shape[axis]
      }
      return [TensorType(operands[0].element, shape)]

    case .reverse(let axes):
      try expect(1)
      try require(isSetOfAxes(axes, of: operands[0].shape), "\(axes) are not its axes")
      return operands

    case .gather(let axis, let batch):
      try expect(2)
      let (from, indices) = (operands[0].shape, operands[1].shape)
      try require(
        operands[1].element == .int32 || operands[1].element == .int64, "indices are integers")
      try require(
        batch <= axis && axis < from.rank && batch <= indices.rank
          && from.dimensions.prefix(batch) == indices.dimensions.prefix(batch),
        "the shared leading axes do not fit")
      let shape =
        from.dimensions[..<axis] + indices.dimensions[batch...] + from.dimensions[(axis + 1)...]
      return [TensorType(operands[0].element, Shape(Array(shape)))]

    case .scatterAdd(let axis, let batch, let size):
      try expect(2)
      let (updates, indices) = (operands[0].shape, operands[1].shape)
      try require(
        operands[1].element == .int32 || operands[1].element == .int64, "indices are integers")
      try require(operands[0].element != .bool, "it adds numbers")
      let own = indices.rank - batch
      try require(
        size >= 0 && batch <= axis && own >= 0 && axis + own <= updates.rank
          && updates.dimensions.prefix(batch) == indices.dimensions.prefix(batch)
          && Array(updates.dimensions[axis..<(axis + own)]) == Array(indices.dimensions[batch...]),
        "the updates do not fit the indices")
      let shape =
        updates.dimensions[..<axis] + [size] + updates.dimensions[(axis + own)...]
      return [TensorType(operands[0].element, Shape(Array(shape)))]

    case .reduceSum(let axes), .reduceMax(let axes):
      try expect(1)
      try require(operands[0].element != .bool, "it needs numbers")
      try require(isSetOfAxes(axes, of: operands[0].shape), "\(axes) are not its axes")
      if case .reduceMax = self {
        try require(
          axes.allSatisfy { operands[0].shape[$0] > 0 }, "there is no maximum of nothing")
      }
      return [TensorType(operands[0].element, operands[0].shape.removing(axes))]

    case .dot(let dimensions):
      try expect(2)
      let (left, right) = (operands[0].shape, operands[1].shape)
      try require(operands[0].element == operands[1].element, "the element types differ")
      try require(operands[0].element.isFloating, "it needs floating-point numbers")
      try require(
        dimensions.leftContracting.count == dimensions.rightContracting.count
          && dimensions.leftBatch.count == dimensions.rightBatch.count
          && isSetOfAxes(dimensions.leftContracting + dimensions.leftBatch, of: left)
          && isSetOfAxes(dimensions.rightContracting + dimensions.rightBatch, of: right),
        "the axes do not exist or repeat")
      for (a, b) in zip(
        dimensions.leftContracting + dimensions.leftBatch,
        dimensions.rightContracting + dimensions.rightBatch)
      {
        try require(
          left[a] == right[b],
          "axis \(a) of the left has \(left[a]) entries and axis \(b) of the right has \(right[b])")
      }
      let shape =
        dimensions.leftBatch.map { left[$0] }
        + dimensions.leftFree(rank: left.rank).map { left[$0] }
        + dimensions.rightFree(rank: right.rank).map { right[$0] }
      return [TensorType(operands[0].element, Shape(shape))]

    case .windowMax(let window):
      try expect(1)
      return [try window.resultType(operands[0], isMaximum: true).get()]

    case .windowSum(let window):
      try expect(1)
      return [try window.resultType(operands[0], isMaximum: false).get()]

    case .cumulativeSum(let axis, _):
      try expect(1)
      try require(operands[0].element != .bool, "it adds numbers")
      try require(operands[0].shape.dimensions.indices.contains(axis), "there is no axis \(axis)")
      return operands

    case .argMax(let axis), .sort(let axis, _):
      try expect(1)
      let shape = operands[0].shape
      try require(operands[0].element != .bool, "it compares numbers")
      try require(shape.dimensions.indices.contains(axis), "there is no axis \(axis)")
      if case .sort = self { return [operands[0], TensorType(.int64, shape)] }
      try require(shape[axis] > 0, "there is no maximum of nothing")
      return [TensorType(.int64, shape.removing([axis]))]

    case .convolution(let convolution):
      try expect(2)
      return [try convolution.resultType(operands[0], operands[1]).get()]

    case .call(let body):
      try require(body.inputTypes == operands, "the sub-program takes \(body.inputTypes)")
      return body.outputTypes

    case .scan(let scan):
      return try scan.resultTypes(operands, fail: fail)
    }
  }
}

private func isSetOfAxes(_ axes: [Int], of shape: Shape) -> Bool {
  Set(axes).count == axes.count && axes.allSatisfy(shape.dimensions.indices.contains)
}
