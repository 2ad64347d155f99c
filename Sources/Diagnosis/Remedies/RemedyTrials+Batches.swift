import LinearMaps
import Presentation
import Training

/// The remedies in the user's mini-batches.
extension RemedyTrials {
  /// Every change over as many samples in the same orders of the batches, judged by the mean loss over the ends of
  /// its last passes; what needs all
  /// samples at each step gets the work of as many passes.
  mutating func run(
    _ plans: [Plan<Scalar>], _ newton: Prescription, in setting: BatchSetting
  ) throws {
    let gradientOperations = try start.objective.gradientOperations()
    var reference: Reference?
    var search: NewtonCG<Scalar>?
    if start.budget.affords("Newton's method", products: 300, share: 0.2) {
      let found = try NewtonRemedy.run(
        measured, trial: try bench(nil, gradientOperations).operations(of: start.objective))
      guard found.ending != .cancelled else {
        outcomes.interrupted = (0, outcomes.prescriptions.count)
        return
      }
      outcomes.hasFiniteMinimum = hasFiniteMinimum(found)
      reference = try measured.certifiedMinimum(found)
      search = found
    } else {
      outcomes.prescriptions.removeLast()
    }
    if let reference, outcomes.hasFiniteMinimum, isAtStart(reference) {
      outcomes.reference = Reference(
        loss: reference.loss, source: "the start itself, which is the minimum", isCertified: true)
      return
    }
    var bench = bench(reference?.loss, gradientOperations)
    bench.batches = setting
    var unbounded = bench
    unbounded.referenceLoss = nil
    let runs = try run(plans, after: search == nil ? 0 : 1, cuts: false) {
      $0.isAfresh ? unbounded : bench
    }
    // Where an optimizer goes first, the losses on the way are of batches.
    let ends = runs.compactMap { $0.stepsInBatches == nil ? $0.losses.last : $0.lowestLoss }
    let lowest = (ends + (search?.path.map(\.loss) ?? [])).filter(\.isFinite).min() ?? start.loss
    if let known = reference, measured.exactLoss(survey) == nil,
      lowest < known.loss - options.tolerance * (start.loss - known.loss)
    {
      // A minimum of its neighbourhood alone.
      reference = nil
    }
    outcomes.reference = reference ?? .lowestSeen(lowest)
    bench.referenceLoss = reference?.loss
    for (index, outcome) in runs.enumerated() where !outcome.wasCancelled {
      outcomes.prescriptions[index] = plans[index].prescription(
        after: outcome, bench.measured(outcome, in: setting))
    }
    if outcomes.interrupted == nil {
      outcomes.batchTrials = try batchTrials(bench, in: setting)
    }
    guard let search else { return }
    let extra = survey.diagonal == nil ? 0 : try measured.diagonalOperations()
    let figures = bench.measured(search.path, extraOperations: extra, in: setting)
    outcomes.prescriptions[outcomes.prescriptions.count - 1] = newton.with(
      measured: figures,
      note: "on all samples at each step, for at most the work of \(Wording.passes(setting.passes))"
        + (figures.stepsRun == 0 ? ": took no step in that work" : ""))
  }
}
