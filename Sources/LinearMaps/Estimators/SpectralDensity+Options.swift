import Foundation

extension SpectralDensity {
  /// Where Lanczos keeps its vectors.
  public enum Basis: String, Codable, Sendable, CaseIterable {
    /// Stored while the largest possible basis fits into `basisMemory`, else not.
    case automatic
    /// All of them, with full reorthogonalisation; allows outliers to be deflated.
    case stored
    /// Three vectors: orthogonality is lost, which costs copies of converged nodes, but no accuracy
    /// of the density.
    case free
  }

  /// How far a running computation has come.
  public struct Progress: Sendable {
    public let operatorApplications: Int
    /// Probes that entered the bound so far.
    public let probes: Int
    public let wassersteinBound: Double
    /// The bound that ends the run, in units of the eigenvalues; nil with fixed steps and probes.
    public let target: Double?
  }

  /// How to compute a density, and when to stop.
  public struct Options: Sendable {
    /// Lanczos unless said otherwise: its bound is two-sided and it needs no interval. The kernel
    /// polynomial pays where products in blocks are much cheaper than single ones.
    public var method = Method.lanczos
    public var basis = Basis.automatic
    /// Bytes allowed for a stored basis when `basis` is automatic.
    public var basisMemory = 1 << 30
    /// Largest `wassersteinBound / range` that counts as converged, which then sets steps and
    /// probes; nil takes exactly `steps` and `probes`.
    public var error: Double? = 0.05
    /// Most products per probe; nil leaves them to the error (32 without one).
    public var steps: Int?
    /// Most probes; nil leaves them to the error (4 without one).
    public var probes: Int?
    /// Products allowed, everything counted.
    public var maxApplications = 1000
    /// Chance that the distance exceeds the bound.
    public var failureProbability = 0.01
    /// Whether a stored basis may serve to count outlying eigenvalues exactly.
    public var deflatesOutliers = true
    /// Numbers on whose sides the shares of the eigenvalues are wanted, with bounds.
    public var splits: [Double] = []
    public var seed: UInt64 = 0
    /// Called after each check of the bound.
    public var onProgress: (@Sendable (Progress) -> Void)?

    public init() {}
  }

  /// Steps and probes known to suffice for any map of a dimension.
  public struct Plan: Codable, Sendable, Equatable {
    public let steps: Int
    public let probes: Int
  }

  /// `ceil(12/t + 1/2)` Lanczos steps on `ceil(4 ln(2n/p) / ((n + 2) t²))` random vectors keep the
  /// Wasserstein distance below `t (lambda_max - lambda_min)` with probability `1 - p`, whatever the
  /// spectrum. A run with an error of its own measures how much less suffices and never takes more.
  ///
  /// Reference: Chen, Trogdon and Ubaru (2021), corollary 4.5.
  public static func plan(error t: Double, failureProbability p: Double, dimension n: Int) -> Plan {
    precondition(t > 0, "the error must be positive")
    precondition(p > 0 && p < 1, "a failure probability lies between 0 and 1")
    precondition(n >= 1, "a map has at least one dimension")
    let size = Double(n)
    return Plan(
      steps: wholeNumber(12 / t + 0.5),
      probes: max(1, wholeNumber(4 * log(2 * size / p) / ((size + 2) * t * t))))
  }

  /// The least error that `plan` grants to these steps and probes.
  static func plannedError(
    steps: Int, probes: Int, failureProbability p: Double, dimension n: Int
  ) -> Double {
    let size = Double(n)
    let sampling = (4 * log(2 * size / p) / ((size + 2) * Double(probes))).squareRoot()
    return max(12 / (Double(steps) - 0.5), sampling)
  }

  private static func wholeNumber(_ value: Double) -> Int {
    // Rounding in the division must not add a step; the product of steps and probes must not overflow.
    Int(min((value - 1e-9).rounded(.up), 1e9))
  }
}
