/// The quadratic `f(x) = scale/2 ||A x - b||^2` taken apart along the eigenvectors of `scale A'A`, from
/// the matrix itself in double-double arithmetic, so that nothing is lost by squaring it.
///
/// With `A = U S V'` an eigenvalue is `scale sigma^2` and descent along it can gain
/// `scale/2 (u'(A x0 - b))^2`; both come out to nearly full relative accuracy while the condition number
/// of `A`, its columns scaled to one size, stays below some 1e20, hence that of `A'A` below 1e40
/// whatever the sizes of the columns. A column that the others make up to `1e-28` of its size counts as
/// dependent.
///
/// Reference: Golub and Van Loan, *Matrix Computations* (2013), sections 5.4 (QR with pivoting) and 8.6
/// (one-sided Jacobi); Drmač and Veselić, "New fast and accurate Jacobi SVD algorithm" (2008), for
/// Jacobi on the rows of the pivoted triangle.
package struct LeastSquaresModes: Sendable {
  package struct Mode: Sendable, Equatable {
    package let eigenvalue: Double
    /// What descent can gain along this direction, `(v'g)^2 / (2 eigenvalue)`.
    package let gap: Double
    /// The eigenvector, a number per column of `A`.
    package let vector: [Double]
  }

  package let columnCount: Int
  /// The directions of positive curvature, sharpest first; the other `columnCount - modes.count` have
  /// none.
  package let modes: [Mode]
  /// `min f`.
  package let minimum: Double

  private let scale: Double
  /// Rows of the triangle, in the original order of the columns.
  private let triangle: [[DoubleDouble]]
  private let solution: [DoubleDouble]

  package var rank: Int { modes.count }
  /// `f(x0) - min f`.
  package var initialGap: Double { modes.reduce(0) { $0 + $1.gap } }
  /// All eigenvalues, sharpest first, with the zeros.
  package var eigenvalues: [Double] {
    modes.map(\.eigenvalue) + [Double](repeating: 0, count: columnCount - rank)
  }

  /// The most work, in rows times squared columns, and the most columns that are worth the arithmetic.
  package static func affords(rows: Int, columns: Int) -> Bool {
    columns <= 150 && Double(rows) * Double(columns) * Double(columns) <= 1.5e8
  }

  /// - Parameters:
  ///   - columns: of `A`; all of one length.
  ///   - residual: `A x0 - b`.
  ///   - start: `x0`.
  ///   - sizes: per column, the size that it is compared with when its independence is judged, where
  ///     another column's rounding weighs more than its own; nil for its own length.
  /// - Returns: nil where squares of the entries overflow or vanish, or an entry is not finite.
  package init?(
    columns: [[DoubleDouble]], residual: [DoubleDouble], start: [Double], scale: Double,
    sizes: [Double]? = nil
  ) {
    let n = columns.count
    precondition(n == start.count, "\(start.count) parameters for \(n) columns")
    let peaks = (columns + [residual]).map { $0.reduce(0) { max($0, abs($1.hi)) } }
    guard peaks.allSatisfy({ $0 == 0 || ($0 < 1e140 && $0 > 1e-140) }),
      (columns + [residual]).allSatisfy({ $0.allSatisfy { $0.hi.isFinite } }), scale > 0
    else { return nil }
    let factor = PivotedFactor(columns, residual, sizes: sizes)
    var rows = factor.rows
    var slopes = factor.slopes
    Self.diagonalise(&rows, &slopes)

    let unit = DoubleDouble(scale)
    var modes: [Mode] = []
    var solution = start.map { DoubleDouble($0) }
    for (row, slope) in zip(rows, slopes) {
      let square = Self.dot(row, row)
      let length = square.squareRoot()
      let eigenvalue = (unit * square).value
      let gap = (unit * slope * slope).value / 2
      guard eigenvalue > 1e-290, eigenvalue < 1e290, (2 * eigenvalue * gap).isFinite else {
        return nil
      }
      modes.append(
        Mode(eigenvalue: eigenvalue, gap: gap, vector: row.map { ($0 / length).value }))
      let step = slope / square
      for index in 0..<n { solution[index] -= step * row[index] }
    }
    columnCount = n
    self.modes = modes.sorted { $0.eigenvalue > $1.eigenvalue }
    minimum = (unit * factor.rest).value / 2
    self.scale = scale
    triangle = factor.rows
    self.solution = solution
  }

  /// `f(x) - min f`, without the rounding of a difference of losses.
  package func gap(at x: [Double]) -> Double {
    let offset = zip(x, solution).map { DoubleDouble($0) - $1 }
    return triangle.reduce(0) { sum, row in
      let entry = Self.dot(row, offset).value
      return sum + scale / 2 * entry * entry
    }
  }

  /// The gap at a point relative to the start's; nil where the start has none.
  package func relativeGap(at x: [Double]) -> Double? {
    initialGap > 0 ? gap(at: x) / initialGap : nil
  }

  /// The minimiser nearest to the start, rounded.
  package var minimiser: [Double] { solution.map(\.value) }

  fileprivate static func dot(_ a: [DoubleDouble], _ b: [DoubleDouble]) -> DoubleDouble {
    var sum = DoubleDouble.zero
    for index in a.indices { sum += a[index] * b[index] }
    return sum
  }

  /// One-sided Jacobi: rotates vectors in pairs until all are orthogonal, `slopes` along with them.
  private static func diagonalise(_ vectors: inout [[DoubleDouble]], _ slopes: inout [DoubleDouble])
  {
    let count = vectors.count
    guard count > 1 else { return }
    for _ in 0..<40 {
      var isDone = true
      for p in 0..<count - 1 {
        for q in p + 1..<count {
          let (a, b) = (dot(vectors[p], vectors[p]), dot(vectors[q], vectors[q]))
          let c = dot(vectors[p], vectors[q])
          guard abs(c.hi) > 1e-29 * a.hi.squareRoot() * b.hi.squareRoot() else { continue }
          isDone = false
          let zeta = (b - a) / (DoubleDouble(2) * c)
          let root = zeta.magnitude + (DoubleDouble.one + zeta * zeta).squareRoot()
          // Beyond the square root of the largest double the angle is 1 / (2 zeta) to rounding.
          let tangent =
            abs(zeta.hi) > 1e150 ? DoubleDouble(0.5) / zeta.magnitude : DoubleDouble.one / root
          let t = zeta.hi < 0 ? -tangent : tangent
          let cosine = DoubleDouble.one / (DoubleDouble.one + t * t).squareRoot()
          let sine = t * cosine
          for index in vectors[p].indices {
            let (x, y) = (vectors[p][index], vectors[q][index])
            vectors[p][index] = cosine * x - sine * y
            vectors[q][index] = sine * x + cosine * y
          }
          let (x, y) = (slopes[p], slopes[q])
          slopes[p] = cosine * x - sine * y
          slopes[q] = sine * x + cosine * y
        }
      }
      if isDone { return }
    }
  }
}

