/// An operand of an equation that is transposed: either a value, or linear in what is transposed.
enum TransposeOperand {
  case known(Traced)
  case linear(TensorType)

  var type: TensorType {
    switch self {
    case .known(let value): value.type
    case .linear(let type): type
    }
  }

  var value: Traced? {
    if case .known(let value) = self { value } else { nil }
  }
}

extension Primitive {
  /// The cotangents of the linear operands, given those of the results (nil: zero).
  ///
  /// For `y = A x` this is `A' c`; known operands get nil.
  /// - Precondition: the primitive is linear in the operands marked so.
  func transpose(_ operands: [TransposeOperand], _ cotangents: [Traced?]) -> [Traced?] {
    guard let c = cotangents.compactMap({ $0 }).first else { return operands.map { _ in nil } }
    let from = operands.first?.type ?? c.type
    switch self {
    case .unary(.negate):
      return [-c]

    case .binary(let function):
      switch (function, operands[0].value, operands[1].value) {
      case (.add, let a, let b): return [a == nil ? c : nil, b == nil ? c : nil]
      case (.subtract, let a, let b): return [a == nil ? c : nil, b == nil ? -c : nil]
      case (.multiply, nil, let b?): return [c * b, nil]
      case (.multiply, let a?, nil): return [nil, c * a]
      case (.divide, nil, let b?): return [c / b, nil]
      default: break
      }

    case .select:
      let condition = operands[0].value!
      return [
        nil, operands[1].value == nil ? condition.select(c, c.zeros()) : nil,
        operands[2].value == nil ? condition.select(c.zeros(), c) : nil,
      ]

    case .convert:
      return [c.converted(to: from.element)]

    case .reshape:
      return [c.reshaped(from.shape)]

    case .transpose(let permutation):
      return [c.transposed(permutation.indices.map { permutation.firstIndex(of: $0)! })]

    case .broadcast(let shape, let axes):
      let repeated = (0..<shape.rank).filter { axis in
        guard let source = axes.firstIndex(of: axis) else { return true }
        return from.shape[source] == 1 && shape[axis] != 1
      }
      return [c.sum(repeated).reshaped(from.shape)]

    case .slice(let start, _, let stride):
      return [c.unsliced(to: from.shape, start: start, stride: stride)]

    case .split(let sizes, let axis):
      let parts = zip(sizes, cotangents).map { size, part in
        var shape = from.shape
        shape[axis] = size
        return part ?? c.builder.full(0, TensorType(from.element, shape))
      }
      return [Traced.concatenate(parts, axis: axis)]

    case .pad(let low, let high, let interior, let value):
      precondition(value == 0, "padding with \(value) is not linear")
      let widened = zip(low, high).contains { $0 != 0 || $1 != 0 }
      let zeros = [Int](repeating: 0, count: low.count)
      let cropped =
        widened
        ? c.emit(.pad(low: low.map { -$0 }, high: high.map { -$0 }, interior: zeros, value: 0)) : c
      guard interior.contains(where: { $0 != 0 }) else { return [cropped] }
      return [
        cropped.emit(
          .slice(start: zeros, limit: cropped.shape.dimensions, stride: interior.map { $0 + 1 }))
      ]

    case .concatenate(let axis):
      let parts = c.split(sizes: operands.map { $0.type.shape[axis] }, axis: axis)
      return zip(operands, parts).map { $0.value == nil ? $1 : nil }

    case .reverse:
      return [c.emit(self)]

    case .gather(let axis, let batch):
      return [
        c.scatterAdd(operands[1].value!, axis: axis, size: from.shape[axis], batch: batch), nil,
      ]

    case .scatterAdd(let axis, let batch, _):
      return [c.gather(operands[1].value!, axis: axis, batch: batch), nil]

    case .reduceSum(let axes):
      let kept = (0..<from.shape.rank).filter { !axes.contains($0) }
      return [c.broadcast(to: from.shape, axes: kept)]

    case .dot(let dimensions):
      switch (operands[0].value, operands[1].value) {
      case (nil, let right?):
        return [dimensions.leftCotangent(c, right, leftRank: from.shape.rank), nil]
      case (let left?, nil):
        return [
          nil,
          dimensions.rightCotangent(c, left, rightRank: operands[1].type.shape.rank),
        ]
      default: break
      }

    case .windowSum(let window):
      return [window.sumCotangent(c, from)]

    case .cumulativeSum(let axis, let reversed):
      return [c.emit(.cumulativeSum(axis: axis, reversed: !reversed))]

    case .convolution(let convolution):
      return convolution.transpose(operands, c)

    case .call(let body):
      let linear = operands.map { $0.value == nil }
      let transposed = body.transposed(linear: linear)
      let seeds = zip(body.outputTypes, cotangents).compactMap { type, cotangent in
        type.element.isFloating ? cotangent ?? c.builder.full(0, type) : nil
      }
      var results = c.builder.emit(
        .call(transposed), operands.compactMap(\.value) + seeds)[...]
      return linear.map { $0 ? results.removeFirst() : nil }

    case .scan(let scan):
      return scan.transpose(operands, cotangents)

    case .unary, .compare, .stopGradient, .constant, .iota, .reduceMax, .windowMax, .argMax,
      .sort:
      break
    }
    preconditionFailure("\(name) is not linear in the operands to transpose")
  }
}

