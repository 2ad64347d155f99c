import CLAPACK

/// `A + shift I = L L'` of a dense symmetric matrix, by LAPACK's `dpotrf`.
package struct CholeskyFactor: Sendable {
  package let dimension: Int
  /// Column-major; above the diagonal is what the matrix had there.
  private let lower: [Double]

  /// Reads the lower triangle of a full column-major matrix; nil where the shifted matrix is not positive
  /// to rounding, or an entry is not finite.
  package init?(columnMajor matrix: [Double], dimension n: Int, shift: Double = 0) {
    precondition(n >= 1, "a matrix has at least one row")
    precondition(matrix.count == n * n, "\(matrix.count) entries are not a matrix of \(n) x \(n)")
    var a = matrix
    for i in 0..<n { a[i * n + i] += shift }
    // Not every LAPACK stops at a NaN.
    guard cl_dpotrf(Int32(n), &a) == 0, (0..<n).allSatisfy({ a[$0 * n + $0].isFinite })
    else { return nil }
    dimension = n
    lower = a
  }

  /// `(A + shift I)^-1 b`.
  package func solve(_ b: [Double]) -> [Double] {
    precondition(b.count == dimension, "a right-hand side of \(b.count) meets \(dimension) rows")
    var x = b
    let info = cl_dpotrs(Int32(dimension), lower, &x)
    precondition(info == 0, "dpotrs refused its argument \(-info)")
    return x
  }
}
