/// How the random probes `omega` of a stochastic estimate are drawn; always `E[omega omega'] = I`.
public enum ProbeDistribution: String, Codable, Sendable, CaseIterable {
  /// Fair signs: the variance of `omega'A omega` is `2(‖A‖_F² - sum_i A_ii²)`.
  case rademacher
  /// Standard normal numbers: the variance is `2 ‖A‖_F²`.
  case gaussian
  /// Uniform on the sphere of radius `sqrt(n)`: the variance is
  /// `2n/(n + 2) (‖A‖_F² - (tr A)²/n)`.
  case sphere
}

/// What the tolerance of a stochastic estimate is relative to.
public enum ToleranceScale: String, Codable, Sendable, CaseIterable {
  /// The size of the estimate itself; out of reach where it is zero, as traces of indefinite maps
  /// may be.
  case value
  /// The Frobenius norm of what is estimated: of `A`, or of `f(A)` for a trace of `f(A)`.
  case frobenius
}

/// When a stochastic estimate stops, and what it may spend.
///
/// The number of probes doubles until the standard error is within the tolerance at two checks in
/// succession, the second on twice the probes of the first, and never before `minProbes`: one lucky
/// sample does not stop it. Where the next check would cost as much as the exact answer, or leave
/// too little of the budget for it, the exact answer is computed instead.
public struct EstimatorOptions: Sendable {
  /// Largest standard error that counts as converged, relative to `toleranceScale`; with 0 the
  /// whole budget is spent.
  public var tolerance = 1e-2
  public var toleranceScale = ToleranceScale.value
  /// Products allowed, at least 8; they may end before `minProbes` are reached.
  public var maxApplications = 1000
  /// Probes at the first check, at least 4.
  public var minProbes = 10
  /// How the probes are drawn where the method leaves the choice.
  public var probes = ProbeDistribution.rademacher
  public var seed: UInt64 = 0
  /// Called after every block of products.
  public var onProgress: (@Sendable (EstimatorProgress) -> Void)?

  public init() {}
}

/// Where a stochastic estimate stands.
public struct EstimatorProgress: Codable, Sendable, Equatable {
  public let operatorApplications: Int
  public let maxApplications: Int
  /// The estimate at the last check; nil before the first.
  public let latest: EstimatedValue?
}

/// A number with its standard error, which is 0 where it is exact up to rounding.
public struct EstimatedValue: Codable, Sendable, Equatable {
  public let value: Double
  public let standardError: Double

  public init(value: Double, standardError: Double) {
    self.value = value
    self.standardError = standardError
  }

  /// The mean of at least two samples and `sqrt(sum (x_i - mean)² / (m (m - 1)))`.
  public init(samples: [Double]) {
    let m = Double(samples.count)
    precondition(m >= 2, "one sample has no standard error")
    let mean = samples.reduce(0, +) / m
    let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.init(value: mean, standardError: (squares / (m * (m - 1))).squareRoot())
  }

  /// What the scatter of leave-one-out values is multiplied with.
  ///
  /// They are no independent samples: what two probes do together enters the values of both, so that
  /// the variance of their mean is up to twice what their scatter says. Measured over spectra and
  /// sizes, the true error is 1.0 to 1.44 times the scatter's.
  static let leaveOneOutFactor = 2.0.squareRoot()
}
