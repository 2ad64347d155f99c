import Training

/// The choice where no trial is known to have reached the tolerance: by how low it came, and by what it takes.
extension AdviceFacts {
  /// Runs within this share of the way from the start down to the lowest loss are as good as it.
  private static let share = 0.01
  /// Of gaps to a certified minimum, which are told over powers of ten: up to so many times the smallest. Those
  /// that noise leaves scatter from run to run.
  private var timesGap: Double { isInBatches ? 10 : 2 }
  /// Standard errors of two means of noisy runs within which they are not told apart.
  private static let errors = 3.0

  /// Whether changes were run in the user's mini-batches.
  var isInBatches: Bool { prescriptions.contains { $0.measured?.inBatches != nil } }

  /// How low a run came: its loss, or its gap to a certified minimum; nil for one that diverged or did not end
  /// below its start.
  private func level(_ item: Prescription) -> (value: Double, error: Double)? {
    guard let measured = item.measured, !measured.diverged else { return nil }
    let end = measured.inBatches
    if basis.isJudgedByLoss {
      guard let loss = measured.lossAtEqualWork, problem.loss.map({ loss < $0 }) ?? true else {
        return nil
      }
      return (loss, end?.lossError ?? 0)
    }
    guard let gap = measured.relativeGap, gap < 1 else { return nil }
    return (gap, end?.gapError ?? 0)
  }

  /// Whether a run came as low as the lowest, for what it matters.
  private func isNear(
    _ item: (value: Double, error: Double), _ best: (value: Double, error: Double)
  ) -> Bool {
    guard basis.isJudgedByLoss else {
      return item.value <= prediction.tolerance
        || item.value <= timesGap * best.value && item.value - best.value <= Self.share
    }
    if isWithinErrors(item, best) { return true }
    guard let start = problem.loss else { return item.value <= best.value }
    return item.value - best.value <= Self.share * (start - best.value)
  }

  private func isWithinErrors(
    _ item: (value: Double, error: Double), _ best: (value: Double, error: Double)
  ) -> Bool {
    item.value - best.value
      <= Self.errors * (item.error * item.error + best.error * best.error).squareRoot()
  }

  private var levels: [(item: Prescription, level: (value: Double, error: Double))] {
    prescriptions.compactMap { item in level(item).map { (item, $0) } }
  }

  /// The run that came lowest, whatever it takes.
  var lowest: Prescription? {
    levels.min { $0.level.value < $1.level.value }?.item
  }

  /// The least effort of those that came near the lowest; in mini-batches, of those that train in them, since the
  /// others are no change to them but an end.
  var closest: Prescription? {
    var own = levels.filter { $0.item.canLead && !isRejected($0.item) }
    let batched = own.filter { $0.item.measured?.inBatches?.batch != nil }
    if !batched.isEmpty { own = batched }
    guard let best = own.min(by: { $0.level.value < $1.level.value }) else { return lowest }
    return own.filter { isNear($0.level, best.level) }
      .min { ($0.item.effort, $0.level.value) < ($1.item.effort, $1.level.value) }?.item
  }

  /// Whether the limits or a run speak against the given rate, however low it came.
  private func isRejected(_ item: Prescription) -> Bool {
    item.id == Prescription.Kind.asGiven.rawValue
      && (learningRate.verdict?.isUnstable == true || miniBatches?.isAboveLimit == true)
  }

  /// What came about as low as the lowest for the least effort: to be named beside one that did not.
  var lowestForLeast: Prescription? {
    guard let best = levels.min(by: { $0.level.value < $1.level.value }) else { return nil }
    return levels.filter { $0.item.canLead && isNear($0.level, best.level) }
      .min { ($0.item.effort, $0.level.value) < ($1.item.effort, $1.level.value) }?.item
      ?? best.item
  }

  /// Of some runs in batches, the first in order that cannot be told from the lowest, and whether it is alone.
  func bestInBatches(_ items: [Prescription]) -> (item: Prescription, isAlone: Bool)? {
    let known = items.filter { !isRejected($0) }
      .compactMap { item in level(item).map { (item: item, level: $0) } }
    guard let best = known.min(by: { $0.level.value < $1.level.value }) else { return nil }
    let tied = known.filter {
      isWithinErrors($0.level, best.level)
        && (basis.isJudgedByLoss || $0.level.value <= 2 * best.level.value)
    }
    return tied.first.map { ($0.item, tied.count == 1) }
  }

  /// Whether two runs differ by more than what can be told or matters.
  func areAlike(_ one: Prescription, _ other: Prescription) -> Bool {
    guard let one = level(one), let other = level(other) else { return false }
    return one.value <= other.value ? isNear(other, one) : isNear(one, other)
  }
}

extension Prescription {
  /// Below the limit a cyclical rate comes to what a constant one does: where it is ahead, it is by luck.
  var canLead: Bool { id != Kind.cyclicalRate.rawValue }
}
