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
    row("limit of batches of \(count)", batches.limit, nil, "rare bursts above")
    row("limit of all samples at once", batches.limitOnAll, nil, "")
    for other in batches.limits where other.batch == 2 * batches.batch {
      row("limit of batches of \(other.batch)", other.limit, nil, "")
    }
    row(
      "batch of half that limit", batches.halfLimitBatch, nil, "more samples hardly raise the rate")
    row(
      "batch of as much noise as gradient", batches.noiseScale, nil,
      "at this point; larger ones give little better steps")
    if let floor = batches.floor {
      let isShuffled = batches.sampling == .shuffle
      row(
        isShuffled ? "noise floor, end of a pass" : "noise floor", floor.end, nil,
        floor.endError == nil ? "an estimate" : "mean loss gap, settled")
      if isShuffled { row("noise floor, middle of it", floor.middle, nil, "") }
    }
    if let run = batches.run {
      let remark = "\(Wording.count(run.steps, "step")) from the minimum"
      row("in the run, ends of passes", run.predictedEnd, run.end, remark)
      if batches.sampling == .shuffle {
        row("in the run, middles", run.predictedMiddle, run.middle, "")
      }
    }
    for trial in batches.trials {
      row(
        trial.name(batches.isToldByLoss ? "loss" : "gap left"), trial.predicted, trial.measured,
        "\(Wording.count(trial.passes)) passes from here")
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
    case .largerBatch: "in batches of \(batch)"
    case .decayedRate: "rate lowered step by step to zero"
    }
  }
}
