/// Bounds at both ends of the spectrum, from the steps that followed a random block.
struct EndBounds {
  private(set) var upper: Double?
  private(set) var lower: Double?
  /// Whether no eigenvalue that the basis still lacks a copy of can belong among those wanted: a
  /// start shows as many copies of each as it has columns, so that this is false after an invariant
  /// subspace until the rest has been explored.
  private(set) var excludeHidden = true
  /// Both bounds before what rounding adds, `-A` instead of `A` for the lower.
  private var outer: (upper: Double, mirroredLower: Double)?

  /// - Parameters:
  ///   - aboveEnd: the innermost value wanted at the upper end, nil if none is.
  ///   - slack: how far beyond the wanted values a hidden one counts as excluded.
  ///   - previous: earlier bounds of the same run; they hold on the same event.
  init<Scalar: LinearMapScalar>(
    _ basis: KrylovBasis<Scalar>, ritz: RitzSystem, rounding: Double, aboveEnd: Double?,
    belowEnd: Double?, slack: Double, failureProbability: Double, previous: EndBounds?
  ) {
    if basis.isComplete {
      upper = ritz.values[ritz.dimension - 1] + rounding
      lower = ritz.values[0] - rounding
      return
    }
    // At a breakdown the true norm is anything up to the level of rounding: assume the most. With
    // it the chain is the exact process of a map that differs by no more than that level.
    let level = basis.scale > 0 ? rounding + basis.breakdownLevel : 0
    let chain = basis.chain
    let explored = basis.freshStarts.filter { $0.step < chain.steps.count }
    func delta(_ start: (step: Int, complement: Int)) -> Double {
      ProbabilisticBound.delta(
        dimension: start.complement, columns: chain.steps[start.step].width,
        failureProbability: failureProbability)
    }

    if !basis.freshStarts.isEmpty {
      let slack = slack - level
      excludeHidden = [explored.first, explored.last].contains { start in
        guard let start else { return false }
        if basis.scale == 0 { return true }
        func excludes(_ t: Double, isMirrored: Bool) -> Bool {
          chain.excludes(
            t, from: start.step, isMirrored: isMirrored, delta: delta(start),
            level: basis.breakdownLevel)
        }
        return (aboveEnd.map { excludes($0 + slack, isMirrored: false) } ?? true)
          && (belowEnd.map { excludes(slack - $0, isMirrored: true) } ?? true)
      }
    }

    // After a start of the caller's, only what a fresh block explored was entered at random; the
    // space before it is invariant and its Ritz values are eigenvalues.
    let first: Int
    let shortest: Double
    if basis.randomColumns > 0 {
      first = 0
      shortest = ProbabilisticBound.delta(
        dimension: basis.dimension - basis.givenColumns, columns: basis.randomColumns,
        failureProbability: failureProbability)
    } else if let start = explored.first {
      first = start.step
      shortest = delta(start)
    } else {
      return
    }
    guard basis.scale > 0 else {
      (upper, lower) = (0, 0)
      return
    }
    let bases = (upper: basis.seen.largest, mirroredLower: -basis.seen.smallest)
    func end(_ isMirrored: Bool, _ base: Double, _ previous: Double?) -> Double {
      chain.outerEnd(
        from: first, isMirrored: isMirrored, base: base, delta: shortest,
        level: basis.breakdownLevel, scale: basis.scale, previous: previous)
    }
    let outer = (
      upper: end(false, bases.upper, previous?.outer?.upper),
      mirroredLower: end(true, bases.mirroredLower, previous?.outer?.mirroredLower)
    )
    self.outer = outer
    upper = outer.upper + level
    lower = -outer.mirroredLower - level
  }
}
