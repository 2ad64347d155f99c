import Foundation

extension StabilityGuard {
  /// Steps until the part of the loss along the sharpest direction reaches the end of the band, as it grew since the
  /// check before and as a rate so far over the limit makes it grow; nil where neither says so.
  mutating func stepsToTop(
    _ ratio: Double, _ loss: Double, top: Double, _ tracked: [TrackedValue], step: Int
  ) -> (measured: Double?, expected: Double, along: Double)? {
    let before = (along: numbers.lastAlong, step: lastCheck)
    lastCheck = step
    guard ratio > 1, loss <= top,
      let along = tracked.first(where: { $0.name == SharpnessLook.lossAlong })?.value, along > 0
    else { return nil }
    let way = log(top / along)
    var measured: Double?
    if before.step >= 0, before.step < step, before.along > 0, along > before.along {
      measured = way * Double(step - before.step) / log(along / before.along)
    }
    return (measured, way / (2 * log(2 * ratio - 1)), along)
  }

  /// An alarm ahead of the end of the band; else checks as often as it needs to see that coming.
  mutating func foretell(
    _ ahead: (measured: Double?, expected: Double, along: Double), _ sharpness: TrackedValue,
    rate: Double, loss: Double, top: Double
  ) -> GuardAlarm? {
    foretold =
      numbers.ratio > 1.1 && ahead.measured.map { $0 <= Self.stepsAhead + 3 } == true
      ? foretold + 1 : 0
    let wait = max(1, (ahead.expected / 5).rounded(.down))
    if wait < Double(checkPeriod ?? period) { lookCloser(wait) }
    guard foretold >= Self.foretelling, let measured = ahead.measured,
      measured <= Self.stepsAhead, numbers.isTold == 0
    else { return nil }
    foretold = 0
    return alarm(sharpness, rate: rate, loss: loss, along: ahead.along, top: top)
  }
}
