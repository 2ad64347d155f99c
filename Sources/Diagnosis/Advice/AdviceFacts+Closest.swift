import Presentation
import Training

/// The choice where no trial is known to have reached the tolerance: by how low it came, and by what it takes.
extension AdviceFacts {
  /// Runs within this share of the way from the start down to the lowest loss are as good as it.
  private static let share = 0.01
  /// Of gaps to a certified minimum, which are told over powers of ten: up to so many times the smallest.
  private static let timesGap = 2.0
  /// What is at most so many times another is hardly higher.
  private static let timesAlike = 1.1
  /// Standard errors of two means of noisy runs within which they are not told apart.
  private static let errors = 3.0

  /// Whether changes were run in the user's mini-batches.
  var isInBatches: Bool { prescriptions.contains { $0.measured?.inBatches != nil } }

  /// How low a run came: its loss, or its gap to a certified minimum; nil for one that diverged or did not end
  /// below its start.
  private func level(_ item: Prescription) -> Level? {
    guard let measured = item.measured, !measured.diverged else { return nil }
    let end = measured.inBatches
    if basis.isJudgedByLoss {
      guard let loss = measured.lossAtEqualWork, problem.loss.map({ loss < $0 }) ?? true else {
        return nil
      }
      return Level(value: loss, error: end?.lossError ?? 0, orders: end?.orders)
    }
    guard let gap = measured.relativeGap, gap < 1 else { return nil }
    return Level(value: gap, error: end?.gapError ?? 0, orders: end?.orders)
  }

  /// How low a run came, how surely, and in each order of its batches.
  private struct Level {
    var value: Double
    var error: Double
    var orders: [Double]?
  }

  /// Whether a run came as low as the lowest, for what it matters: what the lowest scatters by counts, and not what
  /// the other does, which would gain by being noisy.
  private func isNear(_ item: Level, _ best: Level) -> Bool {
    guard basis.isJudgedByLoss else {
      return item.value <= prediction.tolerance
        || item.value <= Self.timesGap * best.value + Self.errors * best.error
          && item.value - best.value <= Self.share
    }
    guard let start = problem.loss else { return item.value <= best.value }
    return item.value - best.value <= Self.share * (start - best.value)
  }

  /// Whether the lower of two runs cannot be told to be lower, and the other is no more than twice as far, or within
  /// the share of the way that matters.
  private func isTied(_ item: Level, _ best: Level) -> Bool {
    if !basis.isJudgedByLoss, max(item.value, best.value) < Prescription.rounding { return true }
    let isToldApart =
      Orders.isLower(best.orders, than: item.orders)
      ?? (item.value - best.value
        > Self.errors * (item.error * item.error + best.error * best.error).squareRoot())
    guard !isToldApart || item.value <= best.value else { return false }
    guard basis.isJudgedByLoss else { return item.value <= Self.timesGap * best.value }
    return isNear(item, best)
  }

  private var levels: [(item: Prescription, level: Level)] {
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

  /// Whether the given rate came lower than another change, though the limits or a run speak against it.
  func isBelowRejected(_ item: Prescription) -> Bool {
    guard let own = level(item) else { return false }
    return prescriptions.contains { other in
      other.id != item.id && isRejected(other) && level(other).map { $0.value < own.value } ?? false
    }
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

  /// Of some runs in batches, one that cannot be told from the lowest, and whether it is alone: the preferred one
  /// where it is among them, else the first in order.
  func bestInBatches(
    _ items: [Prescription], preferred: Prescription?
  ) -> (item: Prescription, isAlone: Bool)? {
    let known = items.filter { !isRejected($0) }
      .compactMap { item in level(item).map { (item: item, level: $0) } }
    guard let best = known.min(by: { $0.level.value < $1.level.value }) else { return nil }
    let tied = known.filter { isTied($0.level, best.level) }
    return (tied.first { $0.item.id == preferred?.id } ?? tied.first).map {
      ($0.item, tied.count == 1)
    }
  }

  /// Whether one run came lower than another.
  func isLower(_ item: Prescription, than other: Prescription) -> Bool {
    guard let own = level(item) else { return false }
    return level(other).map { own.value < $0.value } ?? true
  }

  /// Whether one run came higher than another for less to set up.
  func isHigherForLess(_ item: Prescription, than other: Prescription) -> Bool {
    guard let own = level(item), let best = level(other) else { return false }
    return own.value > best.value && item.effort < other.effort
  }

  /// How much lower one run came than another, to be read before and after where it was run: of two that differ
  /// by no more than what matters for the choice, the share of the way down from the start, since one may be many
  /// times the other all the same.
  func lowering(from higher: Prescription, to lower: Prescription) -> (
    words: String, amount: String
  ) {
    guard areAlike(higher, lower), let start = basis.isJudgedByLoss ? problem.loss : 1,
      let own = level(higher)?.value, let best = level(lower)?.value
    else { return ("Lower still", "") }
    let difference = own - best
    guard difference > (Self.timesAlike - 1) * abs(best),
      difference > Prescription.rounding * abs(start),
      basis.isJudgedByLoss || max(own, best) >= Prescription.rounding
    else { return ("Hardly lower", "") }
    let way = basis.isJudgedByLoss ? start - best : 1
    return (
      "Lower still",
      ", by \(Wording.number(100 * difference / way, digits: 2)) % of the way down from the start"
    )
  }

  /// Whether two runs differ by no more than what matters.
  func areAlike(_ one: Prescription, _ other: Prescription) -> Bool {
    guard let one = level(one), let other = level(other) else { return false }
    if !basis.isJudgedByLoss, max(one.value, other.value) < Prescription.rounding { return true }
    return one.value <= other.value ? isNear(other, one) : isNear(one, other)
  }
}

extension Prescription {
  /// Gaps, as shares of the first, below this are those of rounding alone.
  package static let rounding = 1e-14

  /// Whether its gap is one of them.
  package var isAtRounding: Bool {
    measured?.diverged == false && (measured?.relativeGap.map { $0 < Self.rounding } ?? false)
  }

  /// Below the limit a cyclical rate comes to what a constant one does: where it is ahead, it is by luck.
  var canLead: Bool { id != Kind.cyclicalRate.rawValue }
}
