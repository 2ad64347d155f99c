import Presentation

/// What a Krylov basis knows about the ends of the spectrum, and whether that is enough.
struct RitzState<Scalar: LinearMapScalar> {
  let ritz: RitzSystem
  /// Indices into `ritz` of the pairs asked for, outermost first.
  let largest: [Int]
  let smallest: [Int]
  let bounds: EndBounds
  let scale: Double
  let rounding: Double
  /// The largest residual of the pairs asked for, and the distance of the bounds from the outermost
  /// values, relative to the scale; nil without bounds.
  let relativeResidual: Double
  let relativeGap: Double?
  let isFinished: Bool
  let convergence: Convergence

  private let tolerance: Double

  init(
    _ basis: KrylovBasis<Scalar>, options: TopEigenpairs<Scalar>.Options, previous: RitzState?
  ) throws {
    let ritz = try basis.ritzSystem()
    let k = ritz.dimension
    let scale = max(abs(basis.seen.smallest), abs(basis.seen.largest))
    // Every restart rounds the basis once more, as a random walk in so many dimensions, and the
    // projected matrix in double, where the errors may add up.
    let restarts = Double(basis.restarts)
    let ulps =
      (8 + 4 * restarts.squareRoot()) * Double(Scalar.ulpOfOne) + 4 * restarts * Double.ulpOfOne
    let rounding = ulps * scale + 2 * basis.asymmetry + basis.dropped
    let wanted = min(options.count, k)
    let largest = options.end == .smallest ? [] : (0..<wanted).map { k - 1 - $0 }
    let smallest = options.end == .largest ? [] : Array(0..<wanted)

    let residual = (largest + smallest).map { ritz.residual($0) }.max()!
    let bounds = EndBounds(
      basis, ritz: ritz, rounding: rounding, aboveEnd: largest.last.map { ritz.values[$0] },
      belowEnd: smallest.last.map { ritz.values[$0] },
      slack: (options.boundTolerance ?? 1e-3) * scale,
      failureProbability: options.failureProbability, previous: previous?.bounds)
    let gap = max(
      options.end == .smallest ? 0 : bounds.upper.map { $0 - ritz.values[k - 1] } ?? 0,
      options.end == .largest ? 0 : bounds.lower.map { ritz.values[0] - $0 } ?? 0)

    let isComplete = basis.isComplete
    let hasAll =
      k >= options.count && (options.count == 1 || isComplete || bounds.excludeHidden)
    let isAccurate = residual + rounding <= options.tolerance * scale || scale == 0
    let isAtRounding = residual <= rounding
    let isBounded: Bool
    if let tolerance = options.boundTolerance {
      // A bound cannot come closer than the rounding that it allows for. Without one, an invariant
      // subspace may hide the rest of the spectrum, which a fresh block can still explore.
      let isMissing = bounds.upper == nil && basis.isInvariant
      isBounded = !isMissing && gap <= max(tolerance * scale, 4 * rounding)
    } else {
      isBounded = true
    }

    self.ritz = ritz
    self.largest = largest
    self.smallest = smallest
    self.bounds = bounds
    self.scale = scale
    self.rounding = rounding
    tolerance = options.tolerance
    let unit = scale.asDivisor
    relativeResidual = max(residual, rounding) / unit
    relativeGap = bounds.upper == nil ? nil : gap / unit
    isFinished = isComplete || (hasAll && isBounded && (isAccurate || isAtRounding))

    let reason: Convergence.Reason
    if hasAll && isAccurate && (isBounded || isComplete) {
      reason = basis.isInvariant ? .invariantSubspace : .converged
    } else if isFinished {
      reason = .stagnatedAtRounding
    } else {
      reason = .budget
    }
    convergence = Convergence(
      reason: reason, operatorApplications: basis.products,
      advice: Self.advice(
        reason, products: basis.products, found: wanted, reached: relativeResidual,
        relativeGap: relativeGap, options: options))
  }

  /// The bound on `‖A v - theta v‖`.
  func residual(_ index: Int) -> Double { ritz.residual(index) + rounding }

  /// How one pair ended; the run as a whole also asks for the bounds.
  func reason(_ index: Int) -> Convergence.Reason {
    let seen = ritz.residual(index)
    if seen + rounding <= tolerance * scale || scale == 0 { return .converged }
    return seen <= rounding ? .stagnatedAtRounding : .budget
  }

  private static func advice(
    _ reason: Convergence.Reason, products: Int, found: Int, reached: Double,
    relativeGap: Double?, options: TopEigenpairs<Scalar>.Options
  ) -> String {
    switch reason {
    case .converged:
      return
        "Converged after \(products) products: residuals are at most \(Wording.short(reached)) of the "
        + "largest |eigenvalue|"
        + (relativeGap == nil ? ", but a start that is not random allows no bound." : ".")
    case .invariantSubspace:
      return
        "The Krylov space became invariant after \(products) products, so the values are exact "
        + "up to rounding."
    case .stagnatedAtRounding:
      return
        "Rounding in \(Scalar.precisionName) limits residuals to \(Wording.short(reached)) of the largest "
        + "|eigenvalue|, above the tolerance \(Wording.short(options.tolerance)): "
        + (Scalar.self == Float.self
          ? "use float64 or accept that accuracy." : "accept that accuracy.")
    default:
      if found < options.count {
        return
          "\(products) products can show only \(found) of the \(options.count) eigenpairs asked "
          + "for: it takes more."
      }
      return
        "The search ended after \(products) products at residuals of \(Wording.short(reached))"
        + (relativeGap.map { " and a bound \(Wording.short($0)) away" } ?? "")
        + ", relative to the largest |eigenvalue|: it takes more products, or a larger "
        + "tolerance."
    }
  }
}
