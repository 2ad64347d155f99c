import Curvature
import LinearMaps
import Presentation
import Training

/// Parts of a run that a request names, made: schedule, trackers, guard.
struct TrainingParts<Scalar: LinearMapScalar> {
  let schedule: any Schedule
  let trackers: [any Tracker]
  let watch: (any RunGuard)?
  /// What was decided about them, in sentences.
  let notes: [String]

  /// - Parameters:
  ///   - steps: of the whole run, which the trackers' own periods are chosen by.
  ///   - constantLoss: of the best constant answer, where it is known, for the guard.
  init(_ request: TrainingRequest, steps: Int, constantLoss: Double?) {
    let given: Double? = if case .number(let rate)? = request.rate { rate } else { nil }
    schedule = SchedulePlan(request.schedule, warmUp: request.warmUp).make(atMost: given)
    var notes: [String] = []
    var trackers = request.trackers.map { $0.tracker(steps: steps) }
    if let shortened = zip(request.trackers, trackers).first(where: {
      $0.make().period != $1.period
    })?.1 {
      notes.append(
        "In a run of \(Wording.count(steps, "step")) trackers look every "
          + "\(shortened.period == 1 ? "step" : "\(Wording.count(shortened.period)) steps"), where no period is "
          + "given.")
    }
    var period = SharpnessLook().period
    if request.guarding != .off {
      if let guide = Self.guide(request).flatMap({ try? TrackerSetting($0) }) {
        if !trackers.contains(where: { $0.name == guide.name }) {
          trackers.append(guide.tracker(steps: steps))
        }
        period = trackers.first { $0.name == guide.name }?.period ?? period
      } else {
        notes.append(
          "No limit of the rate is known for \(request.optimizer.phrase): --guard goes by the losses "
            + "of the steps alone.")
      }
    }
    self.trackers = trackers
    self.notes = notes
    watch =
      request.guarding == .off
      ? nil : StabilityGuard(request.guarding, period: period, constantLoss: constantLoss)
  }

  /// What a guard goes by: the tracker that compares with the limit of this optimizer at rates of this kind; nil
  /// where no limit is known.
  private static func guide(_ request: TrainingRequest) -> String? {
    guard case .optimizer(let setting) = request.optimizer,
      let stability = setting.make().stability
    else { return nil }
    let rules = request.rules
    let isUniform = rules.rates.isEmpty && rules.rateFile == nil
    return stability.isPreconditioned || !isUniform
      ? PreconditionedSharpness().name : Sharpness().name
  }
}

extension TrackerSetting {
  /// The tracker, which looks at least twenty times at a run of so many steps where no period was given.
  fileprivate func tracker(steps: Int) -> any Tracker {
    let usual = make()
    let most = Swift.max(1, steps / 20)
    guard hyperparameters["period"] == 0, usual.period > most,
      let setting = try? TrackerSetting(
        name, hyperparameters.merging(["period": Double(most)]) { $1 })
    else { return usual }
    return setting.make()
  }
}
