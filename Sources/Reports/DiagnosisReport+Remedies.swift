import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The remedies, best first: what was predicted, what was measured.
  func prescriptionLines(_ style: TerminalStyle) -> [String] {
    guard !prescriptions.isEmpty else { return [] }
    let wasRun = advice.basis.isTried
    let table = TextTable(
      columns: [
        "", "predicted", advice.basis.isJudgedByLoss ? "run" : "measured", "work",
        advice.basis.isJudgedByLoss ? "lowest loss" : "gap left",
      ],
      rows: prescriptions.map { item in
        [
          (item.measured?.reached == true && item == prescriptions.first ? "* " : "  ") + item.id,
          item.predicted.iterations.map { Wording.count($0) } ?? "-", measuredSteps(item),
          item.measured?.gradientEquivalents.map { Wording.number($0) } ?? "-",
          advice.basis.isJudgedByLoss
            ? item.measured?.lossAtEqualWork.map { Wording.number($0) } ?? "-"
            : item.measured?.relativeGap.map { Wording.number($0, digits: 2) } ?? "-",
        ]
      }
    ).lines()
    var lines = [
      style.paint(
        wasRun ? "What was tried, best first" : "What could be tried, by predicted steps", .bold),
      style.paint(table.heading, .dim),
    ]
    for (item, row) in zip(prescriptions, table.rows) {
      let isBest = item.measured?.reached == true && item == prescriptions.first
      let failed = item.measured?.diverged == true
      lines.append(isBest ? style.paint(row, .green) : failed ? style.paint(row, .red) : row)
      let words = item.change + (item.note.map { " (\($0))" } ?? "")
      lines += style.wrap(words, indent: 6).map { style.paint($0, .dim) }
    }
    return lines + advice.notes.flatMap { style.wrap($0, indent: 2) }
  }

  private func measuredSteps(_ item: Prescription) -> String {
    guard let measured = item.measured else { return "not run" }
    if measured.diverged { return "diverged" }
    if let iterations = measured.iterations { return Wording.count(iterations) }
    let steps = measured.stepsRun.map { Wording.count($0) }
    return advice.basis.isJudgedByLoss ? steps ?? "-" : steps.map { "> \($0)" } ?? "not reached"
  }
}
