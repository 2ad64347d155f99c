import Curvature
import LinearMaps
import Presentation
import Training

/// Parts of a run that a request names, made: rate, schedule, guard, and what a schedule measures.
struct TrainingParts<Scalar: LinearMapScalar> {
  let rate: Double
  let schedule: any Schedule
  let trackers: [any Tracker]
  let watch: (any RunGuard)?

  /// - Throws: `DiagnosisFailure` for what cannot be had.
  init(_ request: TrainingRequest) throws {
    rate = try Self.rate(request)
    schedule = try Self.schedule(request)
    trackers = request.trackers.map { $0.make() }
    watch = try Self.watch(request)
  }

  private static func rate(_ request: TrainingRequest) throws -> Double {
    switch request.rate {
    case .number(let rate): rate
    // The length of a method's own first trial.
    case nil: 1
    case .automatic:
      throw DiagnosisFailure(
        .usage,
        "\(option: .rate, "auto") cannot be answered here yet; give a number: `eigenstep diagnose` names the "
          + "rates that are stable at the start.")
    }
  }

  private static func schedule(_ request: TrainingRequest) throws -> any Schedule {
    let schedule = request.schedule.make()
    guard schedule.measurement == nil else {
      throw DiagnosisFailure(
        .usage,
        "The schedule \(schedule.name) measures the loss, which is not done here yet; give another "
          + "\(option: .schedule).")
    }
    guard request.warmUp == nil else {
      throw DiagnosisFailure(
        .usage, "There is no warm-up for the schedule \(schedule.name) here yet; leave it out.")
    }
    return schedule
  }

  private static func watch(_ request: TrainingRequest) throws -> (any RunGuard)? {
    guard request.guarding != .off else { return nil }
    throw DiagnosisFailure(.usage, "Nothing watches a run here yet; leave --guard out.")
  }

  /// What the schedule asks for.
  func measure(
    _ measurement: ScheduleMeasurement, _ run: any TrainingSteps<Scalar>,
    _ memory: inout TrackerMemory
  ) throws -> ScheduleReading {
    preconditionFailure("\(schedule.name) was refused")
  }
}
