/// `A Omega = Q R` and `H = Q'AQ`, grown a few probes at a time: the basis of the sketched estimates.
///
/// A column of `A Omega` that lies in the span of the earlier ones up to rounding adds nothing to
/// `Q`, so that `Q` stops growing once it holds the range of `A`. The coefficients are in double
/// precision. Memory: `n` scalars per column of `Q`, the same again where the images `A Q` are kept.
struct RangeSketch<Scalar: LinearMapScalar> {
  let dimension: Int
  private var columns: OrthonormalColumns<Scalar>
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
    columns = OrthonormalColumns(dimension: dimension)
    self.keepsImages = keepsImages
  }

  /// `Q`, column-major.
  var basis: [Scalar] { columns.entries }
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

  private mutating func append(_ column: [Scalar]) {
    largestNorm = max(largestNorm, Scalar.nrm2(dimension, column))
    let part = columns.append(column, level: level)
    if part.isNew { sources.append(coefficients.count) }
    coefficients.append(part.isNew ? part.coefficients + [part.norm] : part.coefficients)
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
