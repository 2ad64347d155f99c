extension SpectralDensity {
  /// Two numbers that something lies between.
  public struct Interval: Codable, Sendable, Equatable {
    public let lower: Double
    public let upper: Double

    public init(lower: Double, upper: Double) {
      self.lower = lower
      self.upper = upper
    }

    public var width: Double { upper - lower }
  }

  /// What is known of the eigenvalues on the two sides of a number: of all numbers asked for together,
  /// except with the failure probability of the density.
  ///
  /// The share below a number is no smooth function of the density: where many eigenvalues lie near it,
  /// an estimate that is right in Wasserstein distance may put them on either side, and the interval says
  /// so by its width. `k` Lanczos steps from a probe leave its CDF at `x` between the sums of the weights
  /// before and up to `x` of the one quadrature rule that has a node there (Chebyshev, Markov, Stieltjes).
  /// Between probes, the CDF at `x` is the mean of `m` Beta variables of parameters `n F / 2` and
  /// `n (1 - F) / 2`, close to one of `m` times these, which is inverted as a share is by Clopper and
  /// Pearson.
  ///
  /// Reference: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of
  /// the binomial", Biometrika 26 (1934).
  public struct Split: Codable, Sendable, Equatable {
    public let at: Double
    /// The share of the eigenvalues below it.
    public let share: Interval
    /// `(1/n) sum max(at - lambda, 0)`, over all eigenvalues.
    public let below: Interval
    /// `(1/n) sum max(lambda - at, 0)`.
    public let above: Interval

    /// The part that the eigenvalues below have in `sum |lambda - at|`; from 0 to 1 where there is none.
    public var weightShare: Interval { weightShare(atMost: below.upper) }

    /// `weightShare` where `below` is known to be at most `most`.
    public func weightShare(atMost most: Double) -> Interval {
      let below = Interval(lower: min(below.lower, most), upper: min(below.upper, most))
      let (small, large) = (below.lower + above.upper, below.upper + above.lower)
      return Interval(
        lower: small > 0 ? below.lower / small : 0, upper: large > 0 ? below.upper / large : 1)
    }

    /// Of eigenvalues that are known to within `rounding`.
    public init(at x: Double, eigenvalues: [Double], rounding: Double = 0) {
      let n = Double(eigenvalues.count)
      at = x
      share = Interval(
        lower: Double(eigenvalues.count { $0 < x - rounding }) / n,
        upper: Double(eigenvalues.count { $0 < x + rounding }) / n)
      func mean(_ part: (Double) -> Double) -> Interval {
        let sum = eigenvalues.reduce(0) { $0 + max(part($1), 0) } / n
        return Interval(lower: max(sum - rounding, 0), upper: sum + rounding)
      }
      below = mean { x - $0 }
      above = mean { $0 - x }
    }

    /// From the Wasserstein distance `W` alone, for any `y` on the other side of `x`:
    /// `F(x) <= G(y) + W / (y - x)`.
    init(at x: Double, nodes: [Double], weights: [Double], distance: Double) {
      at = x
      var (sum, lower, upper) = (0.0, 0.0, 1.0)
      for (node, weight) in zip(nodes, weights) {
        if node > x { upper = min(upper, sum + distance / (node - x)) }
        sum += weight
        if node < x { lower = max(lower, sum - distance / (x - node)) }
      }
      share = Interval(lower: min(lower, 1), upper: max(upper, 0))
      func mean(_ part: (Double) -> Double) -> Interval {
        let sum = zip(nodes, weights).reduce(0) { $0 + $1.1 * max(part($1.0), 0) }
        return Interval(lower: max(sum - distance, 0), upper: sum + distance)
      }
      below = mean { x - $0 }
      above = mean { $0 - x }
    }

    /// From the measures of some probes, and eigenvalues found exactly but for `residuals` beside them.
    init(
      at x: Double, measures: [ProbeMeasure], support: ClosedRange<Double>, deflated: [Double],
      residuals: Double, dimension n: Int, failureProbability: Double
    ) {
      at = x
      let (size, count) = (Double(n), Double(measures.count))
      let rest = Double(n - deflated.count)
      let draws = (rest + 2) * count / 2
      let bounds = measures.map { $0.cumulative(at: x, within: residuals) }
      let low = bounds.reduce(0) { $0 + $1.below } / count
      let high = bounds.reduce(0) { $0 + $1.upTo } / count
      let known = Split(at: x, eigenvalues: deflated.isEmpty ? [x] : deflated, rounding: residuals)
      let part = deflated.isEmpty ? 0 : Double(deflated.count) / size
      let sampled = BetaDistribution.means(
        low: low, high: high, size: rest * count / 2, tail: failureProbability / 2)
      let lower = part * known.share.lower + rest / size * sampled.lower
      let upper = part * known.share.upper + rest / size * sampled.upper
      // A number of eigenvalues is whole; beyond the support there is none.
      share = Interval(
        lower: low == 1 && x > support.upperBound
          ? 1 : max(0, (lower * size - 1e-6).rounded(.up) / size),
        upper: high == 0 && x < support.lowerBound
          ? 0 : min(1, (upper * size + 1e-6).rounded(.down) / size))

      let bands = measures.map { $0.partialMeans(around: x, in: support) }
      let floor = residuals + (measures.map(\.rounding).max() ?? 0)
      // The sums are used in pairs.
      let y = DensitySamplingBound.normalQuantile(failureProbability / 4)
      /// Of values from 0 to `most` the variance is at most `most` times the mean.
      func mean(_ known: Interval, _ side: [Interval], most: Double) -> Interval {
        let spread = y * (max(most, 0) / draws).squareRoot()
        let low = side.reduce(0) { $0 + $1.lower } / count
        let high = side.reduce(0) { $0 + $1.upper } / count
        func root(_ mean: Double, _ spread: Double) -> Double {
          let root = 0.5 * (spread + (spread * spread + 4 * max(mean, 0)).squareRoot())
          return root * root
        }
        return Interval(
          lower: max(0, part * known.lower + rest / size * root(low, -spread) - floor),
          upper: part * known.upper + rest / size * root(high, spread) + floor)
      }
      below = mean(known.below, bands.map(\.below), most: x - support.lowerBound)
      above = mean(known.above, bands.map(\.above), most: support.upperBound - x)
    }
  }
}

