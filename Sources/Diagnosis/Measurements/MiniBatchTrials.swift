import LinearMaps
import Training

/// The given training from the point of diagnosis in batches, and changes to its rate and batch: what is a remedy as
/// that ran, and the others with the same orders, passes and judgement.
extension RemedyTrials {
  private typealias Variant = (kind: MiniBatches.Trial.Change, rate: Double, batch: Int)

  /// The lowest first.
  ///
  /// - Throws: what the executor throws.
  func batchTrials(
    _ bench: TrialBench<Scalar>, in setting: BatchSetting
  ) throws -> [MiniBatches.Trial] {
    guard let user = measured.userBatches, let study = user.study, start.whole == nil,
      let rate = start.request.training.rate,
      study.isToldByLoss || gapUnit(bench, user) != nil,
      let own = outcomes.prescriptions.first(where: { $0.id == Prescription.Kind.asGiven.rawValue }
      ),
      own.measured != nil
    else { return [] }
    var trials = [trial(.asGiven, own, bench, user)]
    if let other = half(study) { trials.append(trial(.halfOfLimit, other, bench, user)) }
    if let other = outcomes.prescriptions.first(where: {
      $0.id == Prescription.Kind.decayedRate.rawValue
    }) {
      trials.append(trial(.decayedRate, other, bench, user))
    }
    for variant in variants(study, rate: rate) {
      guard trials.allSatisfy({ $0?.change != variant.kind }) else { continue }
      start.context.report("mini-batch trial: \(variant.kind.rawValue)")
      var other = setting
      other.batches.size = variant.batch
      var bench = bench
      bench.batches = other
      let outcome = try bench.run(
        start.objective, start.optimizer, rate: variant.rate, from: start.point,
        theory: measured.theory(survey, rate: variant.rate, by: start.optimizer))
      guard !outcome.wasCancelled, !start.context.isCancelled() else { break }
      trials.append(
        trial(
          variant.kind, bench.measured(outcome, in: other), rate: variant.rate,
          predicted: user.meanGap(start.optimizer, rate: variant.rate, in: other), bench, user))
    }
    return trials.compactMap { $0 }.enumerated().sorted {
      ($0.element.measured ?? .infinity, $0.offset) < ($1.element.measured ?? .infinity, $1.offset)
    }.map(\.element)
  }

  /// The safe rate of plain descent, where it is half of the limit.
  private func half(_ study: MiniBatches) -> Prescription? {
    guard start.optimizer.isPlainDescent, let limit = study.limit, isHalfApart(study) else {
      return nil
    }
    return outcomes.prescriptions.first { item in
      item.id == Prescription.Kind.safeRate.rawValue
        && item.rateRun.map { abs($0 / limit - 0.5) < 0.02 } ?? false
    }
  }

  private func isHalfApart(_ study: MiniBatches) -> Bool {
    guard let limit = study.limit, let rate = start.request.training.rate else { return false }
    return abs(rate / limit - 0.5) > 0.1 && !start.optimizer.hasBoundedSteps
  }

  /// What a gap as a share of the first is multiplied by; nil where no gap is known.
  private func gapUnit(_ bench: TrialBench<Scalar>, _ user: UserBatches<Scalar>) -> Double? {
    guard let reference = bench.referenceLoss else { return nil }
    return user.initialGap ?? start.loss - reference
  }

  private func trial(
    _ change: MiniBatches.Trial.Change, _ item: Prescription, _ bench: TrialBench<Scalar>,
    _ user: UserBatches<Scalar>
  ) -> MiniBatches.Trial? {
    guard let measured = item.measured, measured.inBatches?.batch != nil, let rate = item.rateRun
    else { return nil }
    return trial(
      change, measured, rate: rate, predicted: item.predicted.meanGap, bench, user)
  }

  private func trial(
    _ change: MiniBatches.Trial.Change, _ measured: Prescription.Measured, rate: Double,
    predicted: Double?, _ bench: TrialBench<Scalar>, _ user: UserBatches<Scalar>
  ) -> MiniBatches.Trial {
    let end = measured.inBatches
    let unit = user.study?.isToldByLoss == true ? nil : gapUnit(bench, user)
    return .init(
      change: change, rate: rate, batch: end?.batch ?? user.setting.batches.size,
      passes: user.setting.passes, steps: measured.stepsRun ?? 0, seeds: user.setting.orders,
      predicted: unit.flatMap { unit in predicted.map { $0 * unit } },
      measured: measured.diverged
        ? nil : unit.map { (measured.relativeGap ?? .nan) * $0 } ?? measured.loss,
      error: measured.diverged || user.setting.orders < 2
        ? nil : unit.map { (end?.gapError ?? .nan) * $0 } ?? end?.lossError,
      diverged: measured.diverged, orders: end?.orders,
      relative: measured.diverged || unit == nil ? nil : measured.relativeGap)
  }

  private func variants(_ study: MiniBatches, rate: Double) -> [Variant] {
    var variants: [Variant] = []
    let batch = study.batch
    if let limit = study.limit, isHalfApart(study) {
      variants.append((.halfOfLimit, limit / 2, batch))
    }
    if let limit = study.limit, start.optimizer.hasBoundedSteps, 8 * rate < limit {
      variants.append((.largerRate, 4 * rate, batch))
    }
    if 4 * batch <= start.problem.sampleCount {
      variants.append((.largerBatch, rateOfLargerBatch(study, rate: rate), 4 * batch))
    }
    return variants
  }

  /// The rate that goes with four times the batch: as much larger as the limit, or, where none is known, as the
  /// step that the gradient's noise leaves the most gain, `1 / (1 + noise / |g|^2)`. Steps that are divided by the
  /// gradient's size get its square root. Half of the limit of the larger batch where it would come to no less than
  /// that limit, or where the given rate is no less than its own.
  ///
  /// Reference: McCandlish, Kaplan and Amodei, "An empirical model of large-batch training" (arXiv:1812.06162),
  /// equation 2.6; Malladi et al., "On the SDEs and scaling rules for adaptive gradient algorithms"
  /// (arXiv:2205.10287).
  private func rateOfLargerBatch(_ study: MiniBatches, rate: Double) -> Double {
    let batch = study.batch
    let n = start.problem.sampleCount
    let own = study.limits.first { $0.batch == batch }?.limit
    let larger = study.limits.first { $0.batch == 4 * batch }?.limit
    var ratio = 1.0
    if let own, let larger {
      ratio = larger / own
    } else if let scale = study.noiseScale {
      let draw = study.sampling == .shuffle ? BatchNoise.Draw.subsets : .replacement
      func noise(_ batch: Int) -> Double { scale * BatchNoise.factor(batch, draw, of: n) }
      ratio = (1 + noise(batch)) / (1 + noise(4 * batch))
    }
    let isScaled = start.optimizer.isPreconditioned || start.optimizer.hasBoundedSteps
    let scaled = rate * (isScaled ? ratio.squareRoot() : ratio)
    let bound = [larger, study.limitOnAll].compactMap { $0 }.min()
    guard let bound, scaled >= bound || study.limit.map({ rate >= $0 }) ?? false else {
      return scaled
    }
    return min(scaled, bound / 2)
  }
}
