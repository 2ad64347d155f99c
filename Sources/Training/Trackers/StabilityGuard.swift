import Foundation
import Presentation

/// Tells a run that is being lost from one that sits at the edge of stability.
///
/// A rate over the limit of the sharpness is no alarm: healthy runs on all samples cross it and stay there. It
/// makes the guard look closer: the trackers that it goes by then check ten times as often, and step by step less
/// often again while nothing grows. With a limit an alarm is a rate over it in `patience` checks in a row together
/// with, in each of them, either
///
/// - a loss above its band (`LossWatch`) and higher than at the check before; or
/// - a part of the loss along the sharpest direction, `(g'u)^2 / (2 lambda)`, above that band and grown.
///
/// Growth alone would not do: at the edge of stability the part along the sharpest direction grows by orders of
/// magnitude again and again, and stays small beside the loss, until the sharpness gives way. A loss above its
/// band asks for a check at each step.
///
/// Whatever the limit says, as with mini-batches and momentum, which are unstable below the limit of all samples,
/// and where none is known, the losses alone are an alarm where `LossWatch` finds the run lost by them.
///
/// `lower-rate` goes back to a point that has shown itself to be good: the first, or one with a loss below the start
/// from which the next `proof` losses stayed within the band and below the start in the mean, far below where there
/// was a jump.
///
/// Reference: Cohen et al., arXiv:2103.00065; Damian, Nichani and Lee, "Self-stabilization", arXiv:2209.15594.
public struct StabilityGuard: RunGuard {
  public let action: GuardAction
  /// The period of the tracker that it goes by; that of the points it keeps, where there is none.
  public let period: Int

  /// Checks in a row that make an alarm.
  public static let patience = 4
  /// Losses from a point on that show whether it is one to go back to.
  public static let proof = 10
  /// Alarms after which the rate is not lowered any more.
  public static let mostLowerings = 30

  /// Whether a run is told of before its loss has left the band, where the part along the sharpest direction grows
  /// as that of a rate over the limit does and gets there in a few steps.
  public let looksAhead: Bool

  var numbers = Numbers()
  private(set) var losses: LossWatch
  /// Looking ahead: the step of the last check over the limit, and the checks in a row that foretold the end.
  var lastCheck = -1
  var foretold = 0
  public private(set) var point: [Double] = []
  private var candidate: [Double] = []
  /// The first point, once another has taken its place.
  private var first: [Double] = []

  /// What it remembers beside losses and points, in the order that `memory` has them.
  struct Numbers {
    /// Rate over limit at the last check; NaN before.
    var ratio = Double.nan
    /// Loss, and part of it along the sharpest direction, at the last check.
    var lastLoss = Double.nan
    var lastAlong = Double.nan
    var suspicions = 0.0
    /// Steps between checks while it looks closer; 0 for the trackers' own.
    var interval = 0.0
    /// Whether the alarm of this rise was given.
    var isTold = 0.0
    /// Of the point to go back to, and its rate over limit there; NaN where that was not measured.
    var pointStep = 0.0
    var pointRatio = Double.nan
    /// Likewise of the point that is not proven yet, with the losses from there on and their sum.
    var candidateStep = 0.0
    var candidateRatio = Double.nan
    var candidateCount = 0.0
    var candidateSum = 0.0
    var lowerings = 0.0
    /// Of these, those since a new point was proven.
    var failures = 0.0
    /// Of the first point; and how often the run has been ended at a point.
    var firstStep = 0.0
    var endings = 0.0

    static let fields: [WritableKeyPath<Numbers, Double> & Sendable] = [
      \.ratio, \.lastLoss, \.lastAlong, \.suspicions, \.interval, \.isTold, \.pointStep,
      \.pointRatio, \.candidateStep, \.candidateRatio, \.candidateCount, \.candidateSum,
      \.lowerings, \.failures, \.firstStep, \.endings,
    ]
  }

  /// - Parameters:
  ///   - startIsDrawn: whether the loss at the start is that of one batch, as noisy as any other.
  ///   - constantLoss: the loss of the best answer that is the same for all samples, where it is known.
  public init(
    _ action: GuardAction, period: Int, looksAhead: Bool = false, startIsDrawn: Bool = false,
    constantLoss: Double? = nil
  ) {
    precondition(period >= 1, "a period of \(period) steps")
    self.action = action
    self.period = period
    self.looksAhead = looksAhead
    losses = LossWatch(startIsDrawn: startIsDrawn, constantLoss: constantLoss)
  }

  /// Keeps no point any more, where those that hold them are gone.
  public mutating func forgetPoints() { (point, candidate, first) = ([], [], []) }

  /// The steps of all points that it may still go back to.
  public var keptSteps: [Int] {
    [
      point.isEmpty ? nil : pointStep, firstStep,
      candidate.isEmpty ? nil : Int(numbers.candidateStep),
    ].compactMap { $0 }
  }

