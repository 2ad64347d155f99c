/// How text looks on a terminal: with or without colours, and how wide.
///
/// All text of a document passes `paint`, `wrap` or a `TextTable`, which make names printable.
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

  func paint(_ text: String, _ inks: Ink...) -> String { paint(text, inks) }

  func paint(_ text: String, _ inks: [Ink]) -> String {
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
