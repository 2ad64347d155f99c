import CLAPACK

/// `T = S diag(values) S'` of a symmetric tridiagonal matrix, by LAPACK's `dstevd`.
public struct TridiagonalEigensystem: Codable, Sendable {
  /// What to keep of the orthonormal eigenvectors `s_i`.
  public enum Vectors: String, Codable, Sendable {
    case none
    /// Their first and last components: what Gauss quadrature and residual norms need.
    case ends
    /// All of them, and the ends.
    case all
  }

  /// Ascending eigenvalues.
  public let values: [Double]
  /// First components, one per eigenvalue; empty when not asked for.
  public let first: [Double]
  /// Last components, one per eigenvalue; empty when not asked for.
  public let last: [Double]
  /// All vectors, column-major; empty when not asked for.
  public let vectors: [Double]

  public var dimension: Int { values.count }

  /// Takes the `n` diagonal entries and the `n - 1` beside them.
  ///
  /// Throws when an entry is NaN or infinite.
  public init(diagonal: [Double], offDiagonal: [Double], vectors kept: Vectors) throws {
    let n = diagonal.count
    precondition(n >= 1, "a matrix has at least one row")
    precondition(
      offDiagonal.count == n - 1,
      "\(offDiagonal.count) off-diagonal entries do not go with \(n) diagonal ones")
    if let row = Double.firstNonFinite(n, diagonal) {
      throw LinearMapError.nonFiniteMatrix(row: row, column: row)
    }
    if let row = Double.firstNonFinite(n - 1, offDiagonal) {
      throw LinearMapError.nonFiniteMatrix(row: row, column: row + 1)
    }
    var d = diagonal
    var e = offDiagonal + [0]
    var z = [Double](repeating: 0, count: kept == .none ? 1 : n * n)
    let info = cl_dstevd(kept != .none, Int32(n), &d, &e, &z)
    guard info == 0 else { throw LinearMapError.lapack(routine: "dstevd", info: Int(info)) }
    if let index = Double.firstNonFinite(n, d) { throw LinearMapError.tooLarge(size: d[index]) }
    values = d
    first = kept == .none ? [] : (0..<n).map { z[$0 * n] }
    last = kept == .none ? [] : (0..<n).map { z[$0 * n + n - 1] }
    vectors = kept == .all ? z : []
  }
}
