import Foundation

/// The Beta distribution of a probe's weight on a part of the spectrum.
enum BetaDistribution {
  /// The chance that a Beta variable of parameters `a`, `b` is at most `x`.
  ///
  /// The continued fraction of the incomplete beta function by Lentz's method.
  ///
  /// Reference: Press et al., "Numerical Recipes" (1992), section 6.4.
  static func probability(of x: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    // On the other side of the mean the fraction converges slowly.
    return x <= (a + 1) / (a + b + 2) ? lower(x, a, b) : 1 - lower(1 - x, b, a)
  }

  private static func lower(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    var (c, d) = (1.0, 1 - (a + b) * x / (a + 1))
    d = 1 / (abs(d) < tiny ? tiny : d)
    var fraction = d
    for step in 1...10_000 {
      let m = Double(step)
      var last = 1.0
      for term in [
        m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
        -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
      ] {
        d = 1 + term * d
        d = 1 / (abs(d) < tiny ? tiny : d)
        c = 1 + term / c
        if abs(c) < tiny { c = tiny }
        last = c * d
        fraction *= last
      }
      if abs(last - 1) < 1e-13 { break }
    }
    let logarithm =
      lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x) - log(a)
    return min(1, exp(logarithm) * fraction)
  }

  /// The smallest and the largest mean `F` for which a variable of parameters `s F`, `s (1 - F)` is at
  /// least `low`, or at most `high`, with a probability of `tail`.
  static func means(
    low: Double, high: Double, size s: Double, tail: Double
  ) -> (lower: Double, upper: Double) {
    /// The root of a function that grows.
    func root(_ isBelow: (Double) -> Bool) -> Double {
      var (left, right) = (0.0, 1.0)
      for _ in 0..<50 {
        let middle = 0.5 * (left + right)
        if isBelow(middle) { left = middle } else { right = middle }
      }
      return 0.5 * (left + right)
    }
    return (
      low <= 0 ? 0 : root { 1 - probability(of: low, s * $0, s * (1 - $0)) < tail },
      high >= 1 ? 1 : root { probability(of: high, s * $0, s * (1 - $0)) > tail }
    )
  }
}
