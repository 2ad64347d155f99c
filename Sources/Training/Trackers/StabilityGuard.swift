import Foundation
import Presentation

/// Tells a run that is being lost from one that sits at the edge of stability.
///
/// A rate over the limit of the sharpness is no alarm: healthy runs on all samples cross it and stay there. It
/// makes the guard look closer: the trackers that it goes by then check ten times as often, and step by step less
/// often again while nothing grows. An alarm is a rate over the limit in `patience` checks in a row together
/// with, in each of them, either
///
/// - a loss above its band and higher than at the check before. The band ends at
///   `max + 9 max(|max|, max - min)` of the last `window` losses within it (while the rate is over the limit, the
///   highest no higher than before), or at ten times the first loss where that is more; or
/// - a part of the loss along the sharpest direction, `(g'u)^2 / (2 lambda)`, above that band and grown.
///
/// Growth alone would not do: at the edge of stability the part along the sharpest direction grows by orders of
/// magnitude again and again, and stays small beside the loss, until the sharpness gives way. A loss above its
/// band asks for a check at each step.
///
/// Reference: Cohen et al., arXiv:2103.00065; Damian, Nichani and Lee, "Self-stabilization", arXiv:2209.15594.
public struct StabilityGuard: RunGuard {
  public let action: GuardAction
  /// The period of the tracker that it goes by.
  public let period: Int

  /// Checks in a row that make an alarm.
  public static let patience = 4
  /// Losses that the band is made of.
  public static let window = 50
  /// Alarms after which the rate is not lowered any more.
  public static let mostLowerings = 30

  private var numbers = Numbers()
  private var losses: [Double] = []
  public var point: [Double] = []

  /// What it remembers beside losses and point, in the order that `memory` has them.
  private struct Numbers {
    /// Rate over limit at the last check; NaN before.
    var ratio = Double.nan
    /// The loss of the first step.
    var firstLoss = Double.nan
    /// Loss, and part of it along the sharpest direction, at the last check.
    var lastLoss = Double.nan
    var lastAlong = Double.nan
    var suspicions = 0.0
    /// Steps between checks while it looks closer; 0 for the trackers' own.
    var interval = 0.0
    /// Steps in a row with a loss above the band.
    var above = 0.0
    /// Whether the alarm of this rise was given.
    var isTold = 0.0
    /// Of the point to go back to, and its rate over limit there; NaN where that was not measured.
    var pointStep = 0.0
    var pointRatio = Double.nan
    var lowerings = 0.0

    static let fields: [WritableKeyPath<Numbers, Double> & Sendable] = [
      \.ratio, \.firstLoss, \.lastLoss, \.lastAlong, \.suspicions, \.interval, \.above, \.isTold,
      \.pointStep, \.pointRatio, \.lowerings,
    ]
  }

  public init(_ action: GuardAction, period: Int) {
    precondition(period >= 1, "a period of \(period) steps")
    self.action = action
    self.period = period
  }

  public var memory: [Double] {
    get {
      Numbers.fields.map { numbers[keyPath: $0] } + [Double(losses.count)] + losses + point
    }
    set {
      let fields = Numbers.fields
      guard newValue.count > fields.count else { return }
      for (field, value) in zip(fields, newValue) { numbers[keyPath: field] = value }
      let rest = newValue.dropFirst(fields.count + 1)
      let count = min(rest.count, Int(newValue[fields.count]))
      losses = Array(rest.prefix(count))
      point = Array(rest.dropFirst(count))
    }
  }

  public var checkPeriod: Int? { numbers.interval > 0 ? Int(numbers.interval) : nil }

  public func wantsPoint(before step: Int, tracked: [TrackedValue]) -> Bool {
    (step == 0 || tracked.contains { $0.threshold != nil }) && numbers.suspicions == 0
      && numbers.above == 0
  }

  /// The loss that nothing within the band exceeds; nil before the first.
  private var bandTop: Double? {
    guard let highest = losses.max(), let lowest = losses.min() else { return nil }
    return max(
      highest + 9 * max(abs(highest), highest - lowest),
      numbers.firstLoss + 9 * abs(numbers.firstLoss))
  }

