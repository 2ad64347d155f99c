import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The remedies, best first: what was predicted, what was measured.
  func prescriptionLines(_ style: TerminalStyle) -> [String] {
    guard !prescriptions.isEmpty else { return [] }
    let wasRun = prescriptions.contains { $0.measured != nil }
    let table = TextTable(
      columns: [
        "", "predicted", isJudgedByLoss ? "run" : "measured", "work",
        isJudgedByLoss ? "lowest loss" : "gap left",
      ],
      rows: prescriptions.map { item in
        [
          (item.measured?.reached == true && item == prescriptions.first ? "* " : "  ") + item.id,
          item.predicted.iterations.map { Wording.count($0) } ?? "-", measuredSteps(item),
          item.measured?.gradientEquivalents.map { Wording.number($0) } ?? "-",
          isJudgedByLoss
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
      let isBest = row.hasPrefix("  *")
      let failed = item.measured?.diverged == true
      lines.append(isBest ? style.paint(row, .green) : failed ? style.paint(row, .red) : row)
      let words = item.change + (item.note.map { " (\($0))" } ?? "")
      lines += style.wrap(words, indent: 6).map { style.paint($0, .dim) }
    }
    return lines + footnotes.flatMap { style.wrap($0, indent: 2) }
  }

  /// How the table is to be read.
  private var footnotes: [String] {
    let tolerance = Wording.number(prediction.tolerance)
    var notes = [
      "Steps until the loss gap is \(tolerance) of its first value and stays below; work counts "
        + "evaluations of the gradient."
    ]
    if isJudgedByLoss {
      notes = [
        "Nothing certifies a minimum here, so no run can be said to have arrived. The lowest loss is "
          + "that for the work that every run had; work counts evaluations of the gradient."
          + (isAnyPredicted
            ? " Predicted are the steps until \(tolerance) is left of the gap to the minimum ahead of "
              + "each method, which may be a higher one." : "")
      ]
    } else if prescriptions.contains(where: {
      canSwing($0) && $0.measured?.reached == true
        && $0.id != Prescription.Kind.newtonCG.rawValue
    }) {
      notes.append(
        "Runs that can swing were watched on for a fifth of their steps to see that they stayed.")
    }
    if finding("no-finite-minimum") != nil {
      notes.append(
        "This loss has no minimum at finite parameters: "
          + (isAnyPredicted
            ? "gaps are to its infimum, which no step reaches, and predictions made for a bowl are "
              + "far too small."
            : prescriptions.contains { $0.measured != nil } && !isJudgedByLoss
              ? "gaps are to the loss that its infimum was taken for, and no steps are predicted."
              : "no steps to one are predicted."))
    } else if !isQuadratic, isAnyPredicted {
      notes.append(
        "Predictions for gradient descent follow the curvature as it changes on the way; those for "
          + "momentum and the diagonal are for the bowl that fits the loss here, and hold only as far "
          + "as its curvature stays the same.")
    }
    if let interrupted = finding("interrupted") { notes.append(interrupted.sentence) }
    return notes
  }

  private var isAnyPredicted: Bool {
    prescriptions.contains { $0.predicted.iterations != nil }
  }

  /// Whether a remedy's loss can rise again once it is low: with momentum, or where the loss is no bowl.
  private func canSwing(_ item: Prescription) -> Bool {
    [Prescription.Kind.momentum.rawValue, Prescription.Kind.adam.rawValue].contains(item.id)
      || !isQuadratic || item.id == Prescription.Kind.asGiven.rawValue && problem.optimizer != "gd"
  }

  private func measuredSteps(_ item: Prescription) -> String {
    guard let measured = item.measured else { return "not run" }
    if measured.diverged { return "diverged" }
    if let iterations = measured.iterations { return Wording.count(iterations) }
    let steps = measured.stepsRun.map { Wording.count($0) }
    return isJudgedByLoss ? steps ?? "-" : steps.map { "> \($0)" } ?? "not reached"
  }
}
