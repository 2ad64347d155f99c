import Diagnosis
import Presentation
import Training

extension MonitorReport {
  /// The report as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// Where the loop stands, what was tracked, what that says, and the alarms.
  public var document: Document {
    Document(
      title: "training loop after \(Wording.count(steps, "step")): "
        + "\(optimizer ?? "an optimizer without a known limit"), checked every \(Wording.count(every, "step")) "
        + (batch > 0 ? "on \(Wording.count(batch, "sample"))" : "on one batch"),
      sections: [courseSection, trackedSection, alarmSection, noteSection].compactMap { $0 })
  }

  private var courseSection: Document.Section? {
    guard let losses, let rates else { return nil }
    var words =
      "The loss of the steps went from \(Wording.number(losses.first, digits: 4)) to "
      + "\(Wording.number(losses.last, digits: 4)), at least \(Wording.number(losses.lowest, digits: 4)); the rate "
    let (lowest, highest) = (Wording.number(rates.lowest), Wording.number(rates.highest))
    words += lowest == highest ? "was \(lowest)." : "lay between \(lowest) and \(highest)."
    if rateFactor != 1 {
      words += " Alarms have multiplied it by \(Wording.number(rateFactor))."
    }
    return Document.Section(
      nil,
      [
        .paragraph(Document.Paragraph(words, lead: "Course", tone: .fact)),
        .paragraph(
          Document.Paragraph(
            alarmCount == 0
              ? guardAction == .off ? "Nothing was watched for alarms." : "There was no alarm."
              : "There \(alarmCount == 1 ? "was one alarm" : "were \(Wording.count(alarmCount, "alarm"))").",
            lead: "Guard", tone: alarmCount == 0 ? .fact : .caution)),
      ])
  }

  private var trackedSection: Document.Section? {
    TrackingSections.tracked(
      tracked, findings: findings,
      cost: "These checks took as much as \(Wording.number(gradients)) gradients of a step, and "
        + "\(Wording.number(seconds)) s.")
  }

  private var alarmSection: Document.Section? { TrackingSections.alarms(alarms, of: alarmCount) }

  private var noteSection: Document.Section? {
    notes.isEmpty ? nil : Document.Section("Also", [.notes(notes)])
  }
}
