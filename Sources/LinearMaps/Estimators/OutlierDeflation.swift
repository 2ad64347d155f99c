/// Outlying Ritz vectors of a first probe, taken out of all later ones.
///
/// An eigenvalue far from the bulk weighs `1/n`, which a probe sees with an error of 140 %: few
/// outliers can dominate the distance. Once their vectors Q are known their weight is exact, and
/// later probes sample `P A P`, `P = I - Q Q'`, whose range, and with it steps and sampling error, is
/// that of the bulk. Ritz vectors with residuals `r_i` serve as well as eigenvectors: the densities
/// differ by at most `2 sum r_i / n`. The first probe is not used any more, since Q depends on it.
///
/// Reference: Meyer, Musco, Musco and Woodruff, "Hutch++" (2021), for the idea on traces; the
/// theorem of Lidskii on `sum |lambda_i(A) - lambda_i(B)|` for the distance.
struct OutlierDeflation {
  /// Ritz indices, counted from either end.
  let lowest: Int
  let highest: Int
  let residuals: Double
  /// The mean sampling error of one probe of the rest, over that of one of the whole.
  let gain: Double

  var count: Int { lowest + highest }

  /// The numbers of outliers to take from either end for the least sampling error of the rest;
  /// residuals may cost `tolerance`, a distance.
  init(_ measure: ProbeMeasure, dimension n: Int, tolerance: Double) {
    let values = measure.ritz.values
    let weights = measure.ritz.first.map { $0 * $0 }
    let k = values.count
    func sampling(_ lowest: Int, _ highest: Int) -> Double {
      let rest = lowest..<(k - highest)
      var error = DensitySamplingBound(
        dimension: n - lowest - highest, probes: 1, failureProbability: 0.01)
      let total = weights[rest].reduce(0, +)
      var sum = 0.0
      for index in rest.dropLast() {
        sum += weights[index] / total
        error.advance(values[index + 1] - values[index], at: sum)
      }
      return error.mean
    }
    var (lowest, highest, spent) = (0, 0, 0.0)
    let whole = sampling(0, 0)
    var best = (lowest: 0, highest: 0, spent: 0.0, error: whole)
    while lowest + highest < min(k - 3, n / 4, 64) {
      var options: [(lowest: Int, highest: Int, spent: Double, error: Double)] = []
      for (low, high, index) in [(1, 0, lowest), (0, 1, k - 1 - highest)] {
        let cost = spent + 2 * measure.residuals[index] / Double(n)
        // A weight beyond what chance gives one eigenvector belongs to several, of which one
        // vector would take only a part.
        guard cost <= tolerance, weights[index] * Double(n) < 12 else { continue }
        options.append(
          (lowest + low, highest + high, cost, sampling(lowest + low, highest + high)))
      }
      guard let next = options.min(by: { $0.error < $1.error }) else { break }
      (lowest, highest, spent) = (next.lowest, next.highest, next.spent)
      // A vector more must pay for its memory and its products.
      if next.error < 0.98 * best.error { best = next }
    }
    self.lowest = best.lowest
    self.highest = best.highest
    residuals = best.spent * Double(n) / 2
    gain = whole > 0 ? best.error / whole : 1
  }
}

/// `P A P` with `P = I - Q Q'`, for vectors that are orthogonal to Q already.
struct DeflatedMap<Base: LinearMap>: LinearMap {
  let base: Base
  let columns: OrthonormalColumns<Base.Scalar>
  var dimension: Int { base.dimension }

  func apply(
    _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try base.apply(x, into: y)
    // NaN would spread over all entries; the caller names the one that the map gave.
    if Base.Scalar.firstNonFinite(dimension, y) == nil { project(y) }
  }

  /// `y = P y`, twice, which is orthogonal to rounding.
  func project(_ y: UnsafeMutablePointer<Base.Scalar>) {
    for _ in 0..<2 { columns.project(y) }
  }
}
