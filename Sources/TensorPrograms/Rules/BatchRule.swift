/// A value under `vmap`: where `isBatched`, axis 0 runs over the batch.
struct Batched {
  var value: Traced
  var isBatched: Bool

  /// The value with a batch axis of `size`, by repetition where it has none.
  func batched(_ size: Int) -> Traced {
    isBatched
      ? value
      : value.broadcast(
        to: value.shape.inserting(size, at: 0), axes: (0..<value.rank).map { $0 + 1 })
  }
}

extension Primitive {
  /// The results for operands of which at least one is batched.
  func batch(_ x: [Batched], size: Int) -> [Batched] {
    func next(_ axes: [Int]) -> [Int] { axes.map { $0 + 1 } }
    func results(_ primitive: Primitive, _ operands: [Traced]) -> [Batched] {
      operands[0].builder.emit(primitive, operands).map { Batched(value: $0, isBatched: true) }
    }
    let all = { x.map { $0.batched(size) } }

    switch self {
    case .unary, .binary, .compare, .select, .convert, .stopGradient:
      return results(self, all())
    case .constant, .iota:
      preconditionFailure("\(name) has no operand to be batched")
    case .reshape(let shape):
      return results(.reshape(shape.inserting(size, at: 0)), all())
    case .transpose(let permutation):
      return results(.transpose([0] + next(permutation)), all())
    case .broadcast(let shape, let axes):
      return results(.broadcast(shape.inserting(size, at: 0), axes: [0] + next(axes)), all())
    case .slice(let start, let limit, let stride):
      return results(.slice(start: [0] + start, limit: [size] + limit, stride: [1] + stride), all())
    case .split(let sizes, let axis):
      return results(.split(sizes: sizes, axis: axis + 1), all())
    case .pad(let low, let high, let interior, let value):
      return results(
        .pad(low: [0] + low, high: [0] + high, interior: [0] + interior, value: value), all())
    case .concatenate(let axis):
      return results(.concatenate(axis: axis + 1), all())
    case .reverse(let axes):
      return results(.reverse(next(axes)), all())
    case .reduceSum(let axes):
      return results(.reduceSum(next(axes)), all())
    case .reduceMax(let axes):
      return results(.reduceMax(next(axes)), all())
    case .windowMax, .windowSum:
      return results(self, all())
    case .cumulativeSum(let axis, let reversed):
      return results(.cumulativeSum(axis: axis + 1, reversed: reversed), all())
    case .argMax(let axis):
      return results(.argMax(axis: axis + 1), all())
    case .sort(let axis, let descending):
      return results(.sort(axis: axis + 1, descending: descending), all())
    case .convolution(let convolution):
      return [Batched(value: convolution.batch(x, size: size), isBatched: true)]
    case .call(let body):
      return results(.call(body.vmap(batched: x.map(\.isBatched), size: size)), x.map(\.value))
    case .scan(let scan):
      return scan.batch(x, size: size)

    case .gather(let axis, let batch):
      let (operand, indices) = (x[0], x[1])
      if batch == 0, !indices.isBatched {
        return results(.gather(axis: axis + 1, batch: 0), [operand.value, indices.value])
      }
      if batch == 0, !operand.isBatched {
        let taken = operand.value.gather(indices.value, axis: axis)
        let order = [axis] + (0..<taken.rank).filter { $0 != axis }
        return [Batched(value: taken.transposed(order), isBatched: true)]
      }
      return results(.gather(axis: axis + 1, batch: batch + 1), all())

    case .scatterAdd(let axis, let batch, let entries):
      if batch == 0, !x[1].isBatched {
        return results(
          .scatterAdd(axis: axis + 1, batch: 0, size: entries), [x[0].value, x[1].value])
      }
      return results(.scatterAdd(axis: axis + 1, batch: batch + 1, size: entries), all())

    case .dot(let dimensions):
      // A batch that only the left operand has is one more free axis: one large product. Otherwise the
      // other operand is repeated, which executors need not carry out.
      if x[0].isBatched, !x[1].isBatched, dimensions.leftBatch.isEmpty {
        return results(
          .dot(
            DotDimensions(
              contracting: next(dimensions.leftContracting), dimensions.rightContracting)),
          [x[0].value, x[1].value])
      }
      return results(
        .dot(
          DotDimensions(
            contracting: next(dimensions.leftContracting), next(dimensions.rightContracting),
            batch: [0] + next(dimensions.leftBatch), [0] + next(dimensions.rightBatch))),
        all())
    }
  }
}
