import Labs
import Presentation

extension LabOutcome {
  /// What a lab found as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// What a lab found, as people read it; of checks that passed one line.
  public var document: Document {
    let failed = checks.filter { !$0.isPassed }
    var lines = failed.map { Document.Check(false, $0.words) }
    if failed.count < checks.count {
      lines.append(
        Document.Check(
          true,
          "\(Wording.count(checks.count - failed.count, "number")) as predicted"))
    }
    return Document(
      sections: sections + (lines.isEmpty ? [] : [.init("Checks", [.checks(lines)])]))
  }
}

extension LabCheck {
  fileprivate var words: String {
    let (expected, found) = (
      Wording.number(predicted, digits: 10), Wording.number(measured, digits: 10)
    )
    let allowed = tolerance > 0 ? ", \(Wording.number(tolerance)) allowed" : ""
    let relation =
      switch relation {
      case .equal: ""
      case .atMost: "at most "
      case .atLeast: "at least "
      }
    return "\(what): \(relation)\(expected) predicted, \(found) measured\(allowed)"
      + (row.map { " (\($0))" } ?? "")
  }
}