/// Householder QR with column pivoting of `[A | r]`, down to the numerical rank.
private struct PivotedFactor {
  /// Rows of the triangle in the original order of the columns.
  var rows: [[DoubleDouble]] = []
  /// The first entries of `Q' r`.
  var slopes: [DoubleDouble] = []
  /// The squared norm of what `r` has outside of the columns' span.
  var rest = DoubleDouble.zero

  init(_ columns: [[DoubleDouble]], _ residual: [DoubleDouble], sizes: [Double]?) {
    let (m, n) = (residual.count, columns.count)
    var a = columns
    var r = residual
    let threshold = max(1e-28, 16 * Double(m) * DoubleDouble.epsilon)
    let norms = sizes ?? a.map { Self.squaredNorm($0, from: 0).hi.squareRoot() }
    var remaining = Array(0..<n)
    for k in 0..<min(m, n) {
      let sizes = remaining.map { Self.squaredNorm(a[$0], from: k).hi.squareRoot() }
      guard
        let best = remaining.indices.filter({
          sizes[$0] > threshold * norms[remaining[$0]]
        }).max(by: { sizes[$0] < sizes[$1] })
      else { break }
      let pivot = remaining.remove(at: best)
      var v = Array(a[pivot][k...])
      let length = Self.squaredNorm(v, from: 0).squareRoot()
      let diagonal = v[0].hi > 0 ? -length : length
      v[0] -= diagonal
      let square = Self.squaredNorm(v, from: 0)
      a[pivot][k] = diagonal
      for column in remaining { Self.reflect(&a[column], v, square, from: k) }
      Self.reflect(&r, v, square, from: k)
      var row = [DoubleDouble](repeating: .zero, count: n)
      row[pivot] = diagonal
      for column in remaining { row[column] = a[column][k] }
      rows.append(row)
      slopes.append(r[k])
    }
    rest = Self.squaredNorm(r, from: rows.count)
  }

  private static func squaredNorm(_ x: [DoubleDouble], from first: Int) -> DoubleDouble {
    var sum = DoubleDouble.zero
    for index in first..<x.count { sum += x[index] * x[index] }
    return sum
  }

  /// `x <- x - 2 v (v'x) / (v'v)` on the entries from `first`.
  private static func reflect(
    _ x: inout [DoubleDouble], _ v: [DoubleDouble], _ square: DoubleDouble, from first: Int
  ) {
    var sum = DoubleDouble.zero
    for index in v.indices { sum += v[index] * x[first + index] }
    let factor = DoubleDouble(2) * sum / square
    for index in v.indices { x[first + index] -= factor * v[index] }
  }
}
