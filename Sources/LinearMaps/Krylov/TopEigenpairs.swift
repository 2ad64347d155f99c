/// An approximate eigenvalue with its vector and the norm that certifies it.
public struct Eigenpair<Scalar: LinearMapScalar>: Sendable {
  /// The Ritz value `theta`.
  public let value: Double
  /// Bound on `‖A v - theta v‖`: `‖C s‖` of `KrylovBasis` plus what rounding adds. Some eigenvalue lies within
  /// it of `value`; which one, it does not say.
  public let residual: Double
  /// The Ritz vector `v`, of unit norm.
  public let vector: [Scalar]
  /// `converged` if the residual is within the tolerance, else what stands in the way.
  public let reason: Convergence.Reason

  /// `‖A v - theta v‖` measured by one more product, in double precision.
  ///
  /// Throws what the map throws.
  public func measuredResidual<Map: LinearMap<Scalar>>(of map: Map) throws -> Double {
    let product = try map(vector)
    let difference = zip(product, vector).map { Double($0) - value * Double($1) }
    return Double.nrm2(difference.count, difference)
  }
}

/// The outermost eigenpairs of a symmetric map, by thick-restart block Lanczos from a random start,
/// with an upper bound on the largest eigenvalue and a lower bound on the smallest from the same
/// products.
///
/// A residual certifies that *some* eigenvalue is near; that it is the outermost one only the bound
/// says, and it needs a random direction in the first block. A block of `b` columns shows `b` copies
/// of a multiple eigenvalue; further ones come up once an invariant subspace has been found.
///
/// Cost: `k` products and, without restarts, `k` vectors of memory and `2 n k²` operations of
/// orthogonalisation. With restarts the vectors are `maxBasisColumns` and the products more.
///
/// Reference: Parlett, "The Symmetric Eigenvalue Problem" (1998), chapter 13; `KrylovBasis`,
/// `RecurrenceChain`.
public struct TopEigenpairs<Scalar: LinearMapScalar>: Sendable {
  public enum End: String, Codable, Sendable, CaseIterable {
    case largest, smallest, both
  }

  /// What to compute and when to stop; every length is relative to the largest `|lambda|` seen.
  public struct Options: Sendable {
    /// Eigenpairs wanted at each end asked for.
    public var count = 1
    public var end = End.largest
    /// Largest `residual / |lambda|_max` that counts as converged.
    public var tolerance = 1e-6
    /// Largest distance of the bound from its Ritz value; nil leaves it out of the decision.
    public var boundTolerance: Double? = 1e-3
    /// Products allowed; the dimension is enough without restarts.
    public var maxApplications = 300
    /// Columns per step. More than 1 costs more products; choose it for multiple eigenvalues (as
    /// many columns as copies to be found) or where a map does several columns for less.
    public var blockSize = 1
    /// Basis vectors held at once, a restart making room when they are full; nil for no restart.
    /// At least the pairs wanted, two more and four blocks are held, whatever is asked for.
    public var maxBasisColumns: Int?
    public var seed: UInt64 = 0
    /// Where to start; nil for a random direction. With one column per step there are no bounds
    /// then, unless its Krylov space ends early and the rest is explored from a random direction.
    public var start: [Scalar]?
    /// Vectors near the eigenvectors wanted, such as those of an earlier answer. They share the
    /// first block with a random column (or as many as fill `blockSize`), drawn independently of
    /// them, which the bounds hold for; those that turn out accurate leave the later blocks.
    public var startVectors: [[Scalar]] = []
    /// Called at every check with the products so far, the largest residual wanted and the distance
    /// of the bound (nil if there is none), both relative to the largest `|lambda|` seen.
    public var onProgress:
      (@Sendable (_ products: Int, _ residual: Double, _ boundGap: Double?) -> Void)?
    /// Chance, over random starts, that one bound is wrong.
    public var failureProbability = 1e-6

    public init() {}
  }

  /// Descending; empty unless asked for.
  public let largest: [Eigenpair<Scalar>]
  /// Ascending; empty unless asked for.
  public let smallest: [Eigenpair<Scalar>]
  /// The largest eigenvalue is not above this, except with `failureProbability`; nil if unknown.
  public let upperBound: Double?
  /// The smallest eigenvalue is not below this, except with `failureProbability`; nil if unknown.
  public let lowerBound: Double?
  public let failureProbability: Double
  public let seed: UInt64
  /// The largest `|lambda|` seen.
  public let scale: Double
  /// What rounding of the arithmetic and of the products can add to a residual or a bound.
  public let rounding: Double
  public let convergence: Convergence

