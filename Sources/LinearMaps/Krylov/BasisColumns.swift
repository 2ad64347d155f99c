import Foundation

/// Basis vectors of one length, column-major, in chunks that are never moved.
///
/// A chunk holds about 16 columns, a multiple of `blockColumns`, so that a block of that width which
/// begins at a multiple of it lies in one piece.
final class BasisColumns<Scalar: LinearMapScalar> {
  let dimension: Int
  private let chunkColumns: Int
  private let limit: Int
  private var chunks: [ColumnChunk<Scalar>] = []

  /// Takes at most `limit` columns.
  init(dimension: Int, limit: Int, blockColumns: Int = 1) {
    self.dimension = dimension
    self.limit = limit
    chunkColumns = blockColumns * max(1, 16 / blockColumns)
  }

  /// The memory of a column, made when first asked for.
  func column(_ index: Int) -> UnsafeMutablePointer<Scalar> {
    precondition(index < limit, "the basis has room for \(limit) columns")
    let chunk = index / chunkColumns
    while chunks.count <= chunk {
      let left = limit - chunks.count * chunkColumns
      chunks.append(ColumnChunk(scalars: dimension * min(left, chunkColumns)))
    }
    return chunks[chunk].base + (index % chunkColumns) * dimension
  }

  /// The range cut where chunks end: each piece is contiguous.
  func pieces(_ range: Range<Int>) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var first = range.lowerBound
    while first < range.upperBound {
      let end = min(range.upperBound, (first / chunkColumns + 1) * chunkColumns)
      pieces.append(first..<end)
      first = end
    }
    return pieces
  }

  func set(_ index: Int, to values: [Scalar]) {
    column(index).update(from: values, count: dimension)
  }

  /// Sets a column to the direction of a start vector; false where that is zero.
  ///
  /// Throws `nonFiniteVector`.
  func setDirection(_ index: Int, of start: [Scalar]) throws -> Bool {
    if let entry = Scalar.firstNonFinite(dimension, start) {
      throw LinearMapError.nonFiniteVector(role: "start vector", index: entry)
    }
    // Dividing by the largest entry first keeps tiny and huge vectors exact to normalise.
    let largest = start.reduce(Scalar(0)) { max($0, abs($1)) }
    guard largest > 0 else { return false }
    set(index, to: start.map { $0 / largest })
    normalize(index)
    return true
  }

  func copy(_ source: Int, to target: Int) {
    if source != target { column(target).update(from: column(source), count: dimension) }
  }

  func norm(_ index: Int) -> Double { Scalar.nrm2(dimension, column(index)) }

  func normalize(_ index: Int) { normalize(column(index)) }

  /// Orthogonalises the columns `targets` against the first `count`, by classical Gram-Schmidt
  /// repeated until nothing cancels any more ("twice is enough", through BLAS).
  ///
  /// Columns that are nearly orthogonal as they come, but for rounding, are once through: where their norms stay,
  /// nothing has cancelled.
  ///
  /// Reference: Daniel, Gragg, Kaufman and Stewart, "Reorthogonalization and stable algorithms for updating the
  /// Gram-Schmidt QR factorization" (1976).
  ///
  /// Returns the coefficients (`count` per target, one target after the other) and the norms left.
  func orthogonalize(
    _ targets: Range<Int>, against count: Int, initialNorms: [Double],
    areNearlyOrthogonal: Bool = false
  ) -> (coefficients: [Double], norms: [Double]) {
    let width = targets.count
    var sums = [Double](repeating: 0, count: count * width)
    var h = [Scalar](repeating: 0, count: count * width)
    var before = initialNorms
    var norms = [Double](repeating: 0, count: width)
    let sources = pieces(0..<count)
    // Two passes do; a remainder that keeps shrinking is rounding and needs a few more.
    for pass in 0..<5 {
      h.withUnsafeMutableBufferPointer { h in
        for target in pieces(targets) {
          let w = column(target.lowerBound)
          let offset = (target.lowerBound - targets.lowerBound) * count
          for source in sources {
            multiply(
              transposed: true, source, h.baseAddress! + offset + source.lowerBound, ldh: count, w,
              target.count)
          }
          for source in sources {
            multiply(
              transposed: false, source, h.baseAddress! + offset + source.lowerBound, ldh: count, w,
              target.count)
          }
        }
      }
      for index in sums.indices { sums[index] += Double(h[index]) }
      var isDone = pass > 0 || areNearlyOrthogonal
      for j in 0..<width {
        norms[j] = norm(targets.lowerBound + j)
        if norms[j] <= 0.7 * before[j] && norms[j] > 0 { isDone = false }
      }
      if isDone { break }
      before = norms
    }
    return (sums, norms)
  }

  /// `H = V'W` if transposed, else `W -= V H`, for a contiguous piece `V`.
  private func multiply(
    transposed: Bool, _ source: Range<Int>, _ h: UnsafeMutablePointer<Scalar>, ldh: Int,
    _ w: UnsafeMutablePointer<Scalar>, _ width: Int
  ) {
    let v = column(source.lowerBound)
    let (n, k) = (dimension, source.count)
    if width == 1 {
      Scalar.gemv(
        transposed: transposed, rows: n, columns: k, alpha: transposed ? 1 : -1, v, lda: n,
        transposed ? w : h, beta: transposed ? 0 : 1, transposed ? h : w)
    } else if transposed {
      Scalar.gemm(
        transposedA: true, transposedB: false, m: k, n: width, k: n, alpha: 1, v, lda: n, w, ldb: n,
        beta: 0, h, ldc: ldh)
    } else {
      Scalar.gemm(
        transposedA: false, transposedB: false, m: n, n: width, k: k, alpha: -1, v, lda: n, h,
        ldb: ldh, beta: 1, w, ldc: n)
    }
  }

  /// Fills a column with a random direction orthogonal to all columns before it.
  func randomize(_ index: Int, using generator: inout SeededGenerator) {
    var norm = 0.0
    while norm < 1e-3 / Double(dimension) {
      set(index, to: generator.unitSphere(dimension))
      norm = orthogonalize(index..<index + 1, against: index, initialNorms: [1]).norms[0]
    }
    normalize(index)
  }

  /// `V s` for the first `s.count` columns, normalised where `normalized`.
  func combination(_ coefficients: [Double], normalized: Bool) -> [Scalar] {
    var result = [Scalar](repeating: 0, count: dimension)
    let scalars = coefficients.map { Scalar($0) }
    result.withUnsafeMutableBufferPointer { y in
      scalars.withUnsafeBufferPointer { s in
        for piece in pieces(0..<scalars.count) {
          Scalar.gemv(
            transposed: false, rows: dimension, columns: piece.count, alpha: 1,
            column(piece.lowerBound), lda: dimension, s.baseAddress! + piece.lowerBound, beta: 1,
            y.baseAddress!)
        }
      }
      if normalized { normalize(y.baseAddress!) }
    }
    return result
  }

  /// Replaces the first columns by `V S`, for `S` column-major of `rows` x `columns`.
  ///
  /// Works through panels of rows and in double precision: no second basis, and one rounding.
  func rotate(by s: [Double], rows: Int, columns: Int) {
    let height = min(dimension, 256)
    var panel = [Double](repeating: 0, count: height * rows)
    var product = [Double](repeating: 0, count: height * columns)
    for first in stride(from: 0, to: dimension, by: height) {
      let used = min(height, dimension - first)
      for j in 0..<rows {
        let source = column(j) + first
        for i in 0..<used { panel[j * height + i] = Double(source[i]) }
      }
      Double.gemm(
        transposedA: false, transposedB: false, m: used, n: columns, k: rows, alpha: 1, panel,
        lda: height, s, ldb: rows, beta: 0, &product, ldc: height)
      for j in 0..<columns {
        let target = column(j) + first
        for i in 0..<used { target[i] = Scalar(product[j * height + i]) }
      }
    }
  }

  private func normalize(_ x: UnsafeMutablePointer<Scalar>) {
    var norm = Scalar.nrm2(dimension, x)
    // The reciprocal of a norm below this overflows a float.
    if norm < 1e-30 {
      Scalar.scal(dimension, 1e30, x)
      norm = Scalar.nrm2(dimension, x)
    }
    Scalar.scal(dimension, Scalar(1 / norm), x)
  }
}

/// Memory of some basis vectors, freed with its owner.
private final class ColumnChunk<Scalar: LinearMapScalar> {
  let base: UnsafeMutablePointer<Scalar>

  init(scalars: Int) {
    // Zeros that the system hands out as they are touched.
    base = calloc(scalars, MemoryLayout<Scalar>.stride)!.bindMemory(
      to: Scalar.self, capacity: scalars)
  }

  deinit { free(base) }
}
