/// An approximate eigenvalue with its vector and the norm that certifies it.
public struct Eigenpair<Scalar: LinearMapScalar>: Sendable {
  /// The Ritz value `theta`.
  public let value: Double
  /// Bound on `‖A v - theta v‖`: `|beta_k s_k|` plus what rounding adds. Some eigenvalue lies within
  /// it of `value`; which one, it does not say.
  public let residual: Double
  /// The Ritz vector `v`, of unit norm.
  public let vector: [Scalar]

  /// `‖A v - theta v‖` measured by one more product, in double precision.
  ///
  /// Throws what the map throws.
  public func measuredResidual<Map: LinearMap<Scalar>>(of map: Map) throws -> Double {
    let product = try map(vector)
    let difference = zip(product, vector).map { Double($0) - value * Double($1) }
    return Double.nrm2(difference.count, difference)
  }
}

/// The outermost eigenpairs of a symmetric map, by Lanczos from a random start, with an upper bound
/// on the largest eigenvalue and a lower bound on the smallest from the same products.
///
/// A residual certifies that *some* eigenvalue is near; that it is the outermost one only the bound
/// says, and it needs a random start. With a start of the caller's the bounds are nil, unless the
/// start's Krylov space ended early and the rest was explored from a random direction.
/// One starting vector sees one copy of a multiple eigenvalue until rounding, or a restart after an
/// invariant subspace, brings up the others.
///
/// Cost: `k` products, `k` vectors of memory, `2 n k²` operations of orthogonalisation.
///
/// Reference: Parlett, "The Symmetric Eigenvalue Problem" (1998), chapter 13; `ProbabilisticBound`.
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
    /// Products allowed; the dimension is always enough.
    public var maxApplications = 300
    public var seed: UInt64 = 0
    /// Where to start; nil for a random direction, the only one that the bounds hold for.
    public var start: [Scalar]?
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
  /// Throws `tooManyEigenpairs`, `nonFiniteProduct`, `zeroStart`, and what the map throws.
  public init<Map: LinearMap<Scalar>>(of map: Map, options: Options = Options()) throws {
    let n = map.dimension
    guard options.count <= n else {
      throw LinearMapError.tooManyEigenpairs(requested: options.count, dimension: n)
    }
    precondition(options.count >= 1, "at least one eigenpair must be asked for")
    precondition(options.maxApplications >= 1, "at least one product must be allowed")
    precondition(options.tolerance > 0, "the tolerance must be positive")
    var generator = SeededGenerator(seed: options.seed)
    let start = options.start ?? generator.unitSphere(n)
    precondition(start.count == n, "a start of \(start.count) meets a map of dimension \(n)")
    let lanczos = try LanczosFactorization(start: start)
    while true {
      try lanczos.extend(by: map)
      let isLast = lanczos.count == min(n, max(options.maxApplications, 1))
      if isLast || lanczos.isInvariant || lanczos.count % (1 + lanczos.count / 16) == 0 {
        let state = try RitzState(lanczos, options: options)
        if isLast || state.isFinished {
          self.init(lanczos, state, options)
          return
        }
      }
      if lanczos.isInvariant { lanczos.restart(using: &generator) }
    }
  }

  private init(
    _ lanczos: LanczosFactorization<Scalar>, _ state: RitzState<Scalar>, _ options: Options
  ) {
    func pair(_ index: Int) -> Eigenpair<Scalar> {
      let k = state.ritz.dimension
      return Eigenpair(
        value: state.ritz.values[index], residual: state.residual(index),
        vector: lanczos.combination(
          Array(state.ritz.vectors[index * k..<(index + 1) * k]), normalized: true))
    }
    largest = state.largest.map(pair)
    smallest = state.smallest.map(pair)
    upperBound = state.upperBound
    lowerBound = state.lowerBound
    failureProbability = options.failureProbability
    seed = options.seed
    scale = state.scale
    rounding = state.rounding
    convergence = state.convergence
  }
}
