import LinearMaps

/// `A + shift I = L L'` of a dense symmetric matrix.
struct CholeskyFactor {
  let dimension: Int
  /// Row-major; above the diagonal is what the matrix had there.
  private var lower: [Double]

  /// Nil where the shifted matrix is not positive to rounding.
  init?(_ matrix: [Double], dimension n: Int, shift: Double) {
    var lower = matrix
    let isPositive = lower.withUnsafeMutableBufferPointer { entries in
      guard let l = entries.baseAddress else { return false }
      for i in 0..<n {
        for j in 0..<i {
          l[i * n + j] = (l[i * n + j] - Double.dot(j, l + i * n, l + j * n)) / l[j * n + j]
        }
        let square = l[i * n + i] + shift - Double.dot(i, l + i * n, l + i * n)
        guard square > 0, square.isFinite else { return false }
        l[i * n + i] = square.squareRoot()
      }
      return true
    }
    guard isPositive else { return nil }
    self.lower = lower
    dimension = n
  }

  /// `(A + shift I)^-1 b`.
  func solve(_ b: [Double]) -> [Double] {
    let n = dimension
    var x = b
    lower.withUnsafeBufferPointer { entries in
      guard let l = entries.baseAddress else { return }
      for i in 0..<n {
        for j in 0..<i { x[i] -= l[i * n + j] * x[j] }
        x[i] /= l[i * n + i]
      }
      for i in (0..<n).reversed() {
        x[i] /= l[i * n + i]
        for j in 0..<i { x[j] -= l[i * n + j] * x[i] }
      }
    }
    return x
  }
}
