import Curvature
import LinearMaps
import Presentation
import Training

/// Parts of a run that a request names, made: schedule, trackers, guard.
struct TrainingParts<Scalar: LinearMapScalar> {
  let schedule: any Schedule
  let trackers: [any Tracker]
  let watch: (any RunGuard)?

  init(_ request: TrainingRequest) {
    let given: Double? = if case .number(let rate)? = request.rate { rate } else { nil }
    schedule = SchedulePlan(request.schedule, warmUp: request.warmUp).make(atMost: given)
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
}