  /// Runs Lanczos on `map` until the options are met.
  ///
  /// Throws `tooManyEigenpairs`, `nonFiniteProduct`, `nonFiniteVector`, `zeroStart`, `notSymmetric`,
  /// and what the map throws.
  public init<Map: LinearMap<Scalar>>(of map: Map, options: Options = Options()) throws {
    let n = map.dimension
    guard options.count <= n else {
      throw LinearMapError.tooManyEigenpairs(requested: options.count, dimension: n)
    }
    precondition(options.count >= 1, "at least one eigenpair must be asked for")
    precondition(options.blockSize >= 1, "a block has at least one column")
    precondition(options.maxApplications >= 1, "at least one product must be allowed")
    precondition(options.tolerance > 0, "the tolerance must be positive")
    let basis = try KrylovBasis(of: map, options: options)
    // Below the tolerance by enough that what is dropped does not stand in its way, and below what
    // would look like a map that is not symmetric.
    let dropTolerance = min(options.tolerance / 16, 1e-5)
    var state: RitzState<Scalar>?
    var lastCheck = 0
    while true {
      try basis.extend(by: map, dropTolerance: dropTolerance)
      try basis.requireSymmetry()
      let steps = basis.chain.steps.count
      let isLast =
        basis.isComplete || basis.products + basis.nextWidth > options.maxApplications
      // A bound goes through all steps so far: its cost is kept in proportion to theirs.
      let stride = 1 + steps / 16
      let isDue = steps % stride == 0 || (basis.isFull && steps >= lastCheck + stride)
      if isLast || basis.isInvariant || isDue {
        let current = try RitzState(basis, options: options, previous: state)
        options.onProgress?(basis.products, current.relativeResidual, current.relativeGap)
        if isLast || current.isFinished {
          self.init(basis, current, options)
          return
        }
        state = current
        lastCheck = steps
      }
      if basis.isFull {
        let ritz = try lastCheck == steps ? state!.ritz : basis.ritzSystem()
        basis.restart(keeping: options.kept(in: basis), of: ritz)
      }
    }
  }

  private init(
    _ basis: KrylovBasis<Scalar>, _ state: RitzState<Scalar>, _ options: Options
  ) {
    func pair(_ index: Int) -> Eigenpair<Scalar> {
      Eigenpair(
        value: state.ritz.values[index], residual: state.residual(index),
        vector: basis.combination(state.ritz.vector(index), normalized: true),
        reason: state.reason(index))
    }
    largest = state.largest.map(pair)
    smallest = state.smallest.map(pair)
    upperBound = state.bounds.upper
    lowerBound = state.bounds.lower
    failureProbability = options.failureProbability
    seed = options.seed
    scale = state.scale
    rounding = state.rounding
    convergence = state.convergence
  }
}

extension TopEigenpairs.Options {
  /// The Ritz vectors that a restart keeps: the wanted ones and half of the others, outermost first.
  ///
  /// With one end asked for, a quarter of the others come from the far end: on curvature whose
  /// large eigenvalues stand apart they save a third of the products for the smallest one, where
  /// half would cost a Laplacian as much.
  fileprivate func kept(in basis: KrylovBasis<Scalar>) -> [Int] {
    let k = basis.count
    let wanted = count * (end == .both ? 2 : 1)
    let width = basis.blockColumns
    let most = basis.capacity - 3 * basis.nextWidth
    // Whole blocks, so that those to come lie in one piece of memory.
    let kept = (min(wanted + (k - wanted) / 2, most) + width - 1) / width * width
    let far = max(kept - wanted, 0) / 4
    let bottom =
      switch end {
      case .largest: far
      case .smallest: kept - far
      case .both: kept / 2
      }
    return Array(0..<bottom) + Array(k - (kept - bottom)..<k)
  }
}

extension KrylovBasis {
  /// The first block as the options describe it.
  fileprivate convenience init<Map: LinearMap<Scalar>>(
    of map: Map, options: TopEigenpairs<Scalar>.Options
  ) throws {
    let n = map.dimension
    let starts = (options.start.map { [$0] } ?? []) + options.startVectors
    for start in starts {
      precondition(start.count == n, "a start of \(start.count) meets a map of dimension \(n)")
    }
    // Warm starts come from runs with the same seed: their random directions must not come again.
    var seed = options.seed
    for value in starts.joined() {
      seed = (seed ^ Double(value).bitPattern) &* 0x100_0000_01B3
    }
    let random = options.blockSize - starts.count
    let wanted = min(options.count, n) * (options.end == .both ? 2 : 1)
    try self.init(
      dimension: n, starts: starts,
      randomColumns: max(random, options.startVectors.isEmpty ? 0 : 1),
      blockColumns: options.blockSize,
      capacity: options.maxBasisColumns.map { max($0, wanted + 2 + 4 * options.blockSize) } ?? 2
        * n,
      generator: SeededGenerator(seed: seed))
  }
}
