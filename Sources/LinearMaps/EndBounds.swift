/// Bounds at both ends of the spectrum, from the steps that followed a random direction.
struct EndBounds {
  private(set) var upper: Double?
  private(set) var lower: Double?
  /// Where the eigenvalues lie of which no copy is in the basis yet, once an invariant subspace
  /// was found: nil before that, the whole line when nothing is known.
  private var unexplored: [(lower: Double, upper: Double)]?

  init<Scalar: LinearMapScalar>(
    _ lanczos: LanczosFactorization<Scalar>, ritz: TridiagonalEigensystem, rounding: Double,
    options: TopEigenpairs<Scalar>.Options
  ) throws {
    let k = lanczos.count
    let starts = lanczos.blockStarts
    if lanczos.isComplete {
      upper = ritz.values[k - 1] + rounding
      lower = ritz.values[0] - rounding
      return
    }
    // At a breakdown the true norm is anything up to the level of rounding: assume the most. With
    // it the chain is the exact Lanczos process of a map that differs by no more than that level.
    let betas = lanczos.betas.map { max($0, lanczos.breakdownLevel) }
    let mirrored = lanczos.alphas.map { -$0 }
    let level = lanczos.scale > 0 ? rounding + lanczos.breakdownLevel : 0
    /// The range of the map on the complement of the first columns, which are invariant.
    func range(from first: Int) throws -> (lower: Double, upper: Double) {
      guard lanczos.scale > 0 else { return (0, 0) }
      let delta = ProbabilisticBound.delta(
        dimension: lanczos.dimension - first, failureProbability: options.failureProbability)
      let (alphas, negatives) = (lanczos.alphas[first..<k], mirrored[first..<k])
      let below = try ProbabilisticBound.upperEnd(
        alphas: negatives, betas: betas[first..<k], delta: delta)
      let above = try ProbabilisticBound.upperEnd(
        alphas: alphas, betas: betas[first..<k], delta: delta)
      return (-below - level, above + level)
    }
    if starts.count > 1 {
      unexplored = [try range(from: starts[1])]
      if starts.count > 2 { unexplored!.append(try range(from: starts[starts.count - 1])) }
    } else if lanczos.isInvariant {
      unexplored = []
    }
    // After a start of the caller's, only what a restart explored was entered at random; the space
    // before it is invariant and its Ritz values are eigenvalues.
    let random = try options.start == nil ? range(from: 0) : unexplored?.first
    if let random {
      upper = max(random.upper, ritz.values[k - 1] + level)
      lower = min(random.lower, ritz.values[0] - level)
    }
  }

  /// Whether no eigenvalue that the basis still lacks a copy of can belong between the outermost
  /// values found; one start shows one copy of each, so this fails after an invariant subspace
  /// until the rest has been explored.
  func exclude(aboveEnd: Double?, belowEnd: Double?, slack: Double) -> Bool {
    guard let unexplored else { return true }
    return unexplored.contains { range in
      (aboveEnd.map { range.upper <= $0 + slack } ?? true)
        && (belowEnd.map { range.lower >= $0 - slack } ?? true)
    }
  }
}
