import Curvature
import LinearMaps
import Presentation
import Training

/// Parts of a run that a request names, made: rate, schedule, trackers, guard.
struct TrainingParts<Scalar: LinearMapScalar> {
  let rate: Double
  let schedule: any Schedule
  let trackers: [any Tracker]
  let watch: (any RunGuard)?

  /// - Throws: `DiagnosisFailure` for what cannot be had.
  init(_ request: TrainingRequest) throws {
    rate = try Self.rate(request)
    schedule = SchedulePlan(request.schedule, warmUp: request.warmUp).make()
    var trackers = request.trackers.map { $0.make() }
    if request.guarding != .off, !trackers.contains(where: \.isGuiding) {
      trackers.append(Self.guiding(request.optimizer))
    }
    self.trackers = trackers
    watch =
      request.guarding == .off
      ? nil
      : trackers.first(where: \.isGuiding).map {
        StabilityGuard(request.guarding, period: $0.period)
      }
  }

  /// What a guard goes by where nobody asked for it to be tracked.
  private static func guiding(_ method: TrainingMethod) -> any Tracker {
    guard case .optimizer(let setting) = method,
      setting.make().stability?.isPreconditioned == true
    else { return Sharpness() }
    return PreconditionedSharpness()
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
}
