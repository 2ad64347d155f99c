import Diagnosis
import Presentation

/// How text looks on a terminal: with or without colours, and how wide.
///
/// All text of a report passes `paint`, `wrap` or a `TextTable`, which make names printable.
public struct TerminalStyle: Sendable, Equatable {
  public let colours: Bool
  /// Characters per line, at least 40.
  public let width: Int

  public init(colours: Bool, width: Int = 80) {
    self.colours = colours
    self.width = max(40, width)
  }

  enum Ink: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
  }

  func paint(_ text: String, _ inks: Ink...) -> String {
    let text = Printable.line(text)
    guard colours, !inks.isEmpty, !text.isEmpty else { return text }
    return "\u{1B}[\(inks.map(\.rawValue).joined(separator: ";"))m\(text)\u{1B}[0m"
  }

  /// Lines no wider than the terminal, later ones hanging under the first.
  func wrap(_ text: String, indent: Int = 0, hanging: Int? = nil) -> [String] {
    var lines: [String] = []
    var line = String(repeating: " ", count: indent)
    var isEmpty = true
    for word in Printable.line(text).split(separator: " ") {
      if !isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = String(repeating: " ", count: hanging ?? indent)
        isEmpty = true
      }
      if !isEmpty { line += " " }
      line += word
      isEmpty = false
    }
    if !isEmpty { lines.append(line) }
    return lines
  }
}

/// Columns of text: the first flush left, the others flush right.
struct TextTable {
  var columns: [String]
  var rows: [[String]] = []
  /// Whether further columns than the first are flush left.
  var leftAligned: Set<Int> = [0]

  /// The heading and one line per row, without trailing spaces.
  func lines(indent: Int = 2) -> (heading: String, rows: [String]) {
    let rows = rows.map { $0.map(Printable.line) }
    let widths = columns.indices.map { column in
      ([columns] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ cells: [String]) -> String {
      var text = String(repeating: " ", count: indent)
      for (column, cell) in cells.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        if column > 0 { text += "  " }
        text += leftAligned.contains(column) ? cell + space : space + cell
      }
      while text.hasSuffix(" ") { text.removeLast() }
      return text
    }
    return (line(columns), rows.map(line))
  }
}
