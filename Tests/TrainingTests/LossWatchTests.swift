import Foundation
import Testing

@testable import Training

/// What the losses alone say where the loss of the best constant answer is known.
@Suite struct LossWatchTests {
  /// The verdicts on losses, with a little noise.
  private func verdicts(
    _ losses: [Double], start: Double, constant: Double?
  ) -> [(step: Int, verdict: LossWatch.Verdict)] {
    var watch = LossWatch()
    watch.constantLoss = constant
    watch.numbers.start = start
    return losses.enumerated().compactMap { step, loss in
      watch.take(loss * (1 + 0.01 * sin(Double(7 * step))), isOver: nil, isSuspicious: false)
      return watch.verdict().map { (step, $0) }
    }
  }

  /// A start far worse than chance, a jump, and then chance: as digits that are not scaled, with momentum at 0.2.
  private static let atChance =
    [5.5, 40, 90, 30] + (0..<16).map { 2.3 + 8 * exp(-Double($0)) }
    + [Double](repeating: 2.31, count: 80)

  @Test func `a run that lies at chance after a jump is lost, however bad its start`() {
    let known = verdicts(Self.atChance, start: 5.5, constant: 2.302)
    guard case .flat(let mean, let peak, _)? = known.first?.verdict else {
      Issue.record("\(known)")
      return
    }
    #expect(known.count == 1 && known[0].step < 60 && abs(mean - 2.31) < 0.05 && peak > 80)
    #expect(verdicts(Self.atChance, start: 5.5, constant: nil).isEmpty)
    // One that has learned something lies flat there for good.
    let learned = Self.atChance.map { $0 < 3 ? $0 - 0.5 : $0 }
    #expect(verdicts(learned, start: 5.5, constant: 2.302).isEmpty)
  }

  @Test func `no point at chance is one to go back to`() {
    var watch = LossWatch()
    (watch.constantLoss, watch.numbers.start, watch.numbers.peak) = (2.302, 5.5, 90)
    #expect(!watch.isGood(2.31) && watch.isGood(1.5))
    watch.constantLoss = nil
    #expect(watch.isGood(2.31))
  }

  /// A fine-tuning at a rate that throws it up at first, and from where it comes down again.
  private static let fineTuning = (0..<140).map { 0.006 + 1.2 * exp(-Double($0) / 25) }

  @Test func `a fine-tuning that comes down again is healthy`() {
    #expect(verdicts(Self.fineTuning, start: 0.014, constant: 2.302).isEmpty)
    #expect(!verdicts(Self.fineTuning, start: 0.014, constant: nil).isEmpty)
  }

  @Test func `one that stays up is lost, and so is one that rises above chance`() {
    let stays = [Double](repeating: 1.2, count: 200)
    let late = verdicts(stays, start: 0.014, constant: 2.302)
    #expect(late.count == 1 && late[0].step == 99)
    #expect(late.first.map { if case .aboveStart = $0.verdict { true } else { false } } == true)
    let above = verdicts([Double](repeating: 4, count: 60), start: 0.014, constant: 2.302)
    #expect(above.first?.step == 19)
  }

  @Test func `its memory goes on alike`() {
    var first = LossWatch()
    (first.constantLoss, first.numbers.start) = (2.302, 0.014)
    for _ in 0..<70 { first.take(1.2, isOver: nil, isSuspicious: false); _ = first.verdict() }
    var second = LossWatch()
    second.constantLoss = 2.302
    second.memory = first.memory
    var told: [[Int]] = [[], []]
    for step in 70..<130 {
      first.take(1.2, isOver: nil, isSuspicious: false)
      second.take(1.2, isOver: nil, isSuspicious: false)
      if first.verdict() != nil { told[0].append(step) }
      if second.verdict() != nil { told[1].append(step) }
    }
    #expect(told[0] == told[1] && told[0] == [99])
  }
}
