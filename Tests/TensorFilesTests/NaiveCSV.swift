import Foundation

/// A CSV text read the slow way: character by character, every cell a string.
///
/// The rules are those of RFC 4180 with the program's additions, written down once more, and from another
/// side: a state per character, no runs of bytes.
struct NaiveCSV {
  enum Outcome: Equatable {
    case rows([Row])
    case quoteEnded(line: Int)
    case quoteOpen(line: Int)
  }

  struct Row: Equatable {
    var line: Int
    var cells: [String]
  }

  private enum State { case before, plain, plainQuote, quoted, closed }

  /// Records that are not blank, white space around their cells left out.
  static func read(_ text: String) -> Outcome {
    let delimiter = Self.delimiter(of: text)
    var rows: [Row] = []
    var (state, line, start) = (State.before, 1, 1)
    var (cells, cell) = ([String](), "")
    func endRow() {
      cells.append(cell)
      if cells != [""] { rows.append(Row(line: start, cells: cells.map(trimmed))) }
      (state, cells, cell) = (.before, [], "")
      start = line
    }
    var characters = Array(text)
    // The last line ends like the others.
    if let last = characters.last, !isBreak(last) { characters.append("\n") }
    for character in characters {
      if isBreak(character) { line += 1 }
      switch state {
      case .before:
        if character == "\"" {
          state = .quoted
        } else if character == delimiter {
          cells.append(cell)
          cell = ""
        } else if isBreak(character) {
          endRow()
        } else if !character.isWhitespace {
          state = .plain
          cell.append(character)
        }
      case .plain:
        if character == "\"" {
          state = .plainQuote
        } else if character == delimiter {
          cells.append(cell)
          (state, cell) = (.before, "")
        } else if isBreak(character) {
          endRow()
        } else {
          cell.append(character)
        }
      case .plainQuote:
        guard character == "\"" else { return .quoteEnded(line: start) }
        cell.append(character)
        state = .plain
      case .quoted:
        if character == "\"" { state = .closed } else { cell.append(character) }
      case .closed:
        if character == "\"" {
          cell.append(character)
          state = .quoted
        } else if character == delimiter {
          cells.append(cell)
          (state, cell) = (.before, "")
        } else if isBreak(character) {
          endRow()
        } else if !character.isWhitespace {
          return .quoteEnded(line: start)
        }
      }
    }
    return state == .quoted ? .quoteOpen(line: start) : .rows(rows)
  }

  private static func isBreak(_ character: Character) -> Bool {
    ["\n", "\r", "\r\n"].contains(character)
  }

  private static func delimiter(of text: String) -> Character {
    var best: (Character, Int) = (",", 0)
    for candidate in [",", ";", "\t"] as [Character] {
      var (quoted, count) = (false, 0)
      for character in text.drop(while: isBreak) {
        if character == "\"" { quoted.toggle() }
        if !quoted, isBreak(character) { break }
        if !quoted, character == candidate { count += 1 }
      }
      if count > best.1 { best = (candidate, count) }
    }
    return best.0
  }

  private static func trimmed(_ cell: String) -> String {
    guard [" ", "\t"].contains(cell.first) || [" ", "\t"].contains(cell.last) else { return cell }
    return cell.trimmingCharacters(in: .whitespaces)
  }
}
