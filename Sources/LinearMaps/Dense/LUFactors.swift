import CLAPACK

/// `A = P L U` of a dense square matrix, by LAPACK's `dgetrf`.
package struct LUFactors: Sendable {
  package let dimension: Int
  private let factors: [Double]
  private let pivots: [Int32]

  /// - Parameter matrix: column-major.
  /// - Returns: nil where the matrix is singular, or an entry is not finite.
  package init?(columnMajor matrix: [Double], dimension n: Int) {
    precondition(n >= 1, "a matrix has at least one row")
    precondition(matrix.count == n * n, "\(matrix.count) entries are not a matrix of \(n) x \(n)")
    // Not every LAPACK stops at a NaN.
    guard matrix.allSatisfy(\.isFinite) else { return nil }
    var a = matrix
    var exchanges = [Int32](repeating: 0, count: n)
    guard cl_dgetrf(Int32(n), &a, &exchanges) == 0 else { return nil }
    (dimension, factors, pivots) = (n, a, exchanges)
  }

  /// `A^-1 b`, or `A'^-1 b`.
  package func solve(_ b: [Double], transposed: Bool = false) -> [Double] {
    precondition(b.count == dimension, "a right-hand side of \(b.count) meets \(dimension) rows")
    var x = b
    let info = cl_dgetrs(transposed, Int32(dimension), factors, pivots, &x)
    precondition(info == 0, "dgetrs refused its argument \(-info)")
    return x
  }
}
