import Curvature
import Foundation
import LinearMaps
import Logging
import Presentation
import TensorPrograms

/// Moves a run step by step: asks the schedule for the rate, has trackers look, lets the guard watch, looks at
/// whole data sets at the end of each pass, keeps checkpoints, and tells what happens.
///
/// Each step goes: checks that are due, the rate, the step, the guard; then the evaluation and the checkpoint that
/// are due. No decision reads the clock.
public final class Trainer<Scalar: LinearMapScalar> {
  public let run: any TrainingSteps<Scalar>
  /// The rate that the schedule starts from.
  public let rate: Double
  public let stepCount: Int
  /// Steps of a pass over the samples; 1 on all samples.
  public let stepsPerPass: Int
  public private(set) var schedule: any Schedule
  public let trackers: [any Tracker]
  public internal(set) var watch: (any RunGuard)?
  public let action: GuardAction
  /// The loss that trackers look at.
  public let sample: any Loss<Scalar>
  public let seed: UInt64
  public let evaluator: TrainingEvaluator<Scalar>?
  public let keeping: CheckpointKeeping<Scalar>?
  public let logger: Logger?
  /// All that is remembered beside the run.
  var own = TrainerMemories<Scalar>()
  private var ending: TrainingEnding?
  /// Measures what the schedule asks for.
  private let measure:
    (ScheduleMeasurement, any TrainingSteps<Scalar>, inout TrackerMemory) throws -> ScheduleReading
  var lastTracked: [TrackedValue] = []

  /// - Parameters:
  ///   - sample: what trackers look at; nil for the loss of the run.
  ///   - patience: evaluations without a lower held-out loss after which the run is stopped.
  ///   - logger: told alarms, checkpoints and the end.
  ///   - measure: measures what `schedule` asks for, with what it kept from one time to the next.
  public init(
    _ run: any TrainingSteps<Scalar>, rate: Double, steps: Int, stepsPerPass: Int = 1,
    schedule: any Schedule = Constant(), trackers: [any Tracker] = [],
    watch: (any RunGuard)? = nil, action: GuardAction = .off, sample: (any Loss<Scalar>)? = nil,
    seed: UInt64 = 0, evaluator: TrainingEvaluator<Scalar>? = nil, patience: Int? = nil,
    keeping: CheckpointKeeping<Scalar>? = nil, logger: Logger? = nil,
    remembering measure:
      @escaping (
        ScheduleMeasurement, any TrainingSteps<Scalar>, inout TrackerMemory
      ) throws -> ScheduleReading
  ) {
    self.run = run
    self.rate = rate
    stepCount = steps
    self.stepsPerPass = stepsPerPass
    self.schedule = schedule
    self.trackers = trackers
    self.watch = watch
    self.action = action
    self.sample = sample ?? run.loss
    self.seed = seed
    self.evaluator = evaluator
    self.keeping = keeping
    self.logger = logger
    self.measure = measure
    own.rate = rate
    own.trackers = trackers.map { _ in TrackerMemory() }
    own.stopping = patience.map { EarlyStopping(patience: $0) }
  }

  /// Likewise, with measuring that keeps nothing.
  public convenience init(
    _ run: any TrainingSteps<Scalar>, rate: Double, steps: Int, stepsPerPass: Int = 1,
    schedule: any Schedule = Constant(), trackers: [any Tracker] = [],
    watch: (any RunGuard)? = nil, action: GuardAction = .off, sample: (any Loss<Scalar>)? = nil,
    seed: UInt64 = 0, evaluator: TrainingEvaluator<Scalar>? = nil, patience: Int? = nil,
    keeping: CheckpointKeeping<Scalar>? = nil, logger: Logger? = nil,
    measure: @escaping (ScheduleMeasurement, any TrainingSteps<Scalar>) throws -> ScheduleReading =
      { measurement, _ in preconditionFailure("nobody measures \(measurement)") }
  ) {
    self.init(
      run, rate: rate, steps: steps, stepsPerPass: stepsPerPass, schedule: schedule,
      trackers: trackers, watch: watch, action: action, sample: sample, seed: seed,
      evaluator: evaluator, patience: patience, keeping: keeping, logger: logger,
      remembering: { measurement, run, _ in try measure(measurement, run) })
  }

  public var memories: [TrackerMemory] { own.trackers }
  /// Whether the run was ended at a point that the guard had kept.
  public private(set) var endsBack = false
  public var history: TrainingHistory { own.history }
  /// What the guard has multiplied the rate by.
  public var rateFactor: Double { own.rateFactor }
  public var stopping: EarlyStopping<Scalar>? { own.stopping }

  /// The parameters to use: those of the lowest held-out loss where early stopping keeps them, else the run's.
  public var result: [Scalar] {
    if let stopping = own.stopping, stopping.best != nil { return stopping.bestParameters }
    return run.parameters
  }

  /// Everything that is needed to go on, bit for bit.
  public var state: TrainerState<Scalar> {
    TrainerState(run: run.trainingState, memories: present, ending: ending)
  }

