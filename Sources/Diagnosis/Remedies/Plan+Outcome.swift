import LinearMaps
import Presentation

extension Contest {
  /// A bench for the next plan: it tries smaller rates where one diverges, but for the rate that was given, and
  /// where runs are cut, it cuts this one once it cannot win.
  func bench<Scalar>(
    _ bench: TrialBench<Scalar>, for plan: Plan<Scalar>, cuts: Bool, _ problem: DiagnosisProblem
  ) -> TrialBench<Scalar> {
    var bench = bench
    let kind = Prescription.Kind(rawValue: plan.prescription.id)
    bench.halvings = kind == .asGiven ? 0 : 10
    guard cuts else { return bench }
    var contest = self
    contest.isTold = kind == .asGiven || kind == .safeRate
    contest.foretold = problem.isQuadratic ? plan.prescription.predicted.iterations : nil
    bench.contest = contest
    return bench
  }

  /// Takes in what a run came to.
  mutating func note<Scalar>(_ outcome: TrialBench<Scalar>.Outcome, of plan: Plan<Scalar>) {
    guard !outcome.isDiverged, !outcome.wasCancelled else { return }
    let kind = Prescription.Kind(rawValue: plan.prescription.id)
    // What needs products by the Hessian leads only where nothing else comes near.
    if let steps = outcome.arrival, kind?.effort != nil {
      arrival = min(arrival ?? .infinity, outcome.operations(after: steps))
    }
    // The loss of another function says nothing about where this one's runs can come.
    if !plan.isAfresh, let loss = outcome.lowestLoss, loss < lowest?.loss ?? .infinity {
      lowest = (loss, outcome.operations(after: outcome.losses.count - 1))
    }
  }
}

extension Plan {
  /// The prescription with what its run gave; a smaller rate than planned, where that diverged, stands in its
  /// sentence.
  func prescription(
    after outcome: TrialBench<Scalar>.Outcome, _ measured: Prescription.Measured
  ) -> Prescription {
    var notes = prescription.note.map { [$0] } ?? []
    var change = outcome.change
    var predicted: Prescription.Predicted?
    let diverged = outcome.divergedRates
    if !outcome.isDiverged, let first = diverged.first, let rate = outcome.chosenRate {
      change = slower?(rate) ?? "\(prescription.change), but at the rate \(Wording.number(rate))"
      // What was foretold was of another rate.
      predicted = .init(
        conditionNumber: prescription.predicted.conditionNumber, rate: rate,
        momentum: prescription.predicted.momentum)
      notes = [
        "\(Wording.number(first)) diverged when run, and this is "
          + (diverged.count == 1 ? "half of it" : "the largest of its halvings that did not")
      ]
    } else if diverged.count > 1 {
      notes.append("so did \(Wording.count(diverged.count - 1, "halving")) of the rate")
    }
    if measured.wasCut == true, let steps = measured.stepsRun {
      notes.append("cut after \(Wording.count(steps, "step")): it could no longer win")
    }
    if let end = measured.inBatches, end.batch == nil {
      notes.append(
        "on all samples at each step, for at most the work of \(Wording.passes(end.passes))")
    }
    var result = prescription.with(
      measured: measured, change: change, predicted: predicted,
      note: notes.isEmpty ? nil : notes.joined(separator: "; "))
    result.course = course(of: outcome, measured)
    return result
  }

  /// As a command takes it: as long as the run was.
  private func course(
    of outcome: TrialBench<Scalar>.Outcome, _ measured: Prescription.Measured
  ) -> TrainingCourse? {
    guard var course = outcome.course, !measured.diverged else { return nil }
    if course.epochs == nil {
      // Where runs are compared by their lowest losses, up to that: a loss may swing up again behind it.
      let lowest = measured.lossAtEqualWork.flatMap { outcome.losses.firstIndex(of: $0) }
      course.steps = max(
        1, course.dependsOnLength ? outcome.limit : lowest ?? measured.stepsRun ?? 1)
    }
    return course
  }
}
