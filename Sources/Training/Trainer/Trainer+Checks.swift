import Curvature
import Foundation
import LinearMaps

extension Trainer {
  func isDue(_ tracker: any Tracker, _ step: Int) -> Bool {
    let closer = tracker.isGuiding ? watch?.checkPeriod : nil
    return step % min(tracker.period, closer ?? .max) == 0
  }

  /// Lets the trackers look that are due: before the step, or `from` where it began.
  func check(
    _ step: Int, rate: Double, from origin: [Scalar]? = nil,
    _ event: (TrainingEvent) throws -> Void
  ) throws {
    let due = trackers.indices.filter {
      trackers[$0].looksAtSteps == (origin != nil) && isDue(trackers[$0], step)
    }
    guard !due.isEmpty else { return }
    let moment = TrackingMoment(
      run: run, sample: sample, rate: rate, report: own.report, seed: seed, origin: origin)
    let unit = try stepOperations()
    var values: [TrackedValue] = []
    var costs: [TrackerCost] = []
    for index in due {
      let (spent, began) = (sample.operations, Date())
      values += try trackers[index].check(moment, &own.trackers[index])
      costs.append(
        TrackerCost(
          tracker: trackers[index].name, gradients: (sample.operations - spent) / unit,
          seconds: Date().timeIntervalSince(began)))
    }
    if origin == nil { lastTracked = values }
    let record = TrackingRecord(
      step: step, values: values, gradients: costs.reduce(0) { $0 + $1.gradients },
      seconds: costs.reduce(0) { $0 + $1.seconds }, costs: costs)
    own.history.note(record)
    try event(.tracked(record))
  }

  /// Operations of a step's gradient: the unit of what checks cost.
  func stepOperations() throws -> Double {
    let whole = try run.loss.gradientOperations()
    guard case .batches(let batches)? = (run as? TrainingRun<Scalar>)?.source else {
      return max(1, whole)
    }
    return max(1, whole * Double(batches.size) / Double(run.loss.sampleCount))
  }

  /// Lets the guard have the point before a step to go back to.
  func keepPoint(_ step: Int) {
    guard action == .lowerRate, watch?.wantsPoint(before: step, tracked: lastTracked) == true else {
      return
    }
    let state = run.trainingState
    watch?.point = doubles(state.parameters) + doubles(state.state)
  }

  /// Lowers the rate, and puts the run back where it was good.
  ///
  /// - Returns: whether it was put back, so that what the step saw counts no more.
  func goBack(_ alarm: GuardAlarm) -> Bool {
    own.rateFactor *= alarm.rateFactor
    let count = run.loss.parameterCount
    guard let point = watch?.point, point.count >= count else { return false }
    let numbers: [Scalar] = scalars(point)
    lastTracked = []
    return run.goBack(parameters: Array(numbers[..<count]), state: Array(numbers[count...]))
  }
}
