import Foundation
import LinearMaps

/// The samples of a least-squares loss in the coordinates of its Hessian's eigenvectors, at its minimum:
/// all that mini-batch descent on it depends on.
///
/// The loss is `1/n sum_i (x_i'w - y_i)^2 / 2 + w'D w / 2`. With the error `e = w - w*` and the residuals
/// `r_i` at the minimum, the gradient of a batch is
///
///     g_b = (mean x x' + D) e + mean r x + p,   p = D w*,
///
/// whose mean over all samples is `H e`. A sample may have several rows, as one of several outputs has; `x x'`
/// and `r x` are then sums over them. Directions in which `H` is zero to rounding are left out: no sample has
/// a part there.
package struct LeastSquaresSamples: Sendable {
  package let count: Int
  package let rowsPerSample: Int
  /// Directions of positive curvature.
  package let dimension: Int
  /// Ascending.
  package let curvatures: [Double]
  /// `count rowsPerSample` rows of `dimension` numbers, a sample's rows together.
  package let rows: [Double]
  /// `r_i`.
  package let residuals: [Double]
  /// `D` in these coordinates, column-major; nil where there is no penalty.
  let penalty: [Double]?
  /// `p` in these coordinates.
  let pull: [Double]
  /// The error at the point that the samples were given with, in these coordinates.
  package let start: [Double]
  /// The loss at its minimum.
  package let minimum: Double
  /// Where it is, in the parameters' own coordinates.
  package let minimiser: [Double]

  /// Numbers in the table up to which the products `n d^2` are made.
  package static func affords(rows: Int, columns: Int) -> Bool {
    columns >= 1 && columns <= 400 && Double(rows) * Double(columns) * Double(columns) <= 4e9
  }

  /// - Parameters:
  ///   - rows: `n m x d`, row-major, for `m` rows per sample.
  ///   - scale: by which the squared residuals are multiplied, 1 for the half squared error.
  ///   - penalty: the diagonal of `D`.
  ///   - point: any point, from which the minimum is solved for.
  ///   - divisor: a positive number per parameter by which the optimizer divides its gradient; the samples
  ///     are then those of the loss in the variables `w_j sqrt(divisor_j)`, in which its steps are plain.
  /// - Returns: nil where nothing curves, or numbers overflow.
  /// - Throws: what the eigensolver throws.
  package init?(
    rows given: [Double], targets: [Double], scale: Double = 1, penalty diagonal: [Double],
    at point: [Double], divisor: [Double]? = nil, rowsPerSample: Int = 1
  ) throws {
    let (all, d) = (targets.count, point.count)
    precondition(all % rowsPerSample == 0, "the rows are no whole samples")
    let n = all / rowsPerSample
    precondition(given.count == all * d && diagonal.count == d, "the rows do not fit the point")
    let units = (0..<d).map { 1 / (divisor?[$0] ?? 1).squareRoot() }
    let root = scale.squareRoot()
    var x = given
    var r = [Double](repeating: 0, count: all)
    for i in 0..<all {
      var sum = -targets[i]
      for j in 0..<d { sum += given[i * d + j] * point[j] }
      r[i] = root * sum
      for j in 0..<d { x[i * d + j] *= root * units[j] }
    }
    guard x.allSatisfy(\.isFinite), r.allSatisfy(\.isFinite) else { return nil }
    var hessian = [Double](repeating: 0, count: d * d)
    Double.gemm(
      transposedA: false, transposedB: true, m: d, n: d, k: all, alpha: 1 / Double(n), x, lda: d, x,
      ldb: d, beta: 0, &hessian, ldc: d)
    let ridge = (0..<d).map { diagonal[$0] * units[$0] * units[$0] }
    for j in 0..<d { hessian[j * d + j] += ridge[j] }
    guard hessian.allSatisfy(\.isFinite) else { return nil }
    let system = try SymmetricEigensystem(columnMajor: hessian, dimension: d)
    let order = system.values.indices.sorted { system.values[$0] < system.values[$1] }
    guard let top = order.last.map({ system.values[$0] }), top > 0 else { return nil }
    let kept = order.filter { system.values[$0] > 4 * Double(d) * .ulpOfOne * top }
    let k = kept.count
    let q = kept.flatMap { system.vector($0) }
    var z = [Double](repeating: 0, count: all * k)
    Double.gemm(
      transposedA: true, transposedB: false, m: k, n: all, k: d, alpha: 1, q, lda: d, x, ldb: d,
      beta: 0, &z, ldc: k)
    let values = kept.map { system.values[$0] }
    func inBasis(_ vector: [Double]) -> [Double] {
      (0..<k).map { column in (0..<d).reduce(0) { $0 + q[column * d + $1] * vector[$1] } }
    }
    // The penalty's gradient at a point, then Newton's step; twice, since the first rounds.
    var w = (0..<d).map { point[$0] / units[$0] }
    var moved = [Double](repeating: 0, count: k)
    for _ in 0..<3 {
      var gradient = inBasis((0..<d).map { ridge[$0] * w[$0] })
      for i in 0..<all {
        for a in 0..<k { gradient[a] += r[i] * z[i * k + a] / Double(n) }
      }
      let step = (0..<k).map { -gradient[$0] / values[$0] }
      for a in 0..<k {
        moved[a] += step[a]
        for j in 0..<d { w[j] += step[a] * q[a * d + j] }
      }
      for i in 0..<all {
        for a in 0..<k { r[i] += z[i * k + a] * step[a] }
      }
    }
    count = n
    self.rowsPerSample = rowsPerSample
    dimension = k
    curvatures = values
    self.rows = z
    residuals = r
    start = moved.map { -$0 }
    pull = inBasis((0..<d).map { ridge[$0] * w[$0] })
    if ridge.contains(where: { $0 > 0 }) {
      var inner = [Double](repeating: 0, count: k * k)
      for a in 0..<k {
        for b in 0..<k {
          inner[a * k + b] = (0..<d).reduce(0) { $0 + q[a * d + $1] * ridge[$1] * q[b * d + $1] }
        }
      }
      penalty = inner
    } else {
      penalty = nil
    }
    minimum =
      r.reduce(0) { $0 + $1 * $1 } / Double(2 * n)
      + (0..<d).reduce(0) { $0 + ridge[$1] * w[$1] * w[$1] } / 2
    minimiser = (0..<d).map { w[$0] * units[$0] }
    guard minimum.isFinite else { return nil }
  }

  /// `tr(H S) / 2`: the mean loss gap of errors with these second moments, column-major.
  package func gap(_ second: [Double]) -> Double {
    (0..<dimension).reduce(0) { $0 + curvatures[$1] * second[$1 * dimension + $1] } / 2
  }

  /// `e'H e / 2`: the loss gap of an error.
  package func gap(at error: [Double]) -> Double {
    zip(curvatures, error).reduce(0) { $0 + $1.0 * $1.1 * $1.1 } / 2
  }

  /// The covariance of one sample's gradient at the minimum, column-major: `mean (r x)(r x)' - p p'`.
  package var noise: [Double] {
    let k = dimension
    let pulls = sums { residuals[$0] }
    var result = product(pulls, pulls)
    for a in 0..<k {
      for b in 0..<k { result[a * k + b] -= pull[a] * pull[b] }
    }
    return result
  }

  /// `sum s x` over each sample's rows, sample by sample.
  private func sums(weight: (_ row: Int) -> Double) -> [Double] {
    let (k, m) = (dimension, rowsPerSample)
    var result = [Double](repeating: 0, count: count * k)
    for row in residuals.indices {
      let (s, base) = (weight(row), row / m * k)
      for a in 0..<k { result[base + a] += s * rows[row * k + a] }
    }
    return result
  }

  /// The mean over the samples of `left right'`, column-major; both may have as many vectors per sample.
  private func product(_ left: [Double], _ right: [Double]) -> [Double] {
    let k = dimension
    var result = [Double](repeating: 0, count: k * k)
    Double.gemm(
      transposedA: false, transposedB: true, m: k, n: k, k: left.count / k,
      alpha: 1 / Double(count), left, lda: k, right, ldb: k, beta: 0, &result, ldc: k)
    return result
  }

  /// `mean (x x' - G) S (x x' - G)` for symmetric `S` and `G = mean x x'`: by what the batches' own
  /// curvatures spread second moments.
  package func spread(_ second: [Double]) -> [Double] {
    let (k, m, all) = (dimension, rowsPerSample, residuals.count)
    var images = [Double](repeating: 0, count: all * k)
    Double.gemm(
      transposedA: false, transposedB: false, m: k, n: all, k: k, alpha: 1, second, lda: k, rows,
      ldb: k, beta: 0, &images, ldc: k)
    // x (x'S x) x' with one row, and X'(X S X') X with several.
    var weighted = [Double](repeating: 0, count: all * k)
    rows.withUnsafeBufferPointer { rows in
      for row in 0..<all {
        let first = row / m * m
        for other in first..<first + m {
          var s = 0.0
          for a in 0..<k { s += images[row * k + a] * rows[other * k + a] }
          for a in 0..<k { weighted[row * k + a] += s * rows[other * k + a] }
        }
      }
    }
    var result = product(weighted, rows)
    let between = betweenMeans(second)
    for index in result.indices { result[index] -= between[index] }
    return result
  }

  /// `G S G`.
  private func betweenMeans(_ second: [Double]) -> [Double] {
    let k = dimension
    guard let penalty else {
      return second.indices.map { second[$0] * curvatures[$0 / k] * curvatures[$0 % k] }
    }
    var mean = penalty.map { -$0 }
    for a in 0..<k { mean[a * k + a] += curvatures[a] }
    var half = [Double](repeating: 0, count: k * k)
    var result = half
    Double.gemm(
      transposedA: false, transposedB: false, m: k, n: k, k: k, alpha: 1, mean, lda: k, second,
      ldb: k, beta: 0, &half, ldc: k)
    Double.gemm(
      transposedA: false, transposedB: false, m: k, n: k, k: k, alpha: 1, half, lda: k, mean,
      ldb: k, beta: 0, &result, ldc: k)
    return result
  }

  /// `mean (x x' - G) m (r x + p)'`, column-major: what the error's mean adds to the moments of a step.
  func cross(_ mean: [Double]) -> [Double] {
    let k = dimension
    let along = sums { row in (0..<k).reduce(0) { $0 + rows[row * k + $1] * mean[$1] } }
    var result = product(along, sums { residuals[$0] })
    // G m, by the penalty's part.
    let image = (0..<k).map { a in
      curvatures[a] * mean[a]
        - (penalty.map { d in (0..<k).reduce(0) { $0 + d[$1 * k + a] * mean[$1] } } ?? 0)
    }
    for b in 0..<k {
      for a in 0..<k { result[b * k + a] += image[a] * pull[b] }
    }
    return result
  }
}
