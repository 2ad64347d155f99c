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
      run: run, sample: sample, rate: rate, seed: seed, origin: origin)
    let record = try moment.record(
      of: trackers, due, step: step, unit: stepOperations(), &own.trackers)
    if origin == nil { lastTracked = record.values }
    own.history.note(record)
    try event(.tracked(record))
  }

  /// Operations of a step's gradient: the unit of what checks cost.
  func stepOperations() throws -> Double {
    let whole = try run.loss.gradientOperations()
    guard case .batches(let batches)? = run.optimizerRun?.source else {
      return max(1, whole)
    }
    return max(1, whole * Double(batches.size) / Double(run.loss.sampleCount))
  }

  /// Lets the guard have the point before a step to go back to.
  ///
  /// - Parameter limits: what checks had counted before that of this step.
  func keepPoint(_ step: Int, _ limits: [TrackingSummary.Limits?]) {
    guard action == .lowerRate, let first = run.optimizerRun,
      watch?.wantsPoint(before: step, tracked: lastTracked) == true
    else { return }
    let state = first.trainingState
    watch?.offer(
      doubles(state.parameters) + doubles(state.state), before: step, tracked: lastTracked)
    let known = [watch?.pointStep, watch?.firstStep]
    own.kept.removeAll { !known.contains($0.step) }
    own.kept.append(
      KeptPoint(
        step: step, updates: first.updateCount, schedule: schedule.memory,
        limits: limits))
  }

  /// Lowers the rate, and puts the run back where it was good, with what the optimizer, the schedule and the checks
  /// had seen there; what measuring keeps begins anew.
  ///
  /// - Returns: whether it was put back, so that what the step saw counts no more.
  func goBack(_ alarm: GuardAlarm) -> Bool {
    own.rateFactor *= alarm.rateFactor
    guard alarm.goesBack, let first = run.optimizerRun, let watch,
      let kept = own.kept.last(where: { $0.step == watch.pointStep })
    else { return false }
    let numbers: [Scalar] = scalars(watch.point)
    let count = run.loss.parameterCount
    guard numbers.count >= count,
      first.goBack(
        parameters: Array(numbers[..<count]), state: Array(numbers[count...]),
        updates: kept.updates)
    else { return false }
    lastTracked = []
    own.kept.removeAll { $0.step != kept.step && $0.step != watch.firstStep }
    (own.lossSum, own.lossCount) = (0, 0)
    restoreSchedule(kept.schedule)
    own.measuring = TrackerMemory()
    for index in trackers.indices { own.trackers[index].vectors = [:] }
    own.history.goBack(kept.limits, at: run.stepCount)
    return true
  }

  /// Tells the guard the loss over all samples where the run starts.
  func tellStart() throws {
    guard watch != nil, run.stepCount == 0 else { return }
    let known = own.history.evaluations.first?.training.loss
    watch?.begin(loss: try known ?? run.loss.value(at: run.parameters))
  }

  /// Lets the guard end the run at its point, where the last one is worse than the start.
  func alarmAtEnd() throws -> GuardAlarm? {
    guard action == .lowerRate, watch?.point.isEmpty == false, run.optimizerRun != nil else {
      return nil
    }
    let evaluation = own.history.evaluations.last
    let loss =
      evaluation?.step == run.stepCount
      ? evaluation?.training.loss ?? .infinity : try run.loss.value(at: run.parameters)
    return watch?.end(loss: loss)
  }
}