  public var memory: [Double] {
    get {
      let losses = losses.memory
      return Numbers.fields.map { numbers[keyPath: $0] } + [Double(losses.count)] + losses
        + [Double(candidate.count)] + candidate + [Double(first.count)] + first + point
    }
    set {
      var rest = newValue[...]
      for field in Numbers.fields { numbers[keyPath: field] = rest.popFirst() ?? .nan }
      losses.memory = rest.popArray()
      candidate = rest.popArray()
      first = rest.popArray()
      point = Array(rest)
    }
  }

  public var checkPeriod: Int? { numbers.interval > 0 ? Int(numbers.interval) : nil }
  public var pointStep: Int { Int(numbers.pointStep) }
  public var firstStep: Int? { first.isEmpty ? nil : Int(numbers.firstStep) }

  public mutating func begin(loss: Double) {
    if losses.numbers.start.isNaN, loss.isFinite { losses.numbers.start = loss }
  }

  // MARK: Points

  public func wantsPoint(before step: Int, tracked: [TrackedValue]) -> Bool {
    guard point.isEmpty || candidate.isEmpty else { return false }
    return
      (step % min(period, LossWatch.lot) == 0 || point.isEmpty
      || tracked.contains { $0.threshold != nil })
      && numbers.suspicions == 0 && losses.numbers.above == 0
  }

  public mutating func offer(_ point: [Double], before step: Int, tracked: [TrackedValue]) {
    let ratio = Self.ratio(tracked)?.ratio ?? .nan
    if self.point.isEmpty {
      self.point = point
      (numbers.pointStep, numbers.pointRatio) = (Double(step), ratio)
    } else {
      candidate = point
      (numbers.candidateStep, numbers.candidateRatio) = (Double(step), ratio)
      (numbers.candidateCount, numbers.candidateSum) = (0, 0)
    }
  }

  /// Lets a loss speak for or against the point that is not proven yet.
  private mutating func prove(_ loss: Double) {
    guard !candidate.isEmpty else { return }
    guard losses.numbers.above == 0, numbers.suspicions == 0 else {
      candidate = []
      return
    }
    // The first of them is that of the point itself.
    if numbers.candidateCount == 0, loss > losses.numbers.start {
      candidate = []
      return
    }
    numbers.candidateCount += 1
    numbers.candidateSum += loss
    guard Int(numbers.candidateCount) == Self.proof else { return }
    if losses.isGood(numbers.candidateSum / Double(Self.proof)) {
      if first.isEmpty { (first, numbers.firstStep) = (point, numbers.pointStep) }
      point = candidate
      (numbers.pointStep, numbers.pointRatio) = (numbers.candidateStep, numbers.candidateRatio)
      numbers.failures = 0
    }
    candidate = []
  }

  // MARK: Alarms

  private static func ratio(
    _ tracked: [TrackedValue]
  ) -> (value: TrackedValue, ratio: Double)? {
    tracked.first { $0.threshold.map { $0 > 0 } == true }.map { ($0, $0.value / $0.threshold!) }
  }

  public mutating func observe(
    step: Int, report: StepReport, rate: Double, tracked: [TrackedValue]
  ) -> GuardAlarm? {
    let loss = report.loss
    guard loss.isFinite, report.gradientNorm.isFinite else { return notFinite(rate) }
    let top = losses.top
    let highest = losses.band.max() ?? .infinity
    let check = Self.ratio(tracked)
    // The check was made before this step.
    let known = check?.ratio ?? numbers.ratio
    losses.take(
      loss, isOver: known.isNaN ? nil : known > 1,
      isSuspicious: numbers.suspicions > 0 || numbers.isTold > 0)
    if losses.numbers.above == 1 { lookCloser(1) }
    // Batches with momentum are unstable below the limit: near it such a loss asks for a look.
    if looksAhead, known > 0.7, loss > 2 * highest, highest > 0 { lookCloser(1) }
    if let check {
      let ahead = looksAhead ? stepsToTop(check.ratio, loss, top: top, tracked, step: step) : nil
      if let alarm = judge(check, rate: rate, loss: loss, top: top, tracked) { return alarm }
      if let ahead, let alarm = foretell(ahead, check.value, rate: rate, loss: loss, top: top) {
        return alarm
      }
    }
    prove(loss)
    if check == nil, numbers.ratio.isNaN, losses.numbers.above == 0 { numbers.isTold = 0 }
    guard let verdict = losses.verdict(), numbers.isTold == 0 else { return nil }
    if case .aboveBand = verdict { numbers.isTold = 1 }
    return alarm(verdict, rate: rate, loss: loss, top: top)
  }

