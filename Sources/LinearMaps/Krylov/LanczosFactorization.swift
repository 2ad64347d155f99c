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

  private let basis: BasisColumns<Scalar>
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
    basis = BasisColumns(dimension: dimension, limit: dimension + 1)
    basis.set(0, to: start.map { $0 / largest })
    basis.normalize(0)
  }

  /// One product: appends `alpha_k`, `beta_k` and `v_{k+1}`.
  ///
  /// Throws what the map throws, `nonFiniteProduct` and `tooLarge`.
  public func extend<Map: LinearMap<Scalar>>(by map: Map) throws {
    precondition(map.dimension == dimension, "the map changed its dimension")
    precondition(!isInvariant, "an invariant subspace does not grow; restart it first")
    let k = count
    let v = basis.column(k)
    let w = basis.column(k + 1)
    try map.apply(v, into: w)
    if let index = Scalar.firstNonFinite(dimension, w) {
      throw LinearMapError.nonFiniteProduct(application: k + 1, index: index)
    }
    let productNorm = Scalar.nrm2(dimension, w)
    try Scalar.requireModest(productNorm)
    // The diagonal coefficient is taken first and in double, where a float product would round.
    var alpha = Scalar.dot(dimension, v, w)
    Scalar.axpy(dimension, Scalar(-alpha), v, w)
    let expected = k == 0 ? 0 : betas[k - 1]
    let (coefficients, norms) = basis.orthogonalize(
      k + 1..<k + 2, against: k + 1, initialNorms: [productNorm])
    let norm = norms[0]
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
      basis.normalize(k + 1)
    }
  }

  /// Continues past an invariant subspace with a random direction orthogonal to it (`beta_k = 0`).
  public func restart(using generator: inout SeededGenerator) {
    precondition(isInvariant && !isComplete, "only an invariant proper subspace is restarted")
    basis.randomize(count, using: &generator)
    blockStarts.append(count)
  }

  /// The level at which a new vector is nothing but rounding.
  public var breakdownLevel: Double { 16 * Double(Scalar.ulpOfOne) * rowSum }

  /// `V_k s` for `k` coefficients, normalised where `normalized`.
  public func combination(_ coefficients: [Double], normalized: Bool = false) -> [Scalar] {
    precondition(coefficients.count == count, "one coefficient per basis vector")
    return basis.combination(coefficients, normalized: normalized)
  }

  /// The basis vector `v_{index+1}`; `count + 1` of them exist, `count` after a breakdown.
  public func basisVector(_ index: Int) -> [Scalar] {
    precondition(index < count + (isInvariant ? 0 : 1), "basis vector \(index) does not exist")
    return Array(UnsafeBufferPointer(start: basis.column(index), count: dimension))
  }

  /// The eigensystem of `T_k`.
  public func ritzSystem(vectors: TridiagonalEigensystem.Vectors) throws -> TridiagonalEigensystem {
    try TridiagonalEigensystem(
      diagonal: alphas, offDiagonal: Array(betas.dropLast()), vectors: vectors)
  }
}
