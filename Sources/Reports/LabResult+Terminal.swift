import Labs
import Presentation

extension LabResult {
  /// The tables of a lab as text for people.
  public func terminalText(_ style: TerminalStyle) -> String {
    var lines: [String] = []
    for table in tables {
      if !lines.isEmpty { lines.append("") }
      lines.append(style.paint(table.title, .bold))
      let text = TextTable(columns: table.columns, rows: table.rows).lines()
      lines.append(style.paint(text.heading, .dim))
      lines += text.rows
      lines += style.wrap(table.remark)
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
