import CLAPACK

/// `A = Q diag(values) Q'` of a dense symmetric matrix, by LAPACK's divide and conquer (`dsyevd`).
///
/// Memory: `dimension²` doubles for the vectors, twice that while it works.
public struct SymmetricEigensystem: Codable, Sendable {
  public let dimension: Int
  /// Ascending eigenvalues.
  public let values: [Double]
  /// Orthonormal eigenvectors, column-major, in the order of `values`; empty if not asked for.
  public let vectors: [Double]

  /// Reads the lower triangle of a full column-major matrix.
  ///
  /// Throws when an entry is NaN or infinite.
  public init(columnMajor matrix: [Double], dimension n: Int, withVectors: Bool = true) throws {
    precondition(n >= 1, "a matrix has at least one row")
    precondition(matrix.count == n * n, "\(matrix.count) entries are not a matrix of \(n) x \(n)")
    try requireFinite(matrix, rows: n)
    var a = matrix
    var w = [Double](repeating: 0, count: n)
    let info = cl_dsyevd(withVectors, Int32(n), &a, &w)
    guard info == 0 else { throw LinearMapError.lapack(routine: "dsyevd", info: Int(info)) }
    if let index = Double.firstNonFinite(n, w) { throw LinearMapError.tooLarge(size: w[index]) }
    dimension = n
    values = w
    vectors = withVectors ? a : []
  }

  /// The eigenvector of `values[index]`.
  public func vector(_ index: Int) -> [Double] {
    precondition(!vectors.isEmpty, "this eigensystem was computed without vectors")
    return Array(vectors[index * dimension..<(index + 1) * dimension])
  }

  /// `n eps |lambda|_max`: eigenvalues nearer to zero than this are not told from zero.
  public var resolution: Double {
    Double(dimension) * Double.ulpOfOne * max(abs(values[0]), abs(values[dimension - 1]))
  }

  /// `lambda_max / lambda_min`, or nil unless every eigenvalue is above `resolution`.
  public var conditionNumber: Double? {
    values[0] > resolution ? values[dimension - 1] / values[0] : nil
  }
}

/// Singular values of a column-major `rows` x `columns` matrix, descending, by LAPACK's `dgesdd`.
///
/// Throws when an entry is NaN or infinite.
public struct SingularValues: Codable, Sendable {
  public let rows: Int
  public let columns: Int
  public let values: [Double]

  public init(columnMajor matrix: [Double], rows m: Int, columns n: Int) throws {
    precondition(m >= 1 && n >= 1, "a matrix has at least one row and one column")
    precondition(matrix.count == m * n, "\(matrix.count) entries are not a matrix of \(m) x \(n)")
    try requireFinite(matrix, rows: m)
    var a = matrix
    var s = [Double](repeating: 0, count: min(m, n))
    let info = cl_dgesdd_values(Int32(m), Int32(n), &a, &s)
    guard info == 0 else { throw LinearMapError.lapack(routine: "dgesdd", info: Int(info)) }
    rows = m
    columns = n
    values = s
  }

  /// `max(m, n) eps sigma_max`: smaller singular values are not told from zero.
  public var resolution: Double { Double(max(rows, columns)) * Double.ulpOfOne * values[0] }

  /// How many singular values lie above `resolution`.
  public var rank: Int { values.count { $0 > resolution } }

  /// `sigma_max / sigma_min`, or nil where the smallest is not told from zero.
  public var conditionNumber: Double? {
    let last = values[values.count - 1]
    return last > resolution ? values[0] / last : nil
  }
}

func requireFinite(_ matrix: [Double], rows: Int) throws {
  if let index = Double.firstNonFinite(matrix.count, matrix) {
    throw LinearMapError.nonFiniteMatrix(row: index % rows, column: index / rows)
  }
}
