/// The smallest (leftmost) eigenpairs of a symmetric map, by the method that its spectrum asks for.
///
/// Every residual is `‖A v - theta v‖`, measured by a product with `A` itself (or, where the budget
/// leaves none for that, taken from the products made); some eigenvalue lies within it of `value`.
/// That it is the smallest, only `lowerBound` says. Of `count` > 1 values the later ones may skip a
/// neighbour, by a few times the tolerance.
///
/// The rule of `automatic`: Lanczos as long as its basis fits, since no other method gets more out
/// of a product. Products to a residual of 1e-6 |lambda|_max, one pair: 400 values like a trained
/// network's (ten outliers, a bulk at 0, a small negative tail): Lanczos 31, filter 136,
/// shift-and-invert 91; Wishart: 121, 179, 167; 1-D Laplacian, n = 1000: 1,001, 1,354, 1,118.
/// Beyond the basis, or where one start cannot tell copies apart: shift-and-invert if flattening
/// the top of the spectrum leaves less than half of the work (1/k² at 1e-9, after 200 columns:
/// 2,009 against more than 10,000 of the filter), else the filter, which keeps `2 count + 18`
/// columns.
///
/// Cost of the subspace methods: those columns twice, and the sketch. Where more eigenvalues lie
/// within the tolerance than columns are held, they converge slowly or not at all: `budget` says
/// so.
///
/// Reference: Zhou and Saad, "A Chebyshev-Davidson algorithm for large symmetric eigenproblems"
/// (2007); Notay, "Combination of Jacobi-Davidson and conjugate gradients for the partial symmetric
/// eigenproblem" (2002); docs/decisions/0011-smallest-eigenvalues.md.
public struct SmallestEigenpairs<Scalar: LinearMapScalar>: Sendable {
  public enum Method: String, Codable, Sendable, CaseIterable {
    /// The stated rule chooses.
    case automatic
    /// Lanczos with the whole basis kept.
    case lanczos
    /// A subspace enlarged by Chebyshev polynomials of `A` on its Ritz vectors.
    case chebyshevFilter
    /// A subspace enlarged by solves with `A - sigma I`, through conjugate gradients or MINRES.
    case shiftInvert
  }

  /// What to compute and when to stop; every length is relative to the largest `|lambda|` seen.
  public struct Options: Sendable {
    public var count = 1
    /// Largest `residual / |lambda|_max` that counts as converged.
    public var tolerance = 1e-6
    /// Largest distance of the lower bound from the smallest value for `lanczos` to be converged;
    /// nil leaves it out of the decision.
    public var boundTolerance: Double? = 1e-3
    public var method = Method.automatic
    /// Products allowed, everything counted.
    public var maxApplications = 5000
    public var seed: UInt64 = 0
    /// Vectors that may be near the wanted ones; with them `lanczos` gives no bound.
    public var start: [[Scalar]] = []
    /// `sigma` of `shiftInvert`; nil to follow the Ritz values. Above the smallest eigenvalue the
    /// systems are indefinite and MINRES solves them.
    public var shift: Double?
    /// Basis vectors that Lanczos may keep; nil for as many as it takes, under `automatic` for what
    /// fits in 1 GiB and at most 1,000.
    public var basisColumns: Int?
    /// Columns of the Nyström sketch of `shiftInvert`, 0 for none; nil to weigh its cost against
    /// its gain, and to take the top Ritz pairs of a long Lanczos basis instead, which cost
    /// nothing.
    public var sketchColumns: Int?
    /// Chance, over random starts, that the lower bound is wrong.
    public var failureProbability = 1e-6

    public init() {}
  }

  /// Ascending.
  public let pairs: [Eigenpair<Scalar>]
  /// The smallest eigenvalue is not below this, except with `failureProbability`: from the Lanczos
  /// steps made from a random start, a few only for the other methods; nil where there were none.
  public let lowerBound: Double?
  public let failureProbability: Double
  /// The method that found the pairs, never `automatic`.
  public let method: Method
  /// Why it was that method, in one sentence.
  public let choice: String
  /// The largest `|lambda|` seen.
  public let scale: Double
  /// Values nearer to zero than this are not told from zero: `n eps |lambda|_max`, or the rounding
  /// of the products.
  public let resolution: Double
  public let seed: UInt64
  /// `stagnatedAtRounding` also where a value is within `resolution` of zero.
  public let convergence: Convergence

  /// The tolerance asked for.
  public let tolerance: Double

  /// Whether every value is told from zero, by the rounding and at the tolerance: where it is not,
  /// neither its sign nor a condition number is known.
  public var isResolved: Bool {
    scale == 0 || pairs.allSatisfy { abs($0.value) > max(resolution, tolerance * scale) }
  }

  /// Finds the pairs of `map` by the options.
  ///
  /// Throws `tooManyEigenpairs`, `nonFiniteProduct`, `nonFiniteVector`, `zeroStart`, and what the
  /// map throws.
  public init<Map: LinearMap<Scalar>>(of map: Map, options: Options = Options()) throws {
    let n = map.dimension
    guard options.count <= n else {
      throw LinearMapError.tooManyEigenpairs(requested: options.count, dimension: n)
    }
    precondition(options.count >= 1, "at least one eigenpair must be asked for")
    precondition(options.maxApplications >= 1, "at least one product must be allowed")
    precondition(options.tolerance > 0, "the tolerance must be positive")
    precondition(
      options.start.allSatisfy { $0.count == n }, "a start does not fit the map of dimension \(n)")
    var search = SmallestEndSearch(map, options)
    let found = try search.run()
    pairs = found.pairs
    lowerBound = found.lowerBound
    failureProbability = options.failureProbability
    method = found.method
    choice = found.choice
    scale = found.scale
    resolution = found.resolution
    tolerance = options.tolerance
    seed = options.seed
    convergence = found.convergence
  }
}
