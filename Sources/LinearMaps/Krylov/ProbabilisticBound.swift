import Foundation

/// How short the part of a random start along an eigenvector may be, at a stated, tiny probability.
///
/// For a start uniform on the unit sphere, `v_{k+1} = p_k(A) v_1` with the Lanczos polynomial
/// `p_k(t) = prod_i (t - theta_i) / prod_i beta_i`. Since `‖v_{k+1}‖ = 1`, the component `gamma` of
/// `v_1` along the top eigenvector obeys `|gamma| p_k(lambda_max) <= 1`; and `|gamma| >= delta`
/// except with probability epsilon. As `p_k` grows beyond its largest root, lambda_max is at most
/// the `t` at which `p_k(t) = 1/delta`: an upper bound that fails with probability epsilon.
/// `upperEnd` finds it; `RecurrenceChain` does so for blocks and through restarts too.
///
/// Reference: van Dorsselaer, Hochstenbach and van der Vorst, "Computing probabilistic bounds for
/// extreme eigenvalues of symmetric matrices with the Lanczos method" (2000), sections 2 and 3.
public enum ProbabilisticBound {
  /// The `delta` with `P(|u_1| <= delta) = epsilon` for `u` uniform on the unit sphere in `n`
  /// dimensions: `2 B((n-1)/2, 1/2)^{-1} integral_0^delta (1 - t²)^{(n-3)/2} dt = epsilon`.
  public static func delta(dimension n: Int, failureProbability epsilon: Double) -> Double {
    precondition(n >= 1, "a sphere has at least one dimension")
    precondition(epsilon > 0 && epsilon < 1, "a failure probability lies between 0 and 1")
    if n == 1 { return 1 }
    if n == 2 { return sin(0.5 * .pi * epsilon) }
    let density = densityAtZero(n)
    // For n >= 3 the integral is concave in delta: Newton's method from the left never overshoots,
    // so that stopping early only lowers delta, which is the safe side.
    var delta = epsilon / density
    for _ in 0..<100 {
      let excess = epsilon - density * integral(upTo: delta, dimension: n)
      let slope = density * power(1 - delta * delta, 0.5 * Double(n - 3))
      let step = excess / slope
      guard step > 1e-15 * delta else { break }
      delta = min(delta + step, 1)
    }
    return delta
  }

  /// A `delta` with `P(|u| <= delta) <= epsilon` for `columns` components `u` of a vector uniform on
  /// the unit sphere in `n` dimensions, which are `q'V` for a random block `V` and a fixed unit `q`.
  ///
  /// `|u|²` is Beta(b/2, (n-b)/2) distributed; for two columns and more its density is bounded from
  /// above by its leading power, which gives a `delta` that is slightly too small: the safe side.
  public static func delta(
    dimension n: Int, columns b: Int, failureProbability epsilon: Double
  ) -> Double {
    precondition(b >= 1, "a block has at least one column")
    if b == 1 { return delta(dimension: n, failureProbability: epsilon) }
    if b >= n { return 1 }
    // With one dimension left over, the density grows towards 1; fewer columns have a shorter `u`.
    if b == n - 1 { return delta(dimension: n, columns: b - 1, failureProbability: epsilon) }
    let (half, rest) = (0.5 * Double(b), 0.5 * Double(n - b))
    let logDensity = log(2) + lgamma(half + rest) - lgamma(half) - lgamma(rest)
    return exp((log(epsilon * Double(b)) - logDensity) / Double(b)) * (1 - 1e-6)
  }

  /// The `t >= theta_max` at which `p_k(t) = 1/delta`, rounded upwards.
  ///
  /// `betas` holds `k` positive numbers, the last being the norm that leads to `v_{k+1}`.
  /// Throws when LAPACK cannot solve for the roots.
  public static func upperEnd(
    alphas: ArraySlice<Double>, betas: ArraySlice<Double>, delta: Double
  ) throws -> Double {
    precondition(!alphas.isEmpty && alphas.count == betas.count, "one beta goes with each alpha")
    let roots = try TridiagonalEigensystem(
      diagonal: Array(alphas), offDiagonal: Array(betas.dropLast()), vectors: .none)
    let largestRoot = roots.values[roots.dimension - 1]
    let target = -log(delta)
    var gap = max(abs(largestRoot), betas.max()!) * 1e-16
    // log p_k is concave beyond its roots: Newton's method from the left climbs monotonically and
    // multiplies a tiny gap by about the logarithm still missing.
    for _ in 0..<200 {
      guard let (value, slope) = logPolynomial(largestRoot + gap, alphas, betas) else {
        gap *= 2
        continue
      }
      let step = (target - value) / slope
      if step > 0 { gap += step }
      if step <= 1e-10 * gap { break }
    }
    return (largestRoot + gap * (1 + 1e-9)).nextUp
  }

  /// `log p_k(t)` and its derivative, or nil for a `t` not above every root.
  ///
  /// The ratios of the three-term recurrence are the pivots of `t I - T_k`, all positive exactly
  /// above the largest root; their logarithms neither overflow nor cancel.
  private static func logPolynomial(
    _ t: Double, _ alphas: ArraySlice<Double>, _ betas: ArraySlice<Double>
  ) -> (value: Double, slope: Double)? {
    var (value, slope) = (0.0, 0.0)
    var (pivot, pivotSlope) = (1.0, 0.0)
    var before = 0.0
    for (alpha, beta) in zip(alphas, betas) {
      let ratio = before / pivot
      pivot = (t - alpha) - before * ratio
      pivotSlope = 1 + ratio * ratio * pivotSlope
      guard pivot > 0 else { return nil }
      value += log(pivot / beta)
      slope += pivotSlope / pivot
      before = beta
    }
    return (value, slope)
  }

  /// `2 / B((n-1)/2, 1/2) = 2 Gamma(n/2) / (Gamma((n-1)/2) sqrt(pi))`, the density of `|u_1|` at 0.
  private static func densityAtZero(_ n: Int) -> Double {
    let rootPi = Double.pi.squareRoot()
    if n > 1000 {
      // The expansion of the ratio, cut off below rounding.
      let z: Double = 0.5 * Double(n - 1)
      let inverse: Double = 1 / (8 * z)
      let series: Double = 1 - inverse * (1 - inverse * (0.5 + 2.5 * inverse))
      return 2 * z.squareRoot() * series / rootPi
    }
    var ratio: Double = n % 2 == 0 ? 1 / rootPi : 0.5 * rootPi
    for m in stride(from: n % 2 == 0 ? 2 : 3, to: n, by: 2) {
      ratio *= Double(m) / Double(m - 1)
    }
    return 2 * ratio / rootPi
  }

  /// `integral_0^delta (1 - t²)^{(n-3)/2} dt` by Simpson's rule in the angle, `t = sin phi`, over the
  /// part where the integrand is not negligible.
  private static func integral(upTo delta: Double, dimension n: Int) -> Double {
    let end = min(asin(min(delta, 1)), 10 / Double(n).squareRoot())
    let panels = 200
    let width = end / Double(panels)
    var sum = 0.0
    for i in 0...panels {
      let weight = i == 0 || i == panels ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0)
      sum += weight * power(cos(Double(i) * width), Double(n - 2))
    }
    return sum * width / 3
  }

  private static func power(_ base: Double, _ exponent: Double) -> Double {
    exponent == 0 ? 1 : exp(exponent * log(max(base, .leastNormalMagnitude)))
  }
}
