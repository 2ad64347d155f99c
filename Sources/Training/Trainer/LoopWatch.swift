import Curvature
import LinearMaps
import Presentation

/// Trackers and guard beside a training loop that somebody else runs: what a `Trainer` does with its own run, in the
/// same order.
///
/// The loop tells each step behind it, `observe`; before the next one it asks whether a check is due there, and
/// brings the loss to look at. A check falls due by the trackers' periods and the guard's, and where the rate has
/// risen so far since the last one that it may be over the limit.
public final class LoopWatch {
  public let trackers: [any Tracker]
  public let action: GuardAction
  public let period: Int
  public let seed: UInt64
  private let event: (TrainingEvent) throws -> Void
  private var guardian: StabilityGuard?
  private var memories: [TrackerMemory]
  private var lastTracked: [TrackedValue] = []
  /// Rate over limit at the last check that had a limit, and its rate.
  private var lastRatio: (ratio: Double, rate: Double)?
  /// The point at which trackers of steps saw the step begin.
  private var origin: [Double] = []
  /// What checks had counted beside limits before each point that is kept.
  private var limits: [Int: [TrackingSummary.Limits?]] = [:]
  public private(set) var history = TrainingHistory()
  /// Steps that were told.
  public private(set) var stepCount = 0
  /// What alarms have multiplied the rate by.
  public private(set) var rateFactor = 1.0
  public private(set) var losses: Losses?
  public private(set) var lastAlarm: GuardAlarm?

  public struct Losses: Sendable, Equatable, Codable {
    public var first: Double
    public var last: Double
    public var lowest: Double
  }

  /// - Parameter event: told what happens, as by a trainer.
  public init(
    trackers: [any Tracker], action: GuardAction, period: Int, seed: UInt64 = 0,
    event: @escaping (TrainingEvent) throws -> Void = { _ in }
  ) {
    self.trackers = trackers
    self.action = action
    self.period = period
    self.seed = seed
    self.event = event
    memories = trackers.map { _ in TrackerMemory() }
    guardian =
      action == .off
      ? nil : StabilityGuard(action, period: period, looksAhead: true, startIsDrawn: true)
  }

  /// Takes note of a step.
  ///
  /// - Parameters:
  ///   - loss: before the step, of its batch.
  ///   - rate: of the step.
  /// - Returns: an alarm, or nil.
  /// - Throws: what `event` throws.
  public func observe(loss: Double, rate: Double) throws -> GuardAlarm? {
    if stepCount == 0 { try event(.started(step: 0, stepCount: 0, stepsPerPass: 1)) }
    let step = stepCount
    // The gradient is the loop's own, and where it is no number the losses will say so.
    let report = StepReport(loss: loss, gradientNorm: 0)
    history.note(report, rate: rate)
    if loss.isFinite {
      losses = Losses(
        first: losses?.first ?? loss, last: loss, lowest: min(losses?.lowest ?? loss, loss))
    }
    try event(
      .step(StepRecord(step: step, pass: 0, loss: loss, gradientNorm: .nan, rate: rate)))
    stepCount += 1
    let alarm =
      guardian?.observe(step: step, report: report, rate: rate, tracked: lastTracked)
      ?? (loss.isFinite || guardian == nil ? nil : notFinite(rate))
    lastTracked = []
    guard let alarm else { return nil }
    lastAlarm = alarm
    history.note(alarm, step: step)
    try event(.alarm(step: step, alarm))
    if action == .lowerRate {
      rateFactor *= alarm.rateFactor
      if alarm.goesBack { goBack() }
    }
    return alarm
  }

  private var saidNotFinite = false

  /// Told once: a loop goes on where a trainer ends.
  private func notFinite(_ rate: Double) -> GuardAlarm? {
    guard !saidNotFinite else { return nil }
    saidNotFinite = true
    return GuardAlarm(
      "The loss is not finite at step \(Wording.count(stepCount)), at rate \(Wording.number(rate)): "
        + "start again at a lower rate.")
  }

  private func goBack() {
    guard let guardian else { return }
    origin = []
    for index in memories.indices { memories[index].vectors = [:] }
    history.goBack(limits[guardian.pointStep] ?? [], at: stepCount)
    lastRatio = nil
    saidNotFinite = false
  }

  /// The step whose point an alarm that goes back means.
  public var pointStep: Int? { guardian.flatMap { $0.point.isEmpty ? nil : $0.pointStep } }

  private func isDue(_ tracker: any Tracker, rate: Double) -> Bool {
    // The first check is of a step that has been taken: before it an optimizer has no state.
    guard stepCount > 0 else { return false }
    if stepCount == 1 { return true }
    let closer = tracker.isGuiding ? guardian?.checkPeriod : nil
    if stepCount % min(tracker.period, closer ?? .max) == 0 { return true }
    guard tracker.isGuiding, guardian != nil, let lastRatio else { return false }
    return rate > 1.1 * lastRatio.rate && lastRatio.ratio * rate > 0.9 * lastRatio.rate
  }

  /// Whether some tracker is to look at the point where the loop stands: at the step that led to it, or before the
  /// step to come, whose rate is given.
  public func wantsCheck(rate: Double) -> Bool {
    !origin.isEmpty || trackers.contains { isDue($0, rate: rate) }
  }

