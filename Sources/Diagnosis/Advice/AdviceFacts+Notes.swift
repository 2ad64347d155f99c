import Presentation

/// How the prescriptions are to be read where they were run in mini-batches, and what the mark at the first means.
extension AdviceFacts {
  var batchNotes: [String] {
    guard let miniBatches,
      let end = prescriptions.lazy.compactMap({ $0.measured?.inBatches }).first
    else { return [] }
    let averaged = prescriptions.lazy.compactMap { $0.measured?.inBatches?.averaged }.max() ?? 1
    let passes = Wording.passes(end.passes)
    let orders = prescriptions.lazy.compactMap { $0.measured?.inBatches?.orders?.count }.max() ?? 1
    var notes = [
      "Each was run from here in batches of \(Wording.count(miniBatches.batch, "sample")), "
        + (miniBatches.sampling == .shuffle ? "shuffled alike" : "drawn alike with replacement")
        + ", for \(passes)"
        + (orders > 1 ? ", in the same \(orders) orders of the samples" : "")
        + ". The \(basis.isJudgedByLoss ? "loss" : "gap left") is the mean"
        + (averaged > 1
          ? " over the ends of the last \(Wording.count(averaged))"
            + ", or where the rate comes down to 0 that at the end"
          : " at the end")
        + ", ± its standard error\(orders > 1 ? " over the orders" : ""). Work is in gradients over all samples "
        + "of one order; what takes all of them at each step had that of as many passes."
    ]
    notes += predictedMeanNotes
    if preparation != nil {
      notes.append(
        "This loss has no minimum at finite parameters"
          + (basis.isJudgedByLoss ? "." : ": gaps are to its infimum, which no step reaches."))
    }
    if let mark = markNote { notes.append(mark) }
    if let unfinished = finding("coefficients-unfinished") { notes.append(unfinished.sentence) }
    if let interrupted = finding("interrupted") { notes.append(interrupted.sentence) }
    return notes
  }

  /// The same where they would be run in batches, and none was; nil where they would not.
  var untriedBatchNotes: [String]? {
    guard let miniBatches, !miniBatches.isWhole, let passes = miniBatches.remedyPasses else {
      return nil
    }
    var notes = [
      "Nothing was run. With trials, each change is run from here in batches of "
        + "\(Wording.count(miniBatches.batch, "sample")), "
        + (miniBatches.sampling == .shuffle ? "shuffled alike" : "drawn alike with replacement")
        + ", for \(Wording.passes(passes)), and judged by the mean over the ends of the last ones; what takes all "
        + "samples at each step has the work of as many passes."
    ]
    notes += predictedMeanNotes
    if preparation != nil { notes.append("This loss has no minimum at finite parameters.") }
    if let interrupted = finding("interrupted") { notes.append(interrupted.sentence) }
    return notes
  }

  private var predictedMeanNotes: [String] {
    guard prescriptions.contains(where: { $0.predicted.meanGap != nil }) else { return [] }
    return [
      "Predicted is that mean for least squares: what is left of the way down, and the noise that has built "
        + "up; for other losses and optimizers no theory foretells it."
    ]
  }

  /// Why Do may name another one than the first; nil where it does not, or nothing is marked.
  var markNote: String? {
    guard basis.isTried, let first = prescriptions.first, first.isMarked,
      let chosen = lead ?? closest, chosen.id != first.id
    else { return nil }
    let least =
      first.measured?.inBatches == nil
      ? "the least work"
      : basis.isJudgedByLoss ? "the lowest loss" : "the smallest gap"
    let isOnAll = first.measured.map { $0.inBatches != nil && $0.inBatches?.batch == nil } ?? false
    return "The * marks \(least); Do names what takes the least to set up of those that come near "
      + (isOnAll ? "the best in batches." : "it.")
  }
}

extension Prescription {
  /// Whether it is marked as the best where it stands first.
  package var isMarked: Bool {
    guard let measured, !measured.diverged else { return false }
    return measured.reached || measured.inBatches != nil
  }
}
