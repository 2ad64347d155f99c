/// `A V_k = V_k T_k + beta_k v_{k+1} e_k'`: an orthonormal Krylov basis grown column by column.
///
/// Each new vector is orthogonalised against all earlier ones, by classical Gram-Schmidt repeated
/// until nothing cancels any more ("twice is enough", through matrix-vector products). The basis is
/// held in `Scalar`, the coefficients in double precision. When the space turns out to be invariant
/// (`beta_k` at rounding level), `beta_k` is set to zero, and `restart` continues with a fresh
/// random direction orthogonal to the basis.
///
/// Memory: `dimension` scalars per column, in chunks of 16 columns that are never moved.
///
/// Reference: Golub and Van Loan, "Matrix Computations" (2013), section 10.1; Giraud, Langou,
/// Rozloznik and van den Eshof, "Rounding error analysis of the classical Gram-Schmidt
/// orthogonalization process" (2005).
public final class LanczosFactorization<Scalar: LinearMapScalar> {
  public let dimension: Int
  /// The diagonal of `T_k`.
  public private(set) var alphas: [Double] = []
  /// `beta_1 ... beta_k`: the off-diagonal of `T_k`, and the norm that leads on; 0 where the space
  /// was invariant.
  public private(set) var betas: [Double] = []
  /// The largest norm that was taken for rounding and set to zero in `betas`.
  public private(set) var largestDroppedBeta = 0.0
  /// The largest coefficient outside `T_k` seen so far: what rounding of the products, or a map
  /// that is not symmetric, adds to the factorisation.
  public private(set) var asymmetry = 0.0
  /// The steps that began from a fresh direction: 0, then one per `restart`.
  public private(set) var blockStarts: [Int] = [0]

  private var chunks: [ColumnChunk<Scalar>] = []
  private var rowSum = 0.0

  /// The steps done so far, `k`; each cost one product.
  public var count: Int { alphas.count }
  /// Whether the basis spans the whole space.
  public var isComplete: Bool { count == dimension }
  /// Whether the last step found an invariant subspace and `restart` must come before `extend`.
  public var isInvariant: Bool {
    isComplete || (betas.last == 0 && blockStarts[blockStarts.count - 1] != count)
  }
  /// `|T_k|` in the maximum norm: a cheap estimate of `|A|`, never above it by more than sqrt(3).
  public var scale: Double { rowSum }

  /// Begins with the direction of `start`.
  ///
  /// Throws `zeroStart` or `nonFiniteVector`.
  public init(start: [Scalar]) throws {
    precondition(!start.isEmpty, "a map has at least one dimension")
    dimension = start.count
    if let index = Scalar.firstNonFinite(start.count, start) {
      throw LinearMapError.nonFiniteVector(role: "start vector", index: index)
    }
    // Dividing by the largest entry first keeps tiny and huge vectors exact to normalise.
    let largest = start.reduce(Scalar(0)) { max($0, abs($1)) }
    guard largest > 0 else { throw LinearMapError.zeroStart }
    let target = column(0)
    for i in 0..<dimension { target[i] = start[i] / largest }
    normalize(target)
  }

  /// One product: appends `alpha_k`, `beta_k` and `v_{k+1}`.
  ///
  /// Throws what the map throws, and `nonFiniteProduct`.
  public func extend<Map: LinearMap<Scalar>>(by map: Map) throws {
    precondition(map.dimension == dimension, "the map changed its dimension")
    precondition(!isInvariant, "an invariant subspace does not grow; restart it first")
    let k = count
    let v = column(k)
    let w = column(k + 1)
    try map.apply(v, into: w)
    if let index = Scalar.firstNonFinite(dimension, w) {
      throw LinearMapError.nonFiniteProduct(application: k + 1, index: index)
    }
    let productNorm = Scalar.nrm2(dimension, w)
    // The diagonal coefficient is taken first and in double, where a float product would round.
    var alpha = Scalar.dot(dimension, v, w)
    Scalar.axpy(dimension, Scalar(-alpha), v, w)
    let expected = k == 0 ? 0 : betas[k - 1]
    let (coefficients, norm) = orthogonalize(w, against: k + 1, initialNorm: productNorm)
    alpha += coefficients[k]
    for j in 0..<k {
      asymmetry = max(asymmetry, abs(coefficients[j] - (j == k - 1 ? expected : 0)))
    }
    rowSum = max(rowSum, abs(alpha) + expected + norm)
    alphas.append(alpha)
    let isBreakdown = norm <= breakdownLevel || k + 1 == dimension
    betas.append(isBreakdown ? 0 : norm)
    if isBreakdown {
      largestDroppedBeta = max(largestDroppedBeta, norm)
    } else {
      normalize(w)
    }
  }

