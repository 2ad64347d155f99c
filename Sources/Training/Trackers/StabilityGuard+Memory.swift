extension StabilityGuard {
  /// Whether these numbers are what `memory` gives: as many as they say themselves, and counts that are some.
  static func isMemory(_ numbers: [Double]) -> Bool {
    var guardian = StabilityGuard(.warn, period: 1)
    guardian.memory = numbers
    let kept = guardian.memory
    guard kept.count == numbers.count,
      zip(kept, numbers).allSatisfy({ $0 == $1 || ($0.isNaN && $1.isNaN) })
    else { return false }
    let own = [
      guardian.numbers.suspicions, guardian.numbers.interval, guardian.numbers.isTold,
      guardian.numbers.pointStep, guardian.numbers.candidateStep,
      guardian.numbers.candidateCount, guardian.numbers.lowerings, guardian.numbers.failures,
      guardian.numbers.firstStep, guardian.numbers.endings,
    ]
    let losses = guardian.losses.numbers
    return (own + [losses.above, losses.count, losses.peakAge, losses.isTold, losses.lotsAbove])
      .allSatisfy(isCount) && guardian.losses.band.allSatisfy(\.isFinite)
      && guardian.losses.recent.allSatisfy(\.isFinite)
  }

  /// Whether it can be counted on from as an integer; what is kept at intervals need not be whole.
  static func isCount(_ number: Double) -> Bool {
    number == 0 || (number >= 1 && number <= 0x1p52)
  }
}
