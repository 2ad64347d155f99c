/// How a run ended, by the losses on its way.
///
/// A run that only ended above its start need not have diverged: the noise of its batches holds many a run a
/// little above a good start.
struct RunFate: Equatable {
  /// The loss over all samples at the end is not finite, or above that of the start.
  let isAboveStart: Bool
  /// Not finite, 100 times the start and more, or above twice the start and still rising: each of its last
  /// three quarters is in the mean above the one before, the last by a quarter and more.
  let isDiverged: Bool

  /// - Parameters:
  ///   - losses: before each step, of its samples.
  ///   - end: over all samples after the last step; nil where a run was not finite.
  init(start: Double, losses: [Double], end: Double?) {
    guard let end, end.isFinite else {
      (isAboveStart, isDiverged) = (true, true)
      return
    }
    isAboveStart = end > start
    // Losses below zero are counted from the least.
    let base = min(0, start, losses.min() ?? 0)
    let scale = start - base
    func mean(_ quarter: Int) -> Double {
      let part = losses[losses.count * quarter / 4..<losses.count * (quarter + 1) / 4]
      return part.reduce(0) { $0 + ($1 - base) } / Double(part.count)
    }
    var isRising = false
    if losses.count >= 8 {
      let (second, third, last) = (mean(1), mean(2), mean(3))
      isRising = second < third && last > 1.25 * third
    }
    isDiverged =
      isAboveStart && (end - base > 100 * scale || isRising && end - base > 2 * scale)
  }
}

/// Which of several losses cannot be told from the least.
struct LeastLosses {
  /// The positions of those equal to the least to rounding, next to one another.
  let tied: ClosedRange<Int>
  /// In the middle of them.
  let middle: Int
  /// The positions around it whose losses lie no more than a share of the way down above the least.
  let near: ClosedRange<Int>

  /// Relative differences of this size are rounding.
  static var rounding: Double { 1e-6 }

  /// Nil where no loss is finite.
  ///
  /// - Parameters:
  ///   - means: by rate; nil where there is none.
  ///   - start: the loss that all began with.
  ///   - precision: the relative distance of neighbouring numbers.
  ///   - share: of the way down from the start.
  ///   - isBelow: what the middle is looked for among, where any of the tied are.
  ///   - isAlike: a further condition.
  init?(
    _ means: [Double?], start: Double, precision: Double, share: Double,
    preferring isPreferred: (Int) -> Bool = { _ in true },
    where isAlike: (_ index: Int, _ best: Int) -> Bool = { _, _ in true }
  ) {
    let known = means.indices.filter { means[$0]?.isFinite == true }
    guard let best = known.min(by: { means[$0]! < means[$1]! }) else { return nil }
    let least = means[best]!
    let equal = Self.rounding * abs(least) + precision * abs(start)
    tied = Self.around(best...best) { known.contains($0) && means[$0]! - least <= equal }
    let chosen = tied.filter(isPreferred)
    middle = chosen.isEmpty ? tied.lowerBound : chosen[(chosen.count - 1) / 2]
    near = Self.around(tied) {
      known.contains($0) && means[$0]! - least <= share * (start - least) && isAlike($0, best)
    }
  }

  /// The positions next to some of which all hold.
  static func around(_ centre: ClosedRange<Int>, _ holds: (Int) -> Bool) -> ClosedRange<Int> {
    var (lower, upper) = (centre.lowerBound, centre.upperBound)
    while holds(lower - 1) { lower -= 1 }
    while holds(upper + 1) { upper += 1 }
    return lower...upper
  }
}
