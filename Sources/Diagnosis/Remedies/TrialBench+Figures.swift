import LinearMaps
import Training

/// What a trial's losses come to as figures.
extension TrialBench {
  /// A run that was recorded against another reference or none, seen against this one by its losses.
  func judged(_ outcome: Outcome) -> Outcome {
    var result = outcome
    let arrival = (outcome.losses.lastIndex { !isWithin($0, { nil }).0 } ?? -1) + 1
    let isSettled = outcome.losses.count - 1 - arrival >= Self.watch(after: arrival)
    result.arrival = isSettled && !outcome.isDiverged ? arrival : nil
    if result.arrival != outcome.arrival { result.arrivalPoint = nil }
    result.relativeGap =
      (result.arrival.map { outcome.losses[$0] } ?? outcome.losses.last).flatMap(gap)?.value
    return result
  }

  /// The figures of a trial.
  ///
  /// - Parameters:
  ///   - work: operations that all trials are compared at, where nothing certifies a minimum.
  func measured(_ outcome: Outcome, comparedAt work: Double?) -> Prescription.Measured {
    let end = outcome.arrival ?? outcome.losses.count - 1
    let loss = outcome.losses[end]
    return Prescription.Measured(
      iterations: outcome.arrival, reached: outcome.arrival != nil, diverged: outcome.isDiverged,
      loss: loss.isFinite ? loss : nil,
      relativeGap: loss.isFinite ? outcome.relativeGap : nil,
      gradientEquivalents: outcome.operations(after: end) / gradientOperations, stepsRun: end,
      lossAtEqualWork: outcome.isDiverged
        ? nil : work.flatMap { outcome.lowestLoss(within: $0) }, rate: outcome.chosenRate,
      wasCut: outcome.wasCut && outcome.arrival == nil && !outcome.isDiverged ? true : nil,
      lossAtEnd: outcome.losses.last.flatMap { $0.isFinite ? $0 : nil },
      settled: outcome.isSettled, sharpnessAtEnd: outcome.sharpnessAtEnd)
  }

  /// The figures of a Newton run, read off its path.
  func measured(
    _ path: [NewtonCG<Scalar>.Point], extraOperations: Double, comparedAt work: Double?
  ) -> Prescription.Measured {
    func judged(_ point: NewtonCG<Scalar>.Point) -> (Bool, gap: Double?) {
      isWithin(point.loss) { point.relativeGap }
    }
    // The line search lets the loss fall only, so that the first point within the tolerance stays.
    let first = path.firstIndex { judged($0).0 }
    let end = path[first ?? path.count - 1]
    let within = work.map { work in
      path.filter { $0.operations + extraOperations <= work }.map(\.loss).filter(\.isFinite).min()
        ?? path[0].loss
    }
    return Prescription.Measured(
      iterations: first, reached: first != nil, diverged: !end.loss.isFinite,
      loss: end.loss.isFinite ? end.loss : nil,
      relativeGap: end.loss.isFinite ? judged(end).gap : nil,
      gradientEquivalents: (end.operations + extraOperations) / gradientOperations,
      stepsRun: first ?? path.count - 1, lossAtEqualWork: within)
  }
}
