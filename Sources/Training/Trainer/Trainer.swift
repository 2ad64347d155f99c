import Curvature
import Foundation
import LinearMaps
import TensorPrograms

/// Moves a run step by step: asks the schedule for the rate, has trackers look, lets the guard watch, and tells
/// what happens.
///
/// Each step goes: checks that are due, the rate, the step, the guard. No decision reads the clock.
public final class Trainer<Scalar: LinearMapScalar> {
  public let run: any TrainingSteps<Scalar>
  /// The rate that the schedule starts from.
  public let rate: Double
  public let stepCount: Int
  /// Steps of a pass over the samples; 1 on all samples.
  public let stepsPerPass: Int
  public private(set) var schedule: any Schedule
  public let trackers: [any Tracker]
  public private(set) var memories: [TrackerMemory]
  public private(set) var watch: (any RunGuard)?
  public let action: GuardAction
  /// The loss that trackers look at.
  public let sample: any Loss<Scalar>
  public let seed: UInt64
  /// Measures what the schedule asks for.
  private let measure: (ScheduleMeasurement, any TrainingSteps<Scalar>) throws -> ScheduleReading
  /// What alarms made of the rate.
  private var rateFactor = 1.0
  private var lastReport: StepReport?
  private var lastTracked: [TrackedValue] = []

  /// - Parameters:
  ///   - sample: what trackers look at; nil for the loss of the run.
  ///   - measure: measures what `schedule` asks for.
  public init(
    _ run: any TrainingSteps<Scalar>, rate: Double, steps: Int, stepsPerPass: Int = 1,
    schedule: any Schedule = Constant(), trackers: [any Tracker] = [],
    watch: (any RunGuard)? = nil, action: GuardAction = .off, sample: (any Loss<Scalar>)? = nil,
    seed: UInt64 = 0,
    measure: @escaping (ScheduleMeasurement, any TrainingSteps<Scalar>) throws -> ScheduleReading =
      { measurement, _ in preconditionFailure("nobody measures \(measurement)") }
  ) {
    self.run = run
    self.rate = rate
    stepCount = steps
    self.stepsPerPass = stepsPerPass
    self.schedule = schedule
    self.trackers = trackers
    memories = trackers.map { _ in TrackerMemory() }
    self.watch = watch
    self.action = action
    self.sample = sample ?? run.loss
    self.seed = seed
    self.measure = measure
  }

  /// Trains until all steps are taken or something ends the run.
  ///
  /// - Throws: what the executor throws; what `event` throws.
  public func train(
    _ context: RunContext = RunContext(), _ event: (TrainingEvent) throws -> Void = { _ in }
  ) throws -> TrainingEnding {
    while run.stepCount < stepCount {
      let step = run.stepCount
      if context.isCancelled() {
        return try end(.interrupted, "Interrupted after \(step) of \(stepCount) steps.", event)
      }
      let rate = try nextRate(step)
      try check(step, rate: rate, event)
      run.rate = rate
      let report = try run.step()
      lastReport = report
      try event(
        .step(
          StepRecord(
            step: step, pass: step / stepsPerPass, loss: report.loss,
            gradientNorm: report.gradientNorm, rate: rate)))
      guard report.loss.isFinite, report.gradientNorm.isFinite else {
        return try end(
          .nonFinite,
          "The loss or its gradient is not finite before step \(step + 1), at rate \(rate).", event)
      }
      if let alarm = watch?.observe(step: step, report: report, rate: rate, tracked: lastTracked) {
        try event(.alarm(step: step, alarm))
        if action == .stop { return try end(.alarm, alarm.sentence, event) }
        if action == .lowerRate { rateFactor *= alarm.rateFactor }
      }
      lastTracked = []
      if let ending = report.ending { return try end(.method, ending.sentence, event) }
      context.report("training", fraction: Double(step + 1) / Double(stepCount))
    }
    return try end(.finished, "All \(stepCount) steps are taken.", event)
  }

  private func nextRate(_ step: Int) throws -> Double {
    var moment = ScheduleMoment(
      step: step, stepCount: stepCount, stepsPerPass: stepsPerPass, rate: rate)
    if let measurement = schedule.measurement, step % measurement.period == 0 {
      moment.measured = try measure(measurement, run)
    }
    return schedule.rate(moment) * rateFactor
  }

  /// Lets the trackers look that are due.
  private func check(
    _ step: Int, rate: Double, _ event: (TrainingEvent) throws -> Void
  ) throws {
    let due = trackers.indices.filter { step % trackers[$0].period == 0 }
    guard !due.isEmpty else { return }
    let moment = TrackingMoment(
      run: run, sample: sample, rate: rate, report: lastReport, seed: seed)
    let (spent, began) = (sample.operations, Date())
    var values: [TrackedValue] = []
    for index in due { values += try trackers[index].check(moment, &memories[index]) }
    lastTracked = values
    try event(
      .tracked(
        TrackingRecord(
          step: step, values: values,
          gradients: (sample.operations - spent) / max(1, try sample.gradientOperations()),
          seconds: Date().timeIntervalSince(began))))
  }

  private func end(
    _ reason: TrainingEnding.Reason, _ sentence: String,
    _ event: (TrainingEvent) throws -> Void
  ) throws -> TrainingEnding {
    let ending = TrainingEnding(reason, sentence)
    try event(.ended(step: run.stepCount, ending))
    return ending
  }
}
