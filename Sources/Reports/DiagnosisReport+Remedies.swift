import Diagnosis
import Presentation

extension Document.Block {
  /// A command in a line of its own that is not wrapped, so that it can be copied; a single word is the line.
  static func command(_ words: [String]) -> Document.Block {
    let line =
      words.count == 1
      ? words[0]
      : words.map { word in
        let isPlain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./:=,+".contains($0) }
        return isPlain && !word.isEmpty
          ? word : "'" + word.replacing("'", with: "'\\''") + "'"
      }.joined(separator: " ")
    return .table(DataTable([.words()], [.init([.text(Printable.line(line))], emphasis: .best)]))
  }
}

extension DiagnosisReport {
  /// The remedies, best first: what was predicted, what was measured.
  var prescriptionSection: Document.Section? {
    guard !prescriptions.isEmpty else { return nil }
    let isUntried = !advice.basis.isTried && miniBatches?.remedyPasses != nil
    if isUntried || prescriptions.contains(where: { $0.measured?.inBatches != nil }) {
      return batchSection
    }
    let isJudgedByLoss = advice.basis.isJudgedByLoss
    let table = DataTable(
      [
        .words(), DataTable.Column("predicted"),
        DataTable.Column(isJudgedByLoss ? "run" : "measured"), DataTable.Column("work"),
        DataTable.Column(
          isJudgedByLoss ? "lowest loss" : "gap left", .significant(isJudgedByLoss ? 3 : 2)),
      ],
      prescriptions.map { item in
        let measured = item.measured
        return DataTable.Row(
          [
            .text(item.id), .integer(orMissing: predictedSteps(of: item)), steps(of: item),
            .number(orMissing: measured?.gradientEquivalents),
            .number(
              orMissing: measured?.diverged == true
                ? nil : isJudgedByLoss ? measured?.lossAtEqualWork : measured?.relativeGap),
          ],
          emphasis: measured?.reached == true && item == prescriptions.first
            ? .best : measured?.diverged == true ? .failed : .none,
          caption: item.change + (item.note.map { " (\($0))" } ?? ""))
      }, isRanked: true)
    return Document.Section(
      advice.basis.isTried
        ? "What was tried, best first" : "What could be tried, by predicted steps",
      [.table(table)] + advice.notes.map { .explanation($0) })
  }

  /// The same where they were run in the user's mini-batches.
  private var batchSection: Document.Section {
    let isJudgedByLoss = advice.basis.isJudgedByLoss
    let table = DataTable(
      [
        .words(), DataTable.Column("predicted"),
        DataTable.Column(isJudgedByLoss ? "mean loss" : "gap left"),
        DataTable.Column("±", missing: ""),
        DataTable.Column("work"),
      ],
      prescriptions.map { item in
        let (measured, end) = (item.measured, item.measured?.inBatches)
        let cell: DataTable.Cell =
          measured == nil
          ? .text("not run")
          : measured?.diverged == true
            ? .text("diverged")
            : !isJudgedByLoss && item.isAtRounding
              ? .text("0 to rounding")
              : .number(
                orMissing: isJudgedByLoss ? measured?.lossAtEqualWork : measured?.relativeGap)
        return DataTable.Row(
          [
            .text(item.id), .number(orMissing: item.predicted.meanGap), cell,
            .number(
              orMissing: isJudgedByLoss ? end?.lossError : item.isAtRounding ? nil : end?.gapError),
            .number(orMissing: measured?.gradientEquivalents),
          ],
          emphasis: item.isMarked && item == prescriptions.first
            ? .best : measured?.diverged == true ? .failed : .none,
          caption: item.change + (item.note.map { " (\($0))" } ?? ""))
      }, isRanked: true)
    return Document.Section(
      advice.basis.isTried
        ? "What was tried in batches, best first" : "What could be tried in batches",
      [.table(table)] + advice.notes.map { .explanation($0) })
  }

  private func steps(of item: Prescription) -> DataTable.Cell {
    guard let measured = item.measured else { return .text("not run") }
    if measured.diverged { return .text("diverged") }
    if let iterations = measured.iterations { return .integer(iterations) }
    if advice.basis.isJudgedByLoss, measured.wasCut != true {
      return .integer(orMissing: measured.stepsRun)
    }
    return measured.stepsRun.map { .moreThan($0) } ?? .text("not reached")
  }
}
