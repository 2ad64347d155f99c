/// The general dot product: operands brought to `[batch, m, k]` and `[batch, k, n]`, then multiplied.
func dot(_ left: Tensor, _ right: Tensor, _ dimensions: DotDimensions, shape: Shape) -> Tensor {
  let leftFree = dimensions.leftFree(rank: left.shape.rank)
  let rightFree = dimensions.rightFree(rank: right.shape.rank)
  let a = arranged(left, dimensions.leftBatch + leftFree + dimensions.leftContracting)
  let b = arranged(right, dimensions.rightBatch + dimensions.rightContracting + rightFree)
  let batch = dimensions.leftBatch.map { left.shape[$0] }.reduce(1, *)
  let m = leftFree.map { left.shape[$0] }.reduce(1, *)
  let k = dimensions.leftContracting.map { left.shape[$0] }.reduce(1, *)
  let n = rightFree.map { right.shape[$0] }.reduce(1, *)
  switch a.storage {
  case .float32(let values):
    return Tensor(product(values, Float.values(of: b), batch, m, k, n), shape: shape)
  case .float64(let values):
    return Tensor(product(values, Double.values(of: b), batch, m, k, n), shape: shape)
  case .int32, .int64, .bool: preconditionFailure("dot of \(left.type)")
  }
}

private func arranged(_ operand: Tensor, _ axes: [Int]) -> Tensor {
  axes == Array(0..<axes.count) ? operand : transposed(operand, axes)
}

private func product<T: InterpreterReal>(
  _ a: [T], _ b: [T], _ batch: Int, _ m: Int, _ k: Int, _ n: Int
) -> [T] {
  var c = [T](repeating: 0, count: batch * m * n)
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      c.withUnsafeMutableBufferPointer { c in
        guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
        for sample in 0..<batch {
          for i in 0..<m {
            let row = c + (sample * m + i) * n
            for j in 0..<k {
              let factor = a[(sample * m + i) * k + j]
              let source = b + (sample * k + j) * n
              for l in 0..<n { row[l] += factor * source[l] }
            }
          }
        }
      }
    }
  }
  return c
}
