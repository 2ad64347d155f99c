/// A small square system, by Gaussian elimination with partial pivoting.
struct DenseSystem {
  private var factors: [Double]
  private var order: [Int]
  private let size: Int

  /// - Parameter matrix: row-major.
  /// - Returns: nil where it is singular.
  init?(_ matrix: [Double], size n: Int) {
    var (a, order) = (matrix, Array(0..<n))
    var isSingular = false
    a.withUnsafeMutableBufferPointer { a in
      for column in 0..<n {
        let pivot = (column..<n).max { abs(a[$0 * n + column]) < abs(a[$1 * n + column]) }!
        guard abs(a[pivot * n + column]) > 0, a[pivot * n + column].isFinite else {
          isSingular = true
          return
        }
        if pivot != column {
          for index in 0..<n { a.swapAt(pivot * n + index, column * n + index) }
          order.swapAt(pivot, column)
        }
        for row in column + 1..<n {
          let factor = a[row * n + column] / a[column * n + column]
          a[row * n + column] = factor
          guard factor != 0 else { continue }
          for index in column + 1..<n { a[row * n + index] -= factor * a[column * n + index] }
        }
      }
    }
    guard !isSingular else { return nil }
    (factors, self.order, size) = (a, order, n)
  }

  func solve(_ right: [Double]) -> [Double] {
    var x = order.map { right[$0] }
    for row in 0..<size {
      for column in 0..<row { x[row] -= factors[row * size + column] * x[column] }
    }
    for row in (0..<size).reversed() {
      for column in row + 1..<size { x[row] -= factors[row * size + column] * x[column] }
      x[row] /= factors[row * size + row]
    }
    return x
  }
}
