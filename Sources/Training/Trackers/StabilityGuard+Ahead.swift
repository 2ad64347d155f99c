import Foundation

extension StabilityGuard {
  /// Steps until the loss reaches the end of the band.
  struct Ahead {
    /// As its part along the sharpest direction grew since the check before, or itself, where the rate is over the
    /// limit; nil where neither did.
    var measured: Double?
    /// As a rate so far over the limit makes that part grow.
    let expected: Double
    let along: Double
    /// Whether the rate has just come over the limit, or far further over it.
    let isFresh: Bool
  }

  /// Nil where the rate is not over the limit, or the loss has left the band.
  mutating func stepsToTop(
    _ ratio: Double, _ loss: Double, top: Double, _ tracked: [TrackedValue], step: Int
  ) -> Ahead? {
    let before = (along: numbers.lastAlong, loss: numbers.lastLoss, step: lastCheck)
    lastCheck = step
    guard ratio > 1, loss <= top,
      let along = tracked.first(where: { $0.name == SharpnessLook.lossAlong })?.value, along > 0
    else { return nil }
    var ahead = Ahead(
      expected: log(top / along) / (2 * log(2 * ratio - 1)), along: along,
      isFresh: !(numbers.ratio > 1 && ratio < 1.3 * numbers.ratio))
    guard before.step >= 0, before.step < step else { return ahead }
    let steps = Double(step - before.step)
    func foretell(_ now: Double, _ before: Double) {
      guard before > 0, now > before else { return }
      let left = log(top / now) * steps / log(now / before)
      ahead.measured = min(ahead.measured ?? left, left)
    }
    foretell(along, before.along)
    // Over the limit the loss speaks for itself, where it is the highest of its band.
    if ratio > 1.1, loss >= losses.band.max() ?? .infinity { foretell(loss, before.loss) }
    return ahead
  }

  /// An alarm ahead of the end of the band; else checks as often as it needs to see that coming.
  mutating func foretell(
    _ ahead: Ahead, _ sharpness: TrackedValue, rate: Double, loss: Double, top: Double
  ) -> GuardAlarm? {
    foretold =
      numbers.ratio > 1.1 && ahead.measured.map { $0 <= Self.stepsAhead + 3 } == true
      ? foretold + 1 : 0
    // Where nothing grows, batches hold it: then the checks become rarer again.
    if let steps = ahead.isFresh ? ahead.expected : ahead.measured {
      let wait = max(1, (steps / 5).rounded(.down))
      if wait < Double(checkPeriod ?? period) { lookCloser(wait) }
    }
    guard foretold >= needed, let measured = ahead.measured, measured <= Self.stepsAhead,
      numbers.isTold == 0
    else { return nil }
    return alarm(sharpness, rate: rate, loss: loss, along: ahead.along, top: top)
  }

  /// Checks in a row that have to foretell the end.
  var needed: Int { numbers.ratio > Self.far ? 2 : 3 }
  /// The steps within which the band has to be left.
  static var stepsAhead: Double { 2 }
  /// Times the limit, beyond what the edge of stability shows.
  static var far: Double { 1.5 }
}
