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
    let bounds = EndBounds(lanczos, ritz: ritz, rounding: rounding, options: options)
    let gap = max(
      options.end == .smallest ? 0 : bounds.upper.map { $0 - ritz.values[k - 1] } ?? 0,
      options.end == .largest ? 0 : bounds.lower.map { ritz.values[0] - $0 } ?? 0)

    let hasAll = k >= options.count
    let isAccurate = residual + rounding <= options.tolerance * scale || scale == 0
    let isAtRounding = residual <= rounding
    // A bound cannot come closer than the rounding that it allows for.
    let isBounded =
      options.boundTolerance.map { gap <= max($0 * scale, 4 * rounding) } ?? true
    let isComplete = lanczos.isComplete

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
        reason, products: k, found: wanted, relativeResidual: residual / scale,
        relativeRounding: rounding / scale, relativeGap: gap / scale, options: options))
  }

  func residual(_ index: Int) -> Double {
    lastBeta * abs(ritz.last[index]) + rounding
  }

  private static func advice(
    _ reason: Convergence.Reason, products: Int, found: Int, relativeResidual: Double,
    relativeRounding: Double, relativeGap: Double, options: TopEigenpairs<Scalar>.Options
  ) -> String {
    let reached = max(relativeResidual, relativeRounding)
    switch reason {
    case .converged:
      return
        "Converged after \(products) products: residuals are at most \(short(reached)) of the "
        + "largest |eigenvalue|."
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
        "The budget of \(products) products was spent at residuals of \(short(reached)) and a "
        + "bound \(short(relativeGap)) away, relative to the largest |eigenvalue|: allow more "
        + "products or a larger tolerance."
    }
  }
}

/// The bounds at both ends, from the steps that followed a random start.
private struct EndBounds {
  var upper: Double?
  var lower: Double?

  init<Scalar: LinearMapScalar>(
    _ lanczos: LanczosFactorization<Scalar>, ritz: TridiagonalEigensystem, rounding: Double,
    options: TopEigenpairs<Scalar>.Options
  ) {
    let k = lanczos.count
    let (least, greatest) = (ritz.values[0], ritz.values[k - 1])
    if lanczos.isComplete {
      upper = greatest + rounding
      lower = least - rounding
      return
    }
    // After a start of the caller's, only what a restart explored was entered at random; the space
    // before it is invariant and its Ritz values are eigenvalues.
    let first: Int
    if options.start == nil {
      first = 0
    } else if lanczos.blockStarts.count > 1 {
      first = lanczos.blockStarts[1]
    } else {
      return
    }
    guard first < k else { return }
    let delta = ProbabilisticBound.delta(
      dimension: lanczos.dimension - first, failureProbability: options.failureProbability)
    guard lanczos.scale > 0 else {
      (upper, lower) = (0, 0)
      return
    }
    // At a breakdown the true norm is anything up to the level of rounding: assume the most. With
    // it the chain is the exact Lanczos process of a map that differs by no more than that level.
    let betas = lanczos.betas.map { max($0, lanczos.breakdownLevel) }[first..<k]
    let alphas = lanczos.alphas[first..<k]
    let level = rounding + lanczos.breakdownLevel
    let upperEnd = ProbabilisticBound.upperEnd(
      alphas: alphas, betas: betas, largestRoot: greatest, delta: delta)
    let lowerEnd = ProbabilisticBound.upperEnd(
      alphas: lanczos.alphas.map { -$0 }[first..<k], betas: betas, largestRoot: -least,
      delta: delta)
    upper = upperEnd + level
    lower = -lowerEnd - level
  }
}
