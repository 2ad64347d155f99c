import Diagnosis
import Presentation
import Training

extension TrainingReport {
  /// The report as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// What was trained, what it came to, what was seen on the way, how it ended and what to do next.
  public var document: Document {
    Document(
      title: subject,
      sections: [
        problem.readingSection, lossSection, answer, trackedSection, decisionSection, alarmSection,
        closingSection,
      ].compactMap { $0 })
  }

  private var subject: String {
    let isFile = problem.model == problem.name
    let model = [isFile ? nil : problem.model, problem.lossName].compactMap { $0 }
      .joined(separator: ", ")
    let name = [problem.name, problem.data].compactMap { $0 }.joined(separator: " on ")
    let samples = Wording.count(
      problem.samples, problem.features == nil ? "sample" : "row")
    return "\(name.isEmpty ? "" : "\(name): ")\(samples); \(model.isEmpty ? "" : "\(model), ")"
      + "\(Wording.count(problem.parameters, "parameter")), \(problem.precision); \(method.phrase), "
      + "\(method.schedule)"
      + (method.batch.map { ", batches of \(Wording.count($0))" } ?? ", all samples at each step")
  }

  private var lossSection: Document.Section {
    var rows: [DataTable.Row] = []
    let (isClasses, isNumbers) = (before.accuracy != nil, before.rSquared != nil)
    func row(_ name: String, _ remark: String, _ reading: DataReading) {
      var cells: [DataTable.Cell] = [.text(name), .text(remark), .number(orMissing: reading.loss)]
      if isClasses { cells.append(.number(orMissing: reading.accuracy)) }
      if isNumbers { cells.append(.number(orMissing: reading.rSquared)) }
      rows.append(DataTable.Row(cells))
    }
    let end =
      result == .best ? "best" : "after \(Wording.count(length.steps, "step"))"
    row("training", "at the start", before)
    row("", end, after)
    if let heldOut {
      row("held out", "at the start", heldOut.before)
      row("", end, heldOut.after)
    }
    var columns: [DataTable.Column] = [
      .words(), .words(), DataTable.Column("loss", .significant(4)),
    ]
    if isClasses { columns.append(DataTable.Column("accuracy", .significant(3))) }
    if isNumbers { columns.append(DataTable.Column("R2", .significant(4))) }
    return Document.Section(nil, [.table(DataTable(columns, rows))])
  }

  /// How it ended, at which rates, and what to do.
  private var answer: Document.Section {
    let isLost = [.nonFinite, .alarm, .worse].contains(ending.reason)
    var paragraphs = [
      Document.Paragraph(ending.sentence, lead: "End", tone: isLost ? .caution : .fact)
    ]
    if let rates = rate.steps {
      var words = Self.words(of: rates)
      if let sharp = tracked.first(where: { $0.threshold != nil && $0.part == nil }),
        let threshold = sharp.threshold
      {
        words +=
          "; at the last check the \(sharp.name) was \(Wording.number(sharp.last)), "
          + "\(Wording.number(sharp.last / threshold)) times the \(Wording.number(threshold)) at which that "
          + "rate becomes unstable"
      }
      words += "."
      if cost.measuringGradients > 0 {
        words +=
          " Measuring for it cost as much as \(Wording.number(cost.measuringGradients)) gradients of a step"
          + "\(share(cost.measuringGradients)), and \(Wording.number(cost.measuringSeconds)) s."
      }
      paragraphs.append(Document.Paragraph(words, lead: "Rate", tone: .fact))
    }
    if let chosen = rate.chosen {
      paragraphs.append(Document.Paragraph(chosen.sentence, lead: "Auto", tone: .fact))
    }
    paragraphs += next.map { Document.Paragraph($0, lead: "Do", tone: .advice) }
    return Document.Section(nil, paragraphs.map { .paragraph($0) })
  }

  /// Of so many gradients in the work of the steps.
  private func share(_ gradients: Double) -> String {
    cost.gradients > 0
      ? ", \(Wording.number(100 * gradients / Double(cost.gradients))) % of the steps' own work"
      : ""
  }

  private static func words(of rates: TrainingHistory.Rates) -> String {
    let (first, last) = (Wording.number(rates.first), Wording.number(rates.last))
    let (lowest, highest) = (Wording.number(rates.lowest), Wording.number(rates.highest))
    if lowest == highest { return "The rate was \(first)" }
    let isBetween = Set([first, last]) != Set([lowest, highest])
    return "The rate went from \(first) to \(last)"
      + (isBetween ? ", between \(lowest) and \(highest)" : "")
  }

  private var trackedSection: Document.Section? {
    TrackingSections.tracked(
      tracked, findings: findings,
      cost: "These checks cost as much as \(Wording.number(cost.trackingGradients)) gradients of "
        + "a step\(share(cost.trackingGradients)), and \(Wording.number(cost.trackingSeconds)) s.")
  }

  private var decisionSection: Document.Section? {
    guard !decisions.isEmpty else { return nil }
    return Document.Section(
      "Changes", [.notes(decisions.map { "After step \(Wording.count($0.step)): \($0.sentence)" })])
  }

  private var alarmSection: Document.Section? {
    TrackingSections.alarms(alarms.first, of: alarms.count)
  }

  private var closingSection: Document.Section? {
    problem.notes.isEmpty ? nil : Document.Section("Also", [.notes(problem.notes)])
  }
}
