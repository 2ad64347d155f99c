import Foundation

/// The density of eigenvalues `(1/n) sum_i delta(t - lambda_i)` of a symmetric map, as weighted
/// nodes with an error bar: the Wasserstein-1 distance, the area between the two CDFs.
///
/// `wassersteinBound` is the sum of what the finite number of products can hide and of what the
/// random probes can miss. The first part is a theorem (Chebyshev, Markov, Stieltjes for Lanczos;
/// the second moment of the Jackson kernel for Chebyshev moments), the interval of the spectrum
/// included, which holds except with a small share of `failureProbability`. The second part is a
/// theorem about the true density (exact variance of a uniform probe, see `DensitySamplingBound`) into
/// which the estimated density is put: an estimate, and calibrated as such. `wassersteinEstimate` is
/// the expected size.
///
/// Reference: Chen, Trogdon and Ubaru, "Analysis of stochastic Lanczos quadrature for spectrum
/// approximation" (2021); Weisse, Wellein, Alvermann and Fehske, "The kernel polynomial method"
/// (2006).
public struct SpectralDensity: Codable, Sendable, Equatable {
  /// How the measure of a probe is found.
  public enum Method: String, Codable, Sendable, CaseIterable {
    /// Stochastic Lanczos quadrature: one product per step, no interval needed, two-sided bound.
    case lanczos
    /// Chebyshev moments damped by Jackson's kernel: two moments per product, products in blocks.
    case kernelPolynomial = "kernel-polynomial"
  }

  /// Ascending.
  public let nodes: [Double]
  /// Not negative, one per node; their sum is 1.
  public let weights: [Double]
  public let method: Method
  /// Random vectors that the density averages over; 0 where all eigenvalues were computed.
  public let probes: Int
  /// Products of the longest probe.
  public let steps: Int
  /// Outlying eigenvalues found first and counted exactly, outside of the sampling.
  public let deflated: Int
  public let seed: UInt64
  /// Products with the map, everything counted.
  public let operatorApplications: Int
  /// An interval that holds every eigenvalue, except with a small share of the failure probability.
  public let lower: Double
  public let upper: Double
  /// The distance between the outermost Ritz values, never more than between the outermost
  /// eigenvalues (up to rounding): what relative errors are relative to.
  public let range: Double
  /// The Wasserstein-1 distance to the true density is at most this, except with
  /// `failureProbability`; in units of the eigenvalues.
  public let wassersteinBound: Double
  /// The part of the bound that more steps would reduce; the rest needs more probes.
  public let stepBound: Double
  /// The expected distance, without a guarantee.
  public let wassersteinEstimate: Double
  public let failureProbability: Double
  public let convergence: Convergence
  /// At the numbers that the options name.
  public let splits: [Split]

  /// The fraction of eigenvalues that are at most `x`.
  public func cumulative(at x: Double) -> Double {
    var sum = 0.0
    for (node, weight) in zip(nodes, weights) where node <= x { sum += weight }
    return min(sum, 1)
  }

  /// `sum_i w_i exp(-(x - t_i)²/(2 width²)) / (width sqrt(2 pi))`: the density smoothed by a normal
  /// of standard deviation `width`, which moves it by at most `0.8 width` in Wasserstein distance.
  public func density(at x: Double, width: Double) -> Double {
    precondition(width > 0, "a density is smoothed over a positive width")
    var sum = 0.0
    for (node, weight) in zip(nodes, weights) {
      let z = (x - node) / width
      sum += weight * exp(-0.5 * z * z)
    }
    return sum / (width * (2 * Double.pi).squareRoot())
  }

  /// `sum_i w_i t_i^degree`, an estimate of `tr(A^degree) / n`.
  public func moment(_ degree: Int) -> Double {
    precondition(degree >= 0, "the degree of a moment is not negative")
    return zip(nodes, weights).reduce(0) { $0 + $1.1 * pow($1.0, Double(degree)) }
  }

  /// The estimate's fraction below `threshold`. Near many eigenvalues it may be far from the truth:
  /// `Split` says between which bounds that lies.
  public func negativeMass(below threshold: Double = 0) -> Double {
    zip(nodes, weights).reduce(0) { $0 + ($1.0 < threshold ? $1.1 : 0) }
  }

  /// The least node at which the CDF reaches `fraction`, between 0 and 1.
  public func quantile(_ fraction: Double) -> Double {
    precondition(fraction >= 0 && fraction <= 1, "a quantile belongs to a fraction from 0 to 1")
    var sum = 0.0
    for (node, weight) in zip(nodes, weights) {
      sum += weight
      if sum >= fraction - 1e-12 && weight > 0 { return node }
    }
    return nodes[nodes.count - 1]
  }

  /// `integral |F - G| dt` of the CDFs of the two densities.
  public func wassersteinDistance(to other: SpectralDensity) -> Double {
    Self.wassersteinDistance(nodes, weights, other.nodes, other.weights)
  }

  /// `integral |F - G| dt` to the density of known eigenvalues, in any order.
  public func wassersteinDistance(toEigenvalues values: [Double]) -> Double {
    precondition(!values.isEmpty, "a density has at least one eigenvalue")
    let weight = 1 / Double(values.count)
    return Self.wassersteinDistance(
      nodes, weights, values, [Double](repeating: weight, count: values.count))
  }

  /// The Wasserstein-1 distance of two weighted sets of equal mass, exact: the area between their
  /// CDFs, each node a step.
  public static func wassersteinDistance(
    _ nodes: [Double], _ weights: [Double], _ otherNodes: [Double], _ otherWeights: [Double]
  ) -> Double {
    precondition(
      nodes.count == weights.count && otherNodes.count == otherWeights.count,
      "one weight goes with each node")
    var steps = zip(nodes, weights).map { (position: $0, jump: $1) }
    steps += zip(otherNodes, otherWeights).map { (position: $0, jump: -$1) }
    steps.sort { $0.position < $1.position }
    var area = 0.0
    var difference = 0.0
    for (step, next) in zip(steps, steps.dropFirst()) {
      difference += step.jump
      area += abs(difference) * (next.position - step.position)
    }
    return area
  }
}