  private var present: TrainerMemories<Scalar> { Self.memories(own, schedule, watch) }

  private static func memories(
    _ own: TrainerMemories<Scalar>, _ schedule: any Schedule, _ watch: (any RunGuard)?
  ) -> TrainerMemories<Scalar> {
    var memories = own
    memories.schedule = schedule.memory
    memories.watch = watch?.memory
    return memories
  }

  func restoreSchedule(_ memory: [Double]) { schedule.memory = memory }

  /// Takes up what a trainer made of the same parts remembered; `run` is to be resumed from the state's.
  ///
  /// - Precondition: as many trackers as the state has memories of, and a guard where it has one's.
  public func restore(_ state: TrainerState<Scalar>) {
    precondition(
      state.memories.trackers.count == trackers.count,
      "\(state.memories.trackers.count) memories for \(trackers.count) trackers")
    let patience = own.stopping?.patience
    own = state.memories
    schedule.memory = own.schedule
    if let memory = own.watch { watch?.memory = memory }
    precondition(own.stopping?.patience == patience, "another patience than that of the state")
    // A run that was to be longer goes on.
    ending =
      state.ending?.reason == .finished && state.run.stepCount < stepCount ? nil : state.ending
    if ending == nil { own.history.resumedAfter.append(state.run.stepCount) }
  }

  /// Trains until all steps are taken or something ends the run; a run that had ended already only says so.
  ///
  /// - Throws: what the executor throws, what keeping a checkpoint throws; what `event` throws.
  public func train(
    _ context: RunContext = RunContext(), _ event: (TrainingEvent) throws -> Void = { _ in }
  ) throws -> TrainingEnding {
    if let ending { return ending }
    try event(.started(step: run.stepCount, stepCount: stepCount, stepsPerPass: stepsPerPass))
    if own.history.evaluations.isEmpty { try evaluate(event) }
    try tellStart()
    while run.stepCount < stepCount {
      let step = run.stepCount
      if context.isCancelled() { return try interrupted(event) }
      // A method that is interrupted within a step goes on from before it. Kept as values, nothing is copied.
      let rateBefore = run.rate
      let before = (
        own: own, schedule: schedule, watch: watch,
        run: keeping == nil || run is TrainingRun<Scalar> ? nil : run.trainingState
      )
      let report: StepReport
      let rate: Double
      let origin: [Scalar]?
      do {
        rate = try nextRate(step)
        try check(step, rate: rate, event)
        keepPoint(step, before.own.history.summary.series.map(\.limits))
        run.rate = rate
        origin = trackers.contains { $0.looksAtSteps && isDue($0, step) } ? run.parameters : nil
        report = try run.step()
      } catch is CancellationError {
        var state = TrainerState(
          run: before.run ?? run.trainingState,
          memories: Self.memories(before.own, before.schedule, before.watch))
        state.run.rate = rateBefore
        return try interrupted(event, state)
      }
      if schedule.measurement != nil { own.measuring.numbers["loss"] = report.loss }
      own.history.note(report, rate: rate)
      for note in report.notes {
        own.history.note(note)
        if note.kind != .check { logger?.notice("\(note.sentence)") }
        try event(.noted(note))
      }
      try event(
        .step(
          StepRecord(
            step: step, pass: step / stepsPerPass, loss: report.loss,
            gradientNorm: report.gradientNorm, rate: rate)))
      // A method with inner iterations searches for its steps, and is watched by nobody.
      if run.optimizerRun != nil,
        let alarm = watch?.observe(step: step, report: report, rate: rate, tracked: lastTracked)
      {
        try note(alarm, step: step, event)
        if action == .stop { return try end(.alarm, alarm.sentence, event) }
        if action == .lowerRate, goBack(alarm) {
          if let ending = try passEnd(event) { return ending }
          continue
        }
      }
      guard report.loss.isFinite, report.gradientNorm.isFinite else {
        return try end(
          .nonFinite,
          "The \(report.loss.isFinite ? "gradient" : "loss") is not finite before step "
            + "\(Wording.count(step + 1)), at rate \(Wording.number(rate)).", event)
      }
      if let origin { try check(step, rate: rate, from: origin, event) }
      lastTracked = []
      own.lossSum += report.loss
      own.lossCount += 1
      if let ending = report.ending {
        return try end(.method, ending.sentence, event, method: ending.reason)
      }
      if let ending = try passEnd(event) { return ending }
    }
    var sentence = "All \(Wording.count(stepCount, "step")) are taken."
    if own.history.evaluations.last?.step != run.stepCount { try evaluate(event) }
    while let alarm = try alarmAtEnd() {
      try note(alarm, step: run.stepCount, event)
      guard goBack(alarm), let watch else { break }
      endsBack = true
      sentence =
        "All \(Wording.count(stepCount, "step")) are taken; the run ends where it "
        + "\(watch.pointStep == 0 ? "started" : "was after \(Wording.count(watch.pointStep, "step"))")."
      if own.history.evaluations.last?.step == run.stepCount {
        own.history.evaluations.removeLast()
      }
      try evaluate(event)
    }
    return try end(.finished, sentence, event)
  }