  /// Steps before a check can fall due but for a change of the rate; at least one.
  public var stepsToCheck: Int {
    let periods = trackers.map { tracker in
      min(tracker.period, (tracker.isGuiding ? guardian?.checkPeriod : nil) ?? .max)
    }
    return periods.map { $0 - stepCount % $0 }.min() ?? period
  }

  /// Lets the trackers look that are due.
  ///
  /// - Parameter moment: where the loop stands; its `origin` is this object's affair.
  /// - Returns: what they saw before the step to come.
  /// - Throws: what trackers throw, and `event`.
  @discardableResult
  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>
  ) throws -> [TrackedValue] {
    let unit = max(1, try moment.sample.gradientOperations())
    if !origin.isEmpty {
      let from: [Scalar] = scalars(origin)
      origin = []
      let due = trackers.indices.filter { trackers[$0].looksAtSteps }
      if from.count == moment.point.count {
        let behind = TrackingMoment(
          at: moment.point, sample: moment.sample, rate: moment.rate, seed: seed, origin: from,
          stepper: moment.stepper, batchSize: moment.batchSize, groups: moment.groups)
        try note(look(at: behind, due, step: stepCount - 1, unit: unit))
      }
    }
    let due = trackers.indices.filter { isDue(trackers[$0], rate: moment.rate) }
    if due.contains(where: { trackers[$0].looksAtSteps }) { origin = doubles(moment.point) }
    let ahead = due.filter { !trackers[$0].looksAtSteps }
    guard !ahead.isEmpty else { return [] }
    let record = try look(at: moment, ahead, step: stepCount, unit: unit)
    try note(record)
    lastTracked = record.values
    if let value = record.values.first(where: { $0.threshold.map { $0 > 0 } == true }) {
      lastRatio = (value.value / value.threshold!, moment.rate)
    }
    return record.values
  }

  /// A tracker sees nothing where numbers are not finite any more: the losses say so, and the loop is not ours to end.
  private func look<Scalar: LinearMapScalar>(
    at moment: TrackingMoment<Scalar>, _ due: [Int], step: Int, unit: Double
  ) throws -> TrackingRecord {
    var whole = TrackingRecord(step: step, values: [], gradients: 0, seconds: 0)
    for index in due {
      do {
        let part = try moment.record(of: trackers, [index], step: step, unit: unit, &memories)
        whole.values += part.values
        whole.gradients += part.gradients
        whole.seconds += part.seconds
        whole.costs += part.costs
      } catch  where error.isNonFinite { continue }
    }
    return whole
  }

  private func note(_ record: TrackingRecord) throws {
    history.note(record)
    try event(.tracked(record))
  }

  // MARK: Points

  /// Takes note that the loop keeps the point where it stands, where the guard wants it.
  ///
  /// - Returns: the steps of all points that are to be kept, this one among them; nil where it is not wanted.
  public func keepPoint() -> [Int]? {
    guard action == .lowerRate,
      guardian?.wantsPoint(before: stepCount, tracked: lastTracked) == true
    else { return nil }
    // The loop holds the numbers, by the step.
    guardian?.offer([Double(stepCount)], before: stepCount, tracked: lastTracked)
    let kept = guardian?.keptSteps ?? []
    limits = limits.filter { kept.contains($0.key) }
    limits[stepCount] = history.summary.series.map(\.limits)
    return kept
  }

  // MARK: Memory

  /// What a loop that goes on later needs; without points, which the loop holds.
  public var state: LoopState {
    var kept = memories
    for index in kept.indices
    where kept[index].vectors.values.contains(where: { $0.count > 1 << 20 }) {
      // The next look begins anew.
      kept[index].vectors = [:]
    }
    var guardian = guardian
    guardian?.forgetPoints()
    return LoopState(
      stepCount: stepCount, rateFactor: rateFactor, losses: losses, memories: kept,
      guardian: guardian?.memory ?? [], history: history, lastRatio: lastRatio?.ratio,
      lastRate: lastRatio?.rate)
  }

  /// - Returns: whether the state is of such trackers and such a guard.
  public func restore(_ state: LoopState) throws -> Bool {
    guard state.memories.count == trackers.count, state.guardian.isEmpty == (guardian == nil),
      guardian == nil || StabilityGuard.isMemory(state.guardian), state.isCountable
    else { return false }
    (stepCount, rateFactor, losses) = (state.stepCount, state.rateFactor, state.losses)
    (memories, history) = (state.memories, state.history)
    if let ratio = state.lastRatio, let rate = state.lastRate { lastRatio = (ratio, rate) }
    if guardian != nil { guardian?.memory = state.guardian }
    guardian?.forgetPoints()
    if stepCount > 0 { try event(.started(step: stepCount, stepCount: 0, stepsPerPass: 1)) }
    return true
  }
}

/// What a `LoopWatch` remembers.
public struct LoopState: Sendable, Codable {
  var stepCount: Int
  var rateFactor: Double
  var losses: LoopWatch.Losses?
  var memories: [TrackerMemory]
  var guardian: [Double]
  var history: TrainingHistory
  var lastRatio: Double?
  var lastRate: Double?

  /// Whether its counts are such that can be counted on from.
  var isCountable: Bool {
    [stepCount, history.gradients, history.products, history.alarmCount]
      .allSatisfy { StabilityGuard.isCount(Double($0)) }
      && rateFactor.isFinite && rateFactor > 0
  }
}
