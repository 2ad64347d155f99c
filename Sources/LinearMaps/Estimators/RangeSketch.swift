/// `A Omega = Q R` and `H = Q'AQ`, grown a few probes at a time: the basis of the sketched estimates.
///
/// A column of `A Omega` that lies in the span of the earlier ones up to rounding adds nothing to
/// `Q`, so that `Q` stops growing once it holds the range of `A`. The coefficients are in double
/// precision. Memory: `n` scalars per column of `Q`, the same again where the images `A Q` are kept.
struct RangeSketch<Scalar: LinearMapScalar> {
  let dimension: Int
  /// `Q`, column-major.
  private(set) var basis: [Scalar] = []
  /// `A Q`, column-major; empty unless kept.
  private(set) var images: [Scalar] = []
  /// The columns of `R`; what follows the last entry of one is zero.
  private(set) var coefficients: [[Double]] = []
  /// The columns of `H`.
  private(set) var compressed: [[Double]] = []
  private let keepsImages: Bool
  /// Per column of `Q`, the column of `A Omega` that brought it.
  private var sources: [Int] = []
  private var largestNorm = 0.0

  init(dimension: Int, keepsImages: Bool = false) {
    self.dimension = dimension
    self.keepsImages = keepsImages
  }

  var rank: Int { sources.count }
  /// What is taken for rounding of a column of `A Omega`.
  private var level: Double { 16 * Double(Scalar.ulpOfOne) * largestNorm }

  /// Takes further columns of `A Omega`; costs one product per column that is new.
  mutating func extend<Map: LinearMap<Scalar>>(
    by products: [Scalar], map: Map, meter: inout ProductMeter
  ) throws {
    let n = dimension
    let old = rank
    for start in stride(from: 0, to: products.count, by: n) {
      append(Array(products[start..<start + n]))
    }
    guard rank > old else { return }
    let fresh = Array(basis[(old * n)...])
    let image = try meter.products(of: map, with: fresh)
    let block = crossProducts(basis, image, rows: n)
    for column in old..<rank {
      compressed.append(Array(block[(column - old) * rank..<(column - old + 1) * rank]))
      for row in 0..<old { compressed[row].append(compressed[column][row]) }
    }
    for column in old..<rank {
      for row in old..<column {
        let mean = (compressed[column][row] + compressed[row][column]) / 2
        compressed[column][row] = mean
        compressed[row][column] = mean
      }
    }
    if keepsImages { images += image }
  }

  /// `Q s_i` for each probe: the direction that leaves the basis with probe `i`, orthogonal to every
  /// other column of `A Omega`; zero where the others span column `i` too. `Q (I - s_i s_i') Q'` is
  /// the projector on the range of the other columns.
  ///
  /// `s_i` is row `i` of `R^{-1}`, normalised, where `R` is square and regular.
  func leaveOneOutDirections() -> [[Double]] {
    let r = rank
    var directions = [[Double]](
      repeating: [Double](repeating: 0, count: r), count: coefficients.count)
    let dropped = Set(coefficients.indices).subtracting(sources)
    for (index, source) in sources.enumerated() {
      // Forward substitution of R_K' s = e_index, R_K the columns that brought the basis.
      var s = [Double](repeating: 0, count: r)
      for row in index..<r {
        let column = coefficients[sources[row]]
        var sum = row == index ? 1.0 : 0
        for inner in index..<row { sum -= column[inner] * s[inner] }
        s[row] = sum / column[row]
      }
      let norm = Double.nrm2(r, s)
      for row in index..<r { s[row] /= norm }
      let isAlone = dropped.allSatisfy { abs(inner(coefficients[$0], s)) <= level }
      if isAlone { directions[source] = s }
    }
    return directions
  }

  /// Orthogonalises by classical Gram-Schmidt repeated until nothing cancels any more.
  private mutating func append(_ column: [Scalar]) {
    let n = dimension
    var y = column
    let initial = Scalar.nrm2(n, y)
    largestNorm = max(largestNorm, initial)
    var sums = [Double](repeating: 0, count: rank)
    var h = [Scalar](repeating: 0, count: rank)
    var norm = initial
    if rank > 0 {
      for _ in 0..<5 {
        let before = norm
        Scalar.gemv(
          transposed: true, rows: n, columns: rank, alpha: 1, basis, lda: n, y, beta: 0, &h)
        Scalar.gemv(
          transposed: false, rows: n, columns: rank, alpha: -1, basis, lda: n, h, beta: 1, &y)
        for row in 0..<rank { sums[row] += Double(h[row]) }
        norm = Scalar.nrm2(n, y)
        if norm > 0.7 * before || norm <= level { break }
      }
    }
    if norm > level && rank < n {
      Scalar.scal(n, Scalar(1 / norm), &y)
      basis += y
      sources.append(coefficients.count)
      sums.append(norm)
    }
    coefficients.append(sums)
  }
}

/// `sum_i a_i b_i` over the entries that both have.
func inner(_ a: [Double], _ b: [Double]) -> Double {
  Double.dot(min(a.count, b.count), a, b)
}

/// `A'B` of two column-major blocks with `rows` rows, as columns one after the other; accumulated in
/// double precision over chunks of rows.
func crossProducts<Scalar: LinearMapScalar>(_ a: [Scalar], _ b: [Scalar], rows: Int) -> [Double] {
  let (m, k) = (a.count / rows, b.count / rows)
  var sums = [Double](repeating: 0, count: m * k)
  var chunk = [Scalar](repeating: 0, count: m * k)
  guard m > 0, k > 0 else { return sums }
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      for start in stride(from: 0, to: rows, by: 2048) {
        Scalar.gemm(
          transposedA: true, transposedB: false, m: m, n: k, k: min(2048, rows - start), alpha: 1,
          a.baseAddress! + start, lda: rows, b.baseAddress! + start, ldb: rows, beta: 0, &chunk,
          ldc: m)
        for index in 0..<m * k { sums[index] += Double(chunk[index]) }
      }
    }
  }
  return sums
}
