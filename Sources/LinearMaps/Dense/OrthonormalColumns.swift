/// Orthonormal columns in `dimension` reals, held column-major.
struct OrthonormalColumns<Scalar: LinearMapScalar>: Sendable {
  let dimension: Int
  private(set) var entries: [Scalar]

  var count: Int { entries.count / dimension }

  init(dimension: Int, capacity: Int = 0) {
    self.dimension = dimension
    entries = []
    entries.reserveCapacity(dimension * capacity)
  }

  /// Columns that are orthonormal already.
  init(orthonormal entries: [Scalar], dimension: Int) {
    self.dimension = dimension
    self.entries = entries
  }

  func column(_ index: Int) -> [Scalar] {
    Array(entries[index * dimension..<(index + 1) * dimension])
  }

  /// Adds the direction of `x` orthogonal to the columns; false where nothing but rounding is left.
  ///
  /// Classical Gram-Schmidt, repeated until nothing cancels any more.
  mutating func append(_ x: [Scalar]) -> Bool {
    var x = x
    let n = dimension
    let start = Scalar.nrm2(n, x)
    guard start > 0, start.isFinite else { return false }
    rescale(&x, norm: start)
    var total = 1.0
    for pass in 0..<5 {
      project(&x)
      let norm = Scalar.nrm2(n, x)
      total *= norm
      guard total > 4 * Double(Scalar.ulpOfOne) else { return false }
      rescale(&x, norm: norm)
      if pass > 0, norm > 0.7 { break }
    }
    entries += x
    return true
  }

  /// `x = Q h + norm q`: adds the direction `q` of `x` orthogonal to the columns, unless no more than
  /// `level` is left of `x`.
  ///
  /// Classical Gram-Schmidt, repeated while something cancels. What a pass leaves is not rescaled, since
  /// `norm` and the coefficients are those of `x`; rounding of its size stays in them.
  mutating func append(
    _ x: [Scalar], level: Double
  ) -> (coefficients: [Double], norm: Double, isNew: Bool) {
    var x = x
    let n = dimension
    var coefficients = [Double](repeating: 0, count: count)
    var norm = Scalar.nrm2(n, x)
    for _ in 0..<5 where count > 0 {
      let before = norm
      project(&x) { index, h in coefficients[index] += Double(h) }
      norm = Scalar.nrm2(n, x)
      if norm > 0.7 * before || norm <= level { break }
    }
    guard norm > level, count < dimension else { return (coefficients, norm, false) }
    Scalar.scal(n, Scalar(1 / norm), &x)
    entries += x
    return (coefficients, norm, true)
  }

  /// `x = x - Q Q'x`; `visit` sees the entries of `Q'x`.
  func project(_ x: inout [Scalar], visit: (Int, Scalar) -> Void = { _, _ in }) {
    x.withUnsafeMutableBufferPointer { project($0.baseAddress!, visit: visit) }
  }

  func project(_ x: UnsafeMutablePointer<Scalar>, visit: (Int, Scalar) -> Void = { _, _ in }) {
    guard count > 0 else { return }
    entries.withUnsafeBufferPointer { q in
      withUnsafeTemporaryAllocation(of: Scalar.self, capacity: count) { h in
        h.initialize(repeating: 0)
        Scalar.gemv(
          transposed: true, rows: dimension, columns: count, alpha: 1, q.baseAddress!,
          lda: dimension, x, beta: 0, h.baseAddress!)
        Scalar.gemv(
          transposed: false, rows: dimension, columns: count, alpha: -1, q.baseAddress!,
          lda: dimension, h.baseAddress!, beta: 1, x)
        for index in 0..<count { visit(index, h[index]) }
      }
    }
  }

  // A loop over a generic number is tens of times slower.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  private func rescale(_ x: inout [Scalar], norm: Double) {
    for i in x.indices { x[i] = Scalar(Double(x[i]) / norm) }
  }
}

/// `op(A) B` for column-major `A` (of `rows` rows) and `B`.
func matrixProduct<Scalar: LinearMapScalar>(
  _ a: [Scalar], transposed: Bool = false, rows: Int, _ b: [Scalar], columns: Int
) -> [Scalar] {
  let width = a.count / rows
  let (m, k) = transposed ? (width, rows) : (rows, width)
  precondition(b.count == k * columns, "the factors of a matrix product do not fit")
  var c = [Scalar](repeating: 0, count: m * columns)
  guard !c.isEmpty, k > 0 else { return c }
  Scalar.gemm(
    transposedA: transposed, transposedB: false, m: m, n: columns, k: k, alpha: 1, a, lda: rows, b,
    ldb: k, beta: 0, &c, ldc: m)
  return c
}
