/// What a Lanczos factorisation knows about the ends of the spectrum after `k` steps, and whether
/// that is enough.
struct RitzState<Scalar: LinearMapScalar> {
  let ritz: TridiagonalEigensystem
  /// Indices into `ritz` of the pairs asked for, outermost first.
  let largest: [Int]
  let smallest: [Int]
  let upperBound: Double?
  let lowerBound: Double?
  let scale: Double
  let rounding: Double
  let isFinished: Bool
  let convergence: Convergence

  private let lastBeta: Double

  init(_ lanczos: LanczosFactorization<Scalar>, options: TopEigenpairs<Scalar>.Options) throws {
    let k = lanczos.count
    let ritz = try lanczos.ritzSystem(vectors: .all)
    let scale = max(abs(ritz.values[0]), abs(ritz.values[k - 1]))
    let rounding =
      8 * Double(Scalar.ulpOfOne) * scale + 2 * lanczos.asymmetry + lanczos.largestDroppedBeta
    let wanted = min(options.count, k)
    let largest = options.end == .smallest ? [] : (0..<wanted).map { k - 1 - $0 }
    let smallest = options.end == .largest ? [] : Array(0..<wanted)
    let lastBeta = lanczos.betas[k - 1]

    let residual = (largest + smallest).map { lastBeta * abs(ritz.last[$0]) }.max()!
    let bounds = try EndBounds(lanczos, ritz: ritz, rounding: rounding, options: options)
    let gap = max(
      options.end == .smallest ? 0 : bounds.upper.map { $0 - ritz.values[k - 1] } ?? 0,
      options.end == .largest ? 0 : bounds.lower.map { ritz.values[0] - $0 } ?? 0)

    let hasAll =
      k >= options.count
      && (options.count == 1 || lanczos.isComplete
        || bounds.exclude(
          aboveEnd: largest.last.map { ritz.values[$0] },
          belowEnd: smallest.last.map { ritz.values[$0] },
          slack: (options.boundTolerance ?? 1e-3) * scale))
    let isAccurate = residual + rounding <= options.tolerance * scale || scale == 0
    let isAtRounding = residual <= rounding
    let isComplete = lanczos.isComplete
    let isBounded: Bool
    if let tolerance = options.boundTolerance {
      // A bound cannot come closer than the rounding that it allows for. Without one, an invariant
      // subspace may hide the rest of the spectrum, which a restart can still explore.
      let isMissing = bounds.upper == nil && lanczos.isInvariant
      isBounded = !isMissing && gap <= max(tolerance * scale, 4 * rounding)
    } else {
      isBounded = true
    }

    self.ritz = ritz
    self.largest = largest
    self.smallest = smallest
    self.upperBound = bounds.upper
    self.lowerBound = bounds.lower
    self.scale = scale
    self.rounding = rounding
    self.lastBeta = lastBeta
    isFinished = isComplete || (hasAll && isBounded && (isAccurate || isAtRounding))

    let reason: Convergence.Reason
    if hasAll && isAccurate && (isBounded || isComplete) {
      reason = lanczos.isInvariant ? .invariantSubspace : .converged
    } else if isFinished {
      reason = .stagnatedAtRounding
    } else {
      reason = .budget
    }
    convergence = Convergence(
      reason: reason, operatorApplications: k,
      advice: Self.advice(
        reason, products: k, found: wanted,
        relativeResidual: residual / max(scale, .leastNormalMagnitude),
        relativeRounding: rounding / max(scale, .leastNormalMagnitude),
        relativeGap: bounds.upper == nil ? nil : gap / max(scale, .leastNormalMagnitude),
        options: options))
  }

  func residual(_ index: Int) -> Double {
    lastBeta * abs(ritz.last[index]) + rounding
  }

  private static func advice(
    _ reason: Convergence.Reason, products: Int, found: Int, relativeResidual: Double,
    relativeRounding: Double, relativeGap: Double?, options: TopEigenpairs<Scalar>.Options
  ) -> String {
    let reached = max(relativeResidual, relativeRounding)
    switch reason {
    case .converged:
      return
        "Converged after \(products) products: residuals are at most \(short(reached)) of the "
        + "largest |eigenvalue|"
        + (relativeGap == nil ? ", but a start that is not random allows no bound." : ".")
    case .invariantSubspace:
      return
        "The Krylov space became invariant after \(products) products, so the values are exact "
        + "up to rounding."
    case .stagnatedAtRounding:
      return
        "Rounding in \(Scalar.precisionName) limits residuals to \(short(reached)) of the largest "
        + "|eigenvalue|, above the tolerance \(short(options.tolerance)): "
        + (Scalar.self == Float.self
          ? "use float64 or accept that accuracy." : "accept that accuracy.")
    default:
      if found < options.count {
        return
          "\(products) products can show only \(found) of the \(options.count) eigenpairs asked "
          + "for: allow more products."
      }
      return
        "The budget of \(products) products was spent at residuals of \(short(reached))"
        + (relativeGap.map { " and a bound \(short($0)) away" } ?? "")
        + ", relative to the largest |eigenvalue|: allow more products or a larger tolerance."
    }
  }
}
