import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The limit and the floor of the batches that are trained on, predicted and run.
  var miniBatchSection: Document.Section? {
    guard let batches = miniBatches else { return nil }
    var rows: [DataTable.Row] = []
    func row(_ name: String, _ predicted: Double?, _ measured: Double?, _ remark: String) {
      guard predicted != nil || measured != nil else { return }
      rows.append(
        .init([
          .text(name), .number(orMissing: predicted), .number(orMissing: measured), .text(remark),
        ]))
    }
    let count = Wording.count(batches.batch, "sample")
    row(
      batches.isWhole ? "limit of batches of all" : "limit of batches of \(count)", batches.limit,
      nil,
      batches.isWhole
        ? ""
        : batches.growsInMostRuns
          ? "at yours the error grows in most runs"
          : "the mean square grows above, in rare bursts at first")
    if let last = batches.lastBatch {
      row(
        "without the last batch of \(last)", batches.limitWithoutLast, nil,
        "which lowers the limit of a pass")
    }
    row(
      "limit of batches of \(count)", batches.limitAtMost, nil,
      "or less: along the sharpest direction, at this point")
    if !batches.isWhole { row("limit of all samples at once", batches.limitOnAll, nil, "") }
    for other in batches.limits where other.batch == 2 * batches.batch {
      row("limit of batches of \(other.batch)", other.limit, nil, "")
    }
    row(
      "batch of half that limit", batches.halfLimitBatch, nil, "more samples hardly raise the rate")
    if !batches.isWhole {
      row(
        "batch of as much noise as gradient", batches.noiseBatch ?? batches.noiseScale, nil,
        "at this point; larger ones give little better steps")
    }
    if let floor = batches.floor {
      let isShuffled = batches.sampling == .shuffle
      row(
        isShuffled ? "noise floor, end of a pass" : "noise floor", floor.end, nil,
        floor.endError == nil ? "an estimate" : "mean loss gap, settled")
      if isShuffled { row("noise floor, middle of it", floor.middle, nil, "") }
    }
    if let run = batches.run {
      let remark = "\(Wording.count(run.steps, "step")) from the minimum"
      if run.ranAway {
        rows.append(
          .init([
            .text("in the run, ends of passes"), .number(orMissing: run.predictedEnd), .missing,
            .text("diverged in \(remark)"),
          ]))
      } else {
        row("in the run, ends of passes", run.predictedEnd, run.end, remark)
        if batches.sampling == .shuffle {
          row("in the run, middles", run.predictedMiddle, run.middle, "")
        }
      }
    }
    for other in batches.otherFloors ?? [] {
      row(
        other.batch == batches.batch
          ? "noise floor at \(Wording.number(other.rate))"
          : "noise floor of batches of \(other.batch)",
        other.end, nil, "end of a pass")
    }
    for trial in batches.inShares.trials {
      let passes = "\(Wording.passes(trial.passes)) from here"
      let name = trial.name(batches.isToldByLoss ? "loss" : "share of the gap left")
      if trial.diverged == true {
        rows.append(
          .init([
            .text(name), .number(orMissing: trial.predicted), .missing,
            .text("diverged in \(passes)"),
          ]))
        continue
      }
      if trial.isAtRounding {
        rows.append(
          .init([
            .text(name), .number(orMissing: trial.predicted), .number(0),
            .text("to rounding, \(passes)"),
          ]))
        continue
      }
      let spread = trial.error.map { "± \(Wording.number($0, digits: 2)), " } ?? ""
      row(name, trial.predicted, trial.measured, "\(spread)\(passes)")
    }
    var blocks: [Document.Block] = []
    if !rows.isEmpty {
      blocks.append(
        .table(
          DataTable(
            [
              .words(), DataTable.Column("predicted", missing: ""),
              DataTable.Column("measured", missing: ""), .words(),
            ], rows)))
    }
    if let note = batches.note { blocks.append(.explanation("(\(note))")) }
    guard !blocks.isEmpty else { return nil }
    return Document.Section(
      "Mini-batches of \(count), "
        + (batches.sampling == .shuffle ? "shuffled" : "drawn with replacement"), blocks)
  }
}

extension MiniBatches.Trial {
  fileprivate func name(_ measure: String) -> String {
    switch change {
    case .asGiven: "\(measure), as you have it"
    case .halfOfLimit: "at \(Wording.number(rate)), half of the limit"
    case .largerRate: "at \(Wording.number(rate)), four times yours"
    case .largerBatch: "in batches of \(batch) at \(Wording.number(rate))"
    case .decayedRate: "from \(Wording.number(rate)), lowered step by step to zero"
    }
  }
}
