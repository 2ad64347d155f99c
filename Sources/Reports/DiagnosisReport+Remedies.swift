import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The remedies, best first: what was predicted, what was measured.
  var prescriptionSection: Document.Section? {
    guard !prescriptions.isEmpty else { return nil }
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
            .number(orMissing: isJudgedByLoss ? measured?.lossAtEqualWork : measured?.relativeGap),
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