  /// By a check beside its limit.
  private mutating func judge(
    _ check: (value: TrackedValue, ratio: Double), rate: Double, loss: Double, top: Double,
    _ tracked: [TrackedValue]
  ) -> GuardAlarm? {
    let along = tracked.first { $0.name == SharpnessLook.lossAlong }?.value ?? 0
    let lossRises = loss > top && !(loss <= numbers.lastLoss)
    let partGrows = along > top && !(along <= numbers.lastAlong)
    // A ratio that hovers around 1 does not cross anew each time.
    let crosses = check.ratio > 1 && !(numbers.ratio > 0.9)
    (numbers.ratio, numbers.lastLoss, numbers.lastAlong) = (check.ratio, loss, along)
    guard check.ratio > 1, lossRises || partGrows else {
      numbers.suspicions = 0
      if loss <= top { numbers.isTold = 0 }
      // While losses are above the band, each step is looked at.
      if losses.numbers.above == 0 || crosses {
        lookCloser(crosses ? Double(max(1, period / 10)) : 2 * numbers.interval)
      }
      return nil
    }
    numbers.suspicions += 1
    lookCloser(1)
    guard Int(numbers.suspicions) >= Self.patience, numbers.isTold == 0 else { return nil }
    return alarm(check.value, rate: rate, loss: loss, along: along, top: top)
  }

  mutating func lookCloser(_ interval: Double) {
    numbers.interval = interval < Double(period) ? interval : 0
  }

  /// An alarm where there is a point to go back to; else the run's own ending says what happened.
  private mutating func notFinite(_ rate: Double) -> GuardAlarm? {
    guard action == .lowerRate, !point.isEmpty, Int(numbers.lowerings) < Self.mostLowerings else {
      return nil
    }
    return lowered(
      "The loss or its gradient is not finite any more at rate \(Wording.number(rate))",
      rate: rate, loss: .infinity)
  }

  /// By half, or to 0.7 of the limit at the point gone back to where the rate was over it, else to 0.7 of what the
  /// growth of the losses says of it, at least to a tenth; and the more, the more often this point was come back to.
  ///
  /// On a quadratic plain descent multiplies the loss by `g = (eta lambda - 1)^2` a step, so that the limit is
  /// `2 eta / (1 + sqrt g)`. A loss that goes to and fro above the start goes with the square of the rate or faster.
  private func factor(_ loss: Double) -> Double {
    var factor = numbers.pointRatio > 1 ? min(0.5, 0.7 / numbers.pointRatio) : 0.5
    // Where the limit there is known it says more; and far off a loss grows for reasons of its own.
    if !(numbers.pointRatio > 1), let growth = losses.growth {
      factor = min(factor, max(0.1, 1.4 / (1 + growth.squareRoot())))
    }
    let start = losses.numbers.start
    if losses.numbers.above == 0, loss.isFinite, start > 0, loss > start {
      factor = min(factor, 0.5 * max(0.1, (start / loss).squareRoot()))
    }
    for _ in 0..<min(3, Int(numbers.failures)) { factor /= 2 }
    return factor
  }

  mutating func lowered(
    _ sentence: String, rate: Double, loss: Double, _ beside: String = ""
  ) -> GuardAlarm {
    let factor = factor(loss)
    let there =
      numbers.pointRatio > 1
      ? ", where it was \(Wording.number(numbers.pointRatio)) times the limit" : ""
    numbers.lowerings += 1
    numbers.failures += 1
    numbers.pointRatio *= factor
    (numbers.suspicions, numbers.isTold) = (0, 0)
    (numbers.lastLoss, numbers.lastAlong, numbers.ratio) = (.nan, .nan, .nan)
    losses.begin()
    candidate = []
    lookCloser(Double(max(1, period / 10)))
    return GuardAlarm(
      "\(sentence): the rate is lowered to \(Wording.number(factor * rate))"
        + (point.isEmpty
          ? "."
          : ", and the run goes back to step \(Wording.count(pointStep))\(there).") + beside,
      rateFactor: factor, goesBack: !point.isEmpty)
  }

  public mutating func end(loss: Double) -> GuardAlarm? {
    guard action == .lowerRate, !point.isEmpty, !(loss <= losses.numbers.start) else { return nil }
    // Proven by the losses of steps, and still none below the start over all samples: the first is the start's own.
    if numbers.endings > 0 {
      guard !first.isEmpty else { return nil }
      (point, numbers.pointStep, first) = (first, numbers.firstStep, [])
    }
    numbers.endings += 1
    return GuardAlarm(
      "\(numbers.endings > 1 ? "There" : "After the last step") the loss over all samples is \(Wording.number(loss)), above the "
        + "\(Wording.number(losses.numbers.start)) of the start: the run ends where it "
        + "\(pointStep == 0 ? "started" : "was after \(Wording.count(pointStep, "step"))").",
      goesBack: true)
  }
}