  private func note(
    _ alarm: GuardAlarm, step: Int, _ event: (TrainingEvent) throws -> Void
  ) throws {
    own.history.note(alarm, step: step)
    logger?.warning("\(alarm.sentence)")
    try event(.alarm(step: step, alarm))
  }

  private func nextRate(_ step: Int) throws -> Double {
    var moment = ScheduleMoment(
      step: step, stepCount: stepCount, stepsPerPass: stepsPerPass, rate: rate,
      lastLoss: own.measuring.numbers["loss"])
    // A method with inner iterations, which has taken over, finds the length of its steps by itself.
    if let measurement = schedule.measurement, step % measurement.period == 0,
      run.optimizerRun != nil
    {
      let (unit, spent, began) = (try stepOperations(), operations, Date())
      moment.measured = try measure(measurement, run, &own.measuring)
      own.history.measuringGradients += (operations - spent) / unit
      own.history.measuringSeconds += Date().timeIntervalSince(began)
    }
    return schedule.rate(moment) * own.rateFactor
  }

  /// Of the run's loss and of what is looked at.
  private var operations: Double {
    run.loss.operations + (sample === run.loss ? 0 : sample.operations)
  }

  /// What is due behind a step: the evaluation, the schedule's news, the checkpoint.
  ///
  /// - Returns: the ending where early stopping stops the run.
  private func passEnd(_ event: (TrainingEvent) throws -> Void) throws -> TrainingEnding? {
    let taken = run.stepCount
    if let evaluator, taken % evaluator.period == 0 {
      if let sentence = try evaluate(event) { return try end(.earlyStop, sentence, event) }
    } else if evaluator == nil, taken % stepsPerPass == 0, own.lossCount > 0 {
      schedule.observe(loss: own.lossSum / Double(own.lossCount))
      (own.lossSum, own.lossCount) = (0, 0)
    }
    if let keeping, taken % keeping.period == 0, taken < stepCount {
      try keep(state, keeping, event)
    }
    return nil
  }

  /// Looks at the data sets, tells the schedule, and lets early stopping take note.
  ///
  /// - Returns: why the run is to stop, or nil.
  @discardableResult
  private func evaluate(_ event: (TrainingEvent) throws -> Void) throws -> String? {
    guard let evaluator else { return nil }
    let (step, point) = (run.stepCount, run.parameters)
    let (training, heldOut) = try evaluator.evaluate(point)
    let mean = own.lossCount > 0 ? own.lossSum / Double(own.lossCount) : nil
    let evaluation = TrainingEvaluation(
      step: step, pass: step / stepsPerPass, training: training, heldOut: heldOut,
      meanLossOfSteps: mean)
    (own.lossSum, own.lossCount) = (0, 0)
    own.history.evaluations.append(evaluation)
    // A held-out loss that is no number is none of the better ones.
    if let news = heldOut.map({ $0.loss ?? .infinity }) ?? mean { schedule.observe(loss: news) }
    try event(.evaluated(evaluation))
    guard heldOut != nil, own.stopping?.observe(heldOut?.loss, step: step, at: point) == true,
      let stopping = own.stopping
    else { return nil }
    let best =
      stopping.best.map {
        "its \(Wording.number($0)) after step \(Wording.count(stopping.bestStep))"
      }
      ?? "no number yet"
    return "The held-out loss has not fallen below \(best) for \(stopping.patience) evaluations."
  }

  private func keep(
    _ state: TrainerState<Scalar>, _ keeping: CheckpointKeeping<Scalar>,
    _ event: (TrainingEvent) throws -> Void
  ) throws {
    let place = try keeping.keep(state)
    logger?.info("Checkpoint after step \(state.run.stepCount): \(place)")
    try event(.kept(step: state.run.stepCount, place: place))
  }

  private func interrupted(
    _ event: (TrainingEvent) throws -> Void, _ state: TrainerState<Scalar>? = nil
  ) throws -> TrainingEnding {
    let state = state ?? self.state
    return try end(
      .interrupted,
      "Interrupted after \(Wording.count(state.run.stepCount)) of \(Wording.count(stepCount, "step")).",
      event, keeping: state)
  }

  /// - Parameter before: what is kept instead of the present.
  private func end(
    _ reason: TrainingEnding.Reason, _ sentence: String,
    _ event: (TrainingEvent) throws -> Void, keeping before: TrainerState<Scalar>? = nil,
    method: StepEnding.Reason? = nil
  ) throws -> TrainingEnding {
    let ending = TrainingEnding(reason, sentence, method: method)
    if reason != .nonFinite, reason != .interrupted {
      if own.history.evaluations.last?.step != run.stepCount { try evaluate(event) }
      self.ending = ending
    }
    // What has no finite loss is no place to go on from.
    if let keeping, reason != .nonFinite { try keep(before ?? state, keeping, event) }
    // An alarm has been told.
    if reason != .alarm { logger?.notice("\(sentence)") }
    try event(.ended(step: run.stepCount, ending))
    return ending
  }
}