extension ProbeMeasure {
  /// Bounds on the CDF just before `x` and at it, where eigenvalues may have moved by `distance`.
  func cumulative(at x: Double, within distance: Double) -> (below: Double, upTo: Double) {
    let level =
      distance + rounding + 4 * Double.ulpOfOne
      * max(abs(support.lowerBound), abs(support.upperBound))
    let (left, right) = (x - level, x + level)
    if left > support.upperBound { return (1, 1) }
    if right < support.lowerBound { return (0, 0) }
    guard !isResolved else {
      return (
        atoms.reduce(0) { $1.position < x - level ? $0 + $1.mass : $0 },
        atoms.reduce(0) { $1.position <= x + level ? $0 + $1.mass : $0 }
      )
    }
    var (below, upTo) = (0.0, 1.0)
    for point in points + rule(at: left) + rule(at: right) {
      if point.x <= left { below = max(below, point.below) }
      if point.x >= right { upTo = min(upTo, point.upTo) }
    }
    return (min(below, upTo), upTo)
  }

  /// Bounds on the integrals of the CDF below `x` and of what it lacks of 1 above.
  func partialMeans(
    around x: Double, in support: ClosedRange<Double>
  ) -> (below: SpectralDensity.Interval, above: SpectralDensity.Interval) {
    let (lowest, highest) = band(in: support)
    /// Of `max(x - t, 0)` or its mirror, over a weighted set.
    func mean(_ atoms: [Atom], _ part: (Double) -> Double) -> Double {
      atoms.reduce(0) { $0 + $1.mass * max(part($1.position), 0) }
    }
    // The highest CDF has its mass furthest to the left.
    return (
      .init(lower: mean(lowest) { x - $0 }, upper: mean(highest) { x - $0 }),
      .init(lower: mean(highest) { $0 - x }, upper: mean(lowest) { $0 - x })
    )
  }
}