  public mutating func observe(
    step: Int, report: StepReport, rate: Double, tracked: [TrackedValue]
  ) -> GuardAlarm? {
    let sharpness = tracked.first { $0.threshold.map { $0 > 0 } == true }
    let ratio = sharpness.map { $0.value / $0.threshold! }
    if wantsPoint(before: step, tracked: tracked) {
      (numbers.pointStep, numbers.pointRatio) = (Double(step), ratio ?? .nan)
    }
    let loss = report.loss
    guard loss.isFinite, report.gradientNorm.isFinite else { return notFinite(rate) }
    if numbers.firstLoss.isNaN { numbers.firstLoss = loss }
    let top = bandTop ?? .infinity
    place(loss, top: top)
    guard let sharpness, let ratio else { return nil }
    let along = tracked.first { $0.name == SharpnessLook.lossAlong }?.value ?? 0
    let lossRises = loss > top && !(loss <= numbers.lastLoss)
    let partGrows = along > top && !(along <= numbers.lastAlong)
    // A ratio that hovers around 1 does not cross anew each time.
    let crosses = ratio > 1 && !(numbers.ratio > 0.9)
    (numbers.ratio, numbers.lastLoss, numbers.lastAlong) = (ratio, loss, along)
    guard ratio > 1, lossRises || partGrows else {
      numbers.suspicions = 0
      if loss <= top { numbers.isTold = 0 }
      lookCloser(crosses ? Double(max(1, period / 10)) : 2 * numbers.interval)
      return nil
    }
    numbers.suspicions += 1
    lookCloser(1)
    guard Int(numbers.suspicions) >= Self.patience, numbers.isTold == 0 else { return nil }
    return alarm(sharpness, rate: rate, loss: loss, along: along, top: top)
  }

  private mutating func lookCloser(_ interval: Double) {
    numbers.interval = interval < Double(period) ? interval : 0
  }

  /// Puts a loss into the band, or beside it. Where losses stay above for as long as the band goes back, and
  /// do not grow, they make another.
  private mutating func place(_ loss: Double, top: Double) {
    guard loss > top else {
      numbers.above = 0
      // Over the limit the band does not follow what grows.
      let kept = numbers.ratio > 1 ? min(loss, losses.max() ?? loss) : loss
      losses = Array((losses + [kept]).suffix(Self.window))
      return
    }
    numbers.above += 1
    if numbers.above == 1 { lookCloser(1) }
    if Int(numbers.above) > Self.window, numbers.suspicions == 0 {
      (numbers.above, losses) = (0, [loss])
    }
  }

  private mutating func alarm(
    _ sharpness: TrackedValue, rate: Double, loss: Double, along: Double, top: Double
  ) -> GuardAlarm {
    let what =
      loss > top
      ? "the loss rose above its band"
      : "the part of the loss along the sharpest direction grew above its band"
    let sentence =
      "At the \(sharpness.name.replacing("-", with: " ")) \(Wording.number(sharpness.value)) rates above "
      + "\(Wording.number(rate / numbers.ratio)) are unstable, the rate is \(Wording.number(rate)), and in "
      + "\(Self.patience) checks in a row \(what), which ends at \(Wording.number(top)): "
      + "\(Wording.number(max(loss, along))) now, \(Wording.number(numbers.firstLoss)) at the first step"
    numbers.suspicions = 0
    numbers.isTold = 1
    guard action == .lowerRate, Int(numbers.lowerings) < Self.mostLowerings else {
      return GuardAlarm(
        sentence
          + (action == .stop
            ? ": the run stops here; start again at a lower rate."
            : ". A lower rate would keep it from growing."))
    }
    return lowered(sentence, rate: rate)
  }

  /// An alarm where there is a point to go back to; else the run's own ending says what happened.
  private mutating func notFinite(_ rate: Double) -> GuardAlarm? {
    guard action == .lowerRate, !point.isEmpty, Int(numbers.lowerings) < Self.mostLowerings else {
      return nil
    }
    return lowered(
      "The loss or its gradient is not finite any more at rate \(Wording.number(rate))",
      rate: rate)
  }

  /// Lowers the rate to 0.7 of the limit at the point gone back to, and at least by half; from a point where no
  /// limit was over, or none is known, by half.
  private mutating func lowered(_ sentence: String, rate: Double) -> GuardAlarm {
    let factor = numbers.pointRatio > 1 ? min(0.5, 0.7 / numbers.pointRatio) : 0.5
    let there =
      numbers.pointRatio > 1
      ? ", where it was \(Wording.number(numbers.pointRatio)) times the limit" : ""
    numbers.lowerings += 1
    numbers.pointRatio *= factor
    (numbers.suspicions, numbers.above, numbers.isTold) = (0, 0, 0)
    (numbers.lastLoss, numbers.lastAlong, numbers.ratio) = (.nan, .nan, .nan)
    lookCloser(Double(max(1, period / 10)))
    return GuardAlarm(
      "\(sentence): the rate is lowered to \(Wording.number(factor * rate))"
        + (point.isEmpty
          ? "."
          : ", and the run goes back to step \(Wording.count(Int(numbers.pointStep)))\(there)."),
      rateFactor: factor)
  }
}
