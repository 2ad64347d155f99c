import LinearMaps

/// Orthonormal columns that span a table's columns and a constant, and how they are made of the
/// standardised ones: `Q = Z C`.
///
/// Whether classes are separable does not change with the basis of the columns' span, and in this one
/// neither sizes nor offsets nor collinear columns make it ill-conditioned.
struct OrthonormalFeatures {
  let rows: Int
  /// Columns of `Z`: those that vary, centred and of norm 1, and the constant.
  let columns: Int
  /// Row-major, `rows` x `columns`: each entry within two roundings of an affine function of the
  /// column as given, whatever its offset.
  let standardised: [Double]
  /// Columns of `Q`: the numerical rank of `Z`.
  let rank: Int
  /// Column-major, `rows` x `rank`.
  let q: [Double]
  /// Column-major, `columns` x `rank`.
  let coefficients: [Double]
  let rowNorms: [Double]
  let operations: Double

  /// Nil where a column's numbers are not finite, nothing varies, or it takes too many operations.
  init?(_ features: [Double], columns d: Int, hasConstant: Bool, maxOperations: Double) {
    let n = d > 0 ? features.count / d : 0
    guard n > 0, 4 * Double(n) * Double(d + 1) * Double(min(n, d + 1)) <= maxOperations else {
      return nil
    }
    guard let z = Self.standardised(features, n, d, hasConstant: hasConstant) else { return nil }
    let width = z.count / n

    // Modified Gram-Schmidt with pivoting; what is left of a column below this is rounding.
    let threshold = 64 * Double.ulpOfOne * Double(width).squareRoot()
    var rest = z
    var combination = [Double](repeating: 0, count: width * width)
    for column in 0..<width { combination[column * width + column] = 1 }
    var remaining = Set(0..<width)
    var q: [Double] = []
    var coefficients: [Double] = []
    var work = 0.0
    func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int) -> Double {
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          Double.dot(n, a.baseAddress! + i * n, b.baseAddress! + j * n)
        }
      }
    }
    /// Takes `factor` times column `k` of `Q` from column `j` of the rest.
    func remove(_ k: Int, _ factor: Double, from j: Int) {
      for row in 0..<n { rest[j * n + row] -= factor * q[k * n + row] }
      for index in 0..<width {
        combination[j * width + index] -= factor * coefficients[k * width + index]
      }
    }
    while let (pivot, square) = remaining.map({ ($0, dot(rest, $0, rest, $0)) })
      .max(by: { ($0.1, $1.0) < ($1.1, $0.0) }), square.squareRoot() > threshold
    {
      remaining.remove(pivot)
      for k in 0..<q.count / n { remove(k, dot(q, k, rest, pivot), from: pivot) }
      let norm = dot(rest, pivot, rest, pivot).squareRoot()
      guard norm > threshold / 2 else { continue }
      q += rest[pivot * n..<(pivot + 1) * n].map { $0 / norm }
      coefficients += combination[pivot * width..<(pivot + 1) * width].map { $0 / norm }
      let last = q.count / n - 1
      for column in remaining { remove(last, dot(q, last, rest, column), from: column) }
      work += Double(n) * Double(6 * remaining.count + 4 * last + 4)
    }
    rows = n
    columns = width
    rank = q.count / n
    operations = work
    guard rank > 0 else { return nil }
    var standardised = z
    for row in 0..<n {
      for column in 0..<width { standardised[row * width + column] = z[column * n + row] }
    }
    self.standardised = standardised
    self.q = q
    self.coefficients = coefficients
    rowNorms = (0..<n).map { row in
      stride(from: row, to: q.count, by: n).reduce(0) { $0 + q[$1] * q[$1] }.squareRoot()
    }
  }

  /// Column-major: the varying columns, less a number near their mean and in units of their norm, and
  /// the constant. Without a constant the columns are only scaled.
  private static func standardised(
    _ features: [Double], _ n: Int, _ d: Int, hasConstant: Bool
  ) -> [Double]? {
    var z: [Double] = []
    for column in 0..<d {
      var values = stride(from: column, to: features.count, by: d).map { features[$0] }
      let peak = values.reduce(0) { max($0, abs($1)) }
      guard peak.isFinite else { return nil }
      guard peak > 0 else { continue }
      // A power of two changes no digit and keeps sums from overflowing.
      values = values.map { $0.scaled(by: -peak.exponent) }
      if hasConstant {
        guard values.contains(where: { $0 != values[0] }) else { continue }
        let centre = values.reduce(0, +) / Double(n)
        values = values.map { $0 - centre }
      }
      let spread = values.reduce(0) { max($0, abs($1)) }
      values = values.map { $0.scaled(by: -spread.exponent) }
      let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      z += values.map { $0 / norm }
    }
    if hasConstant {
      z += [Double](repeating: 1 / Double(n).squareRoot(), count: n)
    }
    return z.isEmpty ? nil : z
  }
}

extension Double {
  /// This number times `2^exponent`, whatever the exponent.
  fileprivate func scaled(by exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: self)
  }
}
