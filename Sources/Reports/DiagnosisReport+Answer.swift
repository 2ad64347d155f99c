import Diagnosis
import Presentation

extension DiagnosisReport {
  /// Three short paragraphs: why, which rate, what to do.
  func answer(_ style: TerminalStyle) -> [String] {
    var lines: [String] = []
    func paragraph(_ word: String, _ text: String, _ ink: TerminalStyle.Ink) {
      var wrapped = style.wrap(text, indent: 6)
      guard !wrapped.isEmpty else { return }
      let space = String(repeating: " ", count: 6 - word.count)
      wrapped[0] = style.paint(word, .bold, ink) + space + wrapped[0].dropFirst(6)
      lines += wrapped
    }
    paragraph("Why", advice.why.sentence, .yellow)
    if let rate = advice.rate { paragraph("Rate", rate.sentence, .cyan) }
    if let action = advice.action { paragraph("Do", action.sentence, .green) }
    return lines
  }
}
