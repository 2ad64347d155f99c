import LinearMaps
import Training

/// The rates of a trial step by step, by a schedule over all the steps that it may take.
struct TrialPace<Scalar: LinearMapScalar> {
  private var schedule: any Schedule
  private let rate: Double
  private let stepCount: Int
  private let stepsPerPass: Int
  private let measurer: ScheduleMeasurer<Scalar>

  init(
    _ schedule: any Schedule, rate: Double, stepCount: Int, stepsPerPass: Int = 1, seed: UInt64
  ) {
    self.schedule = schedule
    self.rate = rate
    self.stepCount = stepCount
    self.stepsPerPass = stepsPerPass
    measurer = ScheduleMeasurer(seed: seed)
  }

  /// Gives a run the rate of its next step; what is measured for it counts to the work of the run.
  ///
  /// - Throws: what the executor throws.
  mutating func setRate(of run: TrainingRun<Scalar>) throws {
    var moment = ScheduleMoment(
      step: run.stepCount, stepCount: stepCount, stepsPerPass: stepsPerPass, rate: rate)
    if let measurement = schedule.measurement, run.stepCount % measurement.period == 0 {
      moment.measured = try measurer.measure(measurement, run)
    }
    run.rate = schedule.rate(moment)
  }
}

/// How a trial departs from steps at one rate.
struct TrialForm: Sendable {
  /// Nil for a constant rate.
  var schedule: (any Schedule)?
  var rules = StepRules()
  var seed: UInt64 = 0

  /// Whether the rate comes down to nothing, so that what the run comes to is where it ends.
  func endsAtZero(steps: Int) -> Bool {
    guard var schedule, schedule.measurement == nil else { return false }
    return schedule.rate(ScheduleMoment(step: steps, stepCount: steps, rate: 1)) < 1e-6
  }
}