extension Traced {
  /// Puts the elements back where a slice of `shape` took them, zeros elsewhere.
  fileprivate func unsliced(to shape: Shape, start: [Int], stride: [Int]) -> Traced {
    var (low, high, interior) = (start, start, start)
    for axis in 0..<rank {
      let count = self.shape[axis]
      guard count > 0 else { return builder.full(0, TensorType(element, shape)) }
      interior[axis] = stride[axis] - 1
      high[axis] = shape[axis] - start[axis] - ((count - 1) * stride[axis] + 1)
    }
    low = start
    return emit(.pad(low: low, high: high, interior: interior, value: 0))
  }
}

extension DotDimensions {
  /// For `y = dot(left, right)` and the cotangent `c` of `y`, that of `left`.
  fileprivate func leftCotangent(_ c: Traced, _ right: Traced, leftRank: Int) -> Traced {
    let (leftFree, rightFree) = (leftFree(rank: leftRank), rightFree(rank: right.rank))
    let batch = Array(leftBatch.indices)
    let rightAxes = rightFree.indices.map { batch.count + leftFree.count + $0 }
    // What remains: batch axes, the left's free axes, the right's contracting axes in their order.
    let remaining = rightContracting.sorted()
    let product = c.dot(
      right, DotDimensions(contracting: rightAxes, rightFree, batch: batch, rightBatch))
    let order =
      leftBatch + leftFree
      + remaining.map { leftContracting[rightContracting.firstIndex(of: $0)!] }
    return product.transposed((0..<leftRank).map { order.firstIndex(of: $0)! })
  }

  /// For `y = dot(left, right)` and the cotangent `c` of `y`, that of `right`.
  fileprivate func rightCotangent(_ c: Traced, _ left: Traced, rightRank: Int) -> Traced {
    let (leftFree, rightFree) = (leftFree(rank: left.rank), rightFree(rank: rightRank))
    let batch = Array(leftBatch.indices)
    let leftAxes = leftFree.indices.map { batch.count + $0 }
    // What remains: batch axes, the left's contracting axes in their order, the right's free axes.
    let remaining = leftContracting.sorted()
    let product = left.dot(
      c, DotDimensions(contracting: leftFree, leftAxes, batch: leftBatch, batch))
    let order =
      rightBatch + remaining.map { rightContracting[leftContracting.firstIndex(of: $0)!] }
      + rightFree
    return product.transposed((0..<rightRank).map { order.firstIndex(of: $0)! })
  }
}
