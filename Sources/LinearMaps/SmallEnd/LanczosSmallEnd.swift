/// What a Lanczos factorisation knows about the small end of the spectrum.
struct LanczosSmallEnd<Scalar: LinearMapScalar> {
  let ritz: TridiagonalEigensystem
  let scale: Double
  /// What rounding of the arithmetic and of the products can add to a residual or a bound.
  let rounding: Double
  let resolution: Double
  /// Of the wanted values, from the recurrence.
  let residual: Double
  /// Accurate values that hide copies or neighbours of one another.
  let isCrowded: Bool
  let lowerBound: Double?
  /// Not below the largest eigenvalue, except with the failure probability.
  let upperBound: Double
  let isFinished: Bool

  init(
    _ lanczos: LanczosFactorization<Scalar>, isRandom: Bool,
    options: SmallestEigenpairs<Scalar>.Options, isLast: Bool = true,
    vectors: TridiagonalEigensystem.Vectors = .ends
  ) throws {
    let k = lanczos.count
    let ritz = try lanczos.ritzSystem(vectors: vectors)
    let scale = max(abs(ritz.values[0]), abs(ritz.values[k - 1]))
    let rounding =
      8 * Double(Scalar.ulpOfOne) * scale + 2 * lanczos.asymmetry + lanczos.largestDroppedBeta
    let wanted = min(options.count, k)
    let last = lanczos.betas[k - 1]
    let residual = last * ritz.last.prefix(wanted).reduce(0) { max($0, abs($1)) }
    self.ritz = ritz
    self.scale = scale
    self.rounding = rounding
    self.residual = residual
    resolution = max(Double(lanczos.dimension) * Double.ulpOfOne * scale, rounding)

    let isAccurate = residual <= max(options.tolerance * scale, rounding)
    let starts = lanczos.blockStarts
    let isWhole = starts.count == 1 && !lanczos.isInvariant
    isCrowded = isWhole && isAccurate && Self.isCrowded(ritz, options.count, lanczos.dimension)
    if lanczos.isComplete {
      lowerBound = ritz.values[0] - rounding
      upperBound = ritz.values[k - 1] + rounding
      isFinished = true
      return
    }
    guard isAccurate || isLast else {
      (lowerBound, upperBound, isFinished) = (nil, .infinity, false)
      return
    }

    // At a breakdown the true norm is anything up to the level of rounding: assume the most.
    let betas = lanczos.betas.map { max($0, lanczos.breakdownLevel) }
    let mirrored = lanczos.alphas.map { -$0 }
    let level = rounding + lanczos.breakdownLevel
    func bound(_ alphas: [Double], from first: Int) throws -> Double {
      if scale == 0 { return 0 }
      return try level
        + ProbabilisticBound.upperEnd(
          alphas: alphas[first..<k], betas: betas[first..<k],
          delta: ProbabilisticBound.delta(
            dimension: lanczos.dimension - first, failureProbability: options.failureProbability))
    }
    // After a start of the caller's only what a restart explored was entered at random.
    let first = isRandom ? 0 : starts.count > 1 ? starts[1] : nil
    lowerBound = try first.map { min(ritz.values[0] - level, -(try bound(mirrored, from: $0))) }
    upperBound = max(ritz.values[k - 1] + level, try bound(lanczos.alphas, from: 0))

    // One start shows one copy of each eigenvalue: after an invariant subspace the rest, of which
    // the last restart gave a random direction, may hold others as small.
    let slack = (options.boundTolerance ?? 1e-3) * scale
    let unexplored =
      starts.count > 1 ? -(try bound(mirrored, from: starts[starts.count - 1])) : -.infinity
    let excludes = unexplored >= ritz.values[wanted - 1] - slack
    let hasAll =
      k >= options.count && (options.count == 1 || (isWhole ? !isCrowded : excludes))
    var isBounded = true
    if let tolerance = options.boundTolerance {
      isBounded =
        lowerBound.map { ritz.values[0] - $0 <= max(tolerance * scale, 4 * rounding) }
        ?? !lanczos.isInvariant
    }
    isFinished = hasAll && isBounded && isAccurate
  }

  /// Whether the weights say that the first of the wanted Ritz values stand for more eigenvalues
  /// than themselves: `n` times the weight of `j` eigenvalues is chi-squared of `j` degrees, and a
  /// sum beyond its 99 % point belongs to a multiple eigenvalue or a cluster.
  ///
  /// Reference: Laurent and Massart, "Adaptive estimation of a quadratic functional" (2000), lemma
  /// 1.
  private static func isCrowded(_ ritz: TridiagonalEigensystem, _ count: Int, _ n: Int) -> Bool {
    var sum = 0.0
    for j in 0..<min(count, ritz.dimension) - 1 {
      sum += Double(n) * ritz.first[j] * ritz.first[j]
      let degrees = Double(j + 1)
      if sum > degrees + 2 * (degrees * 4.6).squareRoot() + 9.2 { return true }
    }
    return false
  }

  /// Where the `rank`-th largest of `dimension` eigenvalues lies, by the weights of the quadrature.
  func eigenvalue(rank: Int, dimension: Int) -> Double {
    var below = 0.0
    for (value, first) in zip(ritz.values, ritz.first).reversed() {
      below += first * first * Double(dimension)
      if below >= Double(rank) { return value }
    }
    return ritz.values[0]
  }
}