  /// Continues past an invariant subspace with a random direction orthogonal to it (`beta_k = 0`).
  public func restart(using generator: inout SeededGenerator) {
    precondition(isInvariant && !isComplete, "only an invariant proper subspace is restarted")
    let target = column(count)
    var norm = 0.0
    while norm < 1e-3 / Double(dimension) {
      let direction = generator.unitSphere(dimension, as: Scalar.self)
      for i in 0..<dimension { target[i] = direction[i] }
      norm = orthogonalize(target, against: count, initialNorm: 1).norm
    }
    normalize(target)
    blockStarts.append(count)
  }

  /// The level at which a new vector is nothing but rounding.
  public var breakdownLevel: Double { 16 * Double(Scalar.ulpOfOne) * rowSum }

  /// `V_k s` for `k` coefficients, normalised where `normalized`.
  public func combination(_ coefficients: [Double], normalized: Bool = false) -> [Scalar] {
    precondition(coefficients.count == count, "one coefficient per basis vector")
    var result = [Scalar](repeating: 0, count: dimension)
    let scalars = coefficients.map { Scalar($0) }
    result.withUnsafeMutableBufferPointer { y in
      scalars.withUnsafeBufferPointer { s in
        forEachChunk(upTo: count) { chunk, first, columns in
          Scalar.gemv(
            transposed: false, rows: dimension, columns: columns, alpha: 1, chunk.base,
            lda: dimension, s.baseAddress! + first, beta: 1, y.baseAddress!)
        }
      }
      if normalized { normalize(y.baseAddress!) }
    }
    return result
  }

  /// The basis vector `v_{index+1}`; `count + 1` of them exist, `count` after a breakdown.
  public func basisVector(_ index: Int) -> [Scalar] {
    precondition(index < count + (isInvariant ? 0 : 1), "basis vector \(index) does not exist")
    return Array(UnsafeBufferPointer(start: column(index), count: dimension))
  }

  /// The eigensystem of `T_k`.
  public func ritzSystem(vectors: TridiagonalEigensystem.Vectors) throws -> TridiagonalEigensystem {
    try TridiagonalEigensystem(
      diagonal: alphas, offDiagonal: Array(betas.dropLast()), vectors: vectors)
  }

  private func orthogonalize(
    _ w: UnsafeMutablePointer<Scalar>, against columns: Int, initialNorm: Double
  ) -> (coefficients: [Double], norm: Double) {
    var sums = [Double](repeating: 0, count: columns)
    var h = [Scalar](repeating: 0, count: columns)
    var before = initialNorm
    var norm = 0.0
    // Two passes do; a remainder that keeps shrinking is rounding and needs a few more.
    for pass in 0..<5 {
      h.withUnsafeMutableBufferPointer { h in
        forEachChunk(upTo: columns) { chunk, first, count in
          Scalar.gemv(
            transposed: true, rows: dimension, columns: count, alpha: 1, chunk.base,
            lda: dimension, w, beta: 0, h.baseAddress! + first)
        }
        forEachChunk(upTo: columns) { chunk, first, count in
          Scalar.gemv(
            transposed: false, rows: dimension, columns: count, alpha: -1, chunk.base,
            lda: dimension, h.baseAddress! + first, beta: 1, w)
        }
      }
      for j in 0..<columns { sums[j] += Double(h[j]) }
      norm = Scalar.nrm2(dimension, w)
      if pass > 0, norm > 0.7 * before || norm == 0 { break }
      before = norm
    }
    return (sums, norm)
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

  private func column(_ index: Int) -> UnsafeMutablePointer<Scalar> {
    let chunk = index / ColumnChunk<Scalar>.columns
    while chunks.count <= chunk {
      let left = dimension + 1 - chunks.count * ColumnChunk<Scalar>.columns
      chunks.append(
        ColumnChunk(scalars: dimension * min(max(left, 1), ColumnChunk<Scalar>.columns)))
    }
    return chunks[chunk].base + (index % ColumnChunk<Scalar>.columns) * dimension
  }

  private func forEachChunk(
    upTo columns: Int, _ body: (ColumnChunk<Scalar>, _ first: Int, _ count: Int) -> Void
  ) {
    for (index, first) in stride(from: 0, to: columns, by: ColumnChunk<Scalar>.columns).enumerated()
    {
      body(chunks[index], first, min(ColumnChunk<Scalar>.columns, columns - first))
    }
  }
}

/// Memory of up to 16 basis vectors, freed with its owner.
private final class ColumnChunk<Scalar: LinearMapScalar> {
  static var columns: Int { 16 }
  let base: UnsafeMutablePointer<Scalar>

  init(scalars: Int) {
    base = .allocate(capacity: scalars)
    base.initialize(repeating: 0, count: scalars)
  }

  deinit { base.deallocate() }
}
