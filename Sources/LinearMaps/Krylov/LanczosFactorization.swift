/// `A V_k = V_k T_k + beta_k v_{k+1} e_k'`: an orthonormal Krylov basis grown column by column.
///
/// A `KrylovBasis` with one column per step and no restarts in place. Each new vector is
/// orthogonalised against all earlier ones, by classical Gram-Schmidt repeated until nothing cancels
/// any more ("twice is enough", through matrix-vector products). The basis is held in `Scalar`, the
/// coefficients in double precision. When the space turns out to be invariant (`beta_k` at rounding
/// level), `beta_k` is set to zero, and `restart` continues with a fresh random direction orthogonal
/// to the basis.
///
/// Memory: `dimension` scalars per column, in chunks of 16 columns that are never moved.
///
/// Reference: Golub and Van Loan, "Matrix Computations" (2013), section 10.1; Giraud, Langou,
/// Rozloznik and van den Eshof, "Rounding error analysis of the classical Gram-Schmidt
/// orthogonalization process" (2005).
public final class LanczosFactorization<Scalar: LinearMapScalar> {
  public var dimension: Int { basis.dimension }
  /// The diagonal of `T_k`.
  public private(set) var alphas: [Double] = []
  /// `beta_1 ... beta_k`: the off-diagonal of `T_k`, and the norm that leads on; 0 where the space
  /// was invariant.
  public private(set) var betas: [Double] = []
  /// The steps that began from a fresh direction: 0, then one per `restart`.
  public private(set) var blockStarts: [Int] = [0]

  private let basis: KrylovBasis<Scalar>

  /// The largest norm that was taken for rounding and set to zero in `betas`.
  public var largestDroppedBeta: Double { basis.dropped }
  /// The largest coefficient outside `T_k` seen so far: what rounding of the products, or a map
  /// that is not symmetric, adds to the factorisation.
  public var asymmetry: Double { basis.asymmetry }
  /// The steps done so far, `k`; each cost one product.
  public var count: Int { alphas.count }
  /// Whether the basis spans the whole space.
  public var isComplete: Bool { basis.isComplete }
  /// Whether the last step found an invariant subspace and `restart` must come before `extend`.
  public var isInvariant: Bool {
    isComplete || (betas.last == 0 && blockStarts[blockStarts.count - 1] != count)
  }
  /// `|T_k|` in the maximum norm: a cheap estimate of `|A|`, never above it by more than sqrt(3).
  public var scale: Double { basis.scale }
  /// The level at which a new vector is nothing but rounding.
  public var breakdownLevel: Double { basis.breakdownLevel }

  /// Begins with the direction of `start`.
  ///
  /// Throws `zeroStart` or `nonFiniteVector`.
  public init(start: [Scalar]) throws {
    precondition(!start.isEmpty, "a map has at least one dimension")
    basis = try KrylovBasis(start: start)
  }

  /// One product: appends `alpha_k`, `beta_k` and `v_{k+1}`.
  ///
  /// Throws what the map throws, `nonFiniteProduct` and `tooLarge`.
  public func extend<Map: LinearMap<Scalar>>(by map: Map) throws {
    precondition(!isInvariant, "an invariant subspace does not grow; restart it first")
    try basis.extend(by: map, dropTolerance: 0)
    let step = basis.chain.steps[basis.chain.steps.count - 1]
    alphas.append(step.diagonal[0])
    betas.append(step.coupling.first ?? 0)
  }

  /// Continues past an invariant subspace with a random direction orthogonal to it (`beta_k = 0`).
  public func restart(using generator: inout SeededGenerator) {
    precondition(isInvariant && !isComplete, "only an invariant proper subspace is restarted")
    basis.beginAnew(using: &generator)
    blockStarts.append(count)
  }

  /// `V_k s` for `k` coefficients, normalised where `normalized`.
  public func combination(_ coefficients: [Double], normalized: Bool = false) -> [Scalar] {
    basis.combination(coefficients, normalized: normalized)
  }

  /// The basis vector `v_{index+1}`; `count + 1` of them exist, `count` after a breakdown.
  public func basisVector(_ index: Int) -> [Scalar] {
    precondition(index < count + (isInvariant ? 0 : 1), "basis vector \(index) does not exist")
    return basis.column(index)
  }

  /// The eigensystem of `T_k`.
  public func ritzSystem(vectors: TridiagonalEigensystem.Vectors) throws -> TridiagonalEigensystem {
    try TridiagonalEigensystem(
      diagonal: alphas, offDiagonal: Array(betas.dropLast()), vectors: vectors)
  }
}
