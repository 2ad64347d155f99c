import Foundation

/// What `m` random probes can miss of a density: `W = integral |F_m - F| dt`, accumulated over
/// intervals in ascending order.
///
/// For a probe uniform on the sphere in `n` dimensions, `F_1(t)` is a Beta variable of mean `F(t)`
/// and variance `2 F (1 - F) / (n + 2)`, so that the mean of W is at most
/// `sqrt(2/pi) integral sqrt(2 F (1 - F) / ((n + 2) m)) dt`. W is the supremum of linear statistics
/// `integral f d(mu_m - mu)` over 1-Lipschitz f, whose variance is at most
/// `sigma² = 2 Var_mu(t) / ((n + 2) m)`. By the inequality of Borell, Tsirelson, Ibragimov and Sudakov
/// W exceeds its median by `z sigma` with probability at most `1 - Phi(z)`, where the fluctuations are
/// normal; what the Beta variables near the ends are skewed adds `(z² - 1)/3` times their scale
/// `2/(n m)`, as in the expansion of Cornish and Fisher.
///
/// The true F is not known: the estimate takes its place, kept at least one eigenvalue away from 0
/// and 1 inside of the spectrum. No spread between probes enters, so that probes that agree by
/// accident cannot look like certainty.
///
/// Reference: Ledoux, "The Concentration of Measure Phenomenon" (2001), section 7.1.
struct DensitySamplingBound {
  private let size: Double
  private let probes: Double
  private let z: Double
  private(set) var mean = 0.0
  private var skewness = 0.0
  private var area = 0.0
  private var variance = 0.0

  init(dimension: Int, probes: Int, failureProbability: Double) {
    size = Double(dimension)
    self.probes = Double(probes)
    z = Self.normalQuantile(failureProbability)
  }

  /// Not exceeded except with the failure probability.
  var bound: Double {
    mean + z * (2 * variance / ((size + 2) * probes)).squareRoot() + skewness
  }

  /// Goes on over an interval of this width, on which the CDF is `fraction`.
  mutating func advance(_ width: Double, at fraction: Double) {
    guard size > 1, width > 0 else { return }
    let f = min(max(fraction, 1 / size), 1 - 1 / size)
    mean += width * (4 / Double.pi * f * (1 - f) / ((size + 2) * probes)).squareRoot()
    skewness += width * (z * z - 1) / 3 * 2 / (size * probes) * abs(1 - 2 * f)
    variance += 2 * (1 - f) * width * (area + 0.5 * width * f)
    area += width * f
  }

  /// The `z >= 1` with `1 - Phi(z) = epsilon`; 1 where epsilon is larger than that.
  static func normalQuantile(_ epsilon: Double) -> Double {
    var (low, high) = (1.0, 40.0)
    for _ in 0..<60 {
      let middle = 0.5 * (low + high)
      if 0.5 * erfc(middle / 2.0.squareRoot()) > epsilon { low = middle } else { high = middle }
    }
    return high
  }
}
