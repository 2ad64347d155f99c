/// Columns of text, flush left or right, two spaces apart.
struct TextTable {
  private let columns: [String]
  private let rows: [[String]]
  private let sides: [DataTable.Side]
  private let indent: Int
  private let widths: [Int]

  init(columns: [String], rows: [[String]], sides: [DataTable.Side], indent: Int) {
    let rows = rows.map { $0.map(Printable.line) }
    self.columns = columns
    self.rows = rows
    self.sides = sides
    self.indent = indent
    widths = columns.indices.map { column in
      ([columns] + rows).map { $0[column].count }.max() ?? 0
    }
  }

  var heading: String { line(columns[...]) }

  var lines: [String] { rows.map { line($0[...]) } }

  /// A row without its last cell, and that cell.
  func split(_ row: Int) -> (line: String, last: String) {
    (line(rows[row].dropLast()), rows[row].last ?? "")
  }

  /// Without trailing spaces.
  private func line(_ cells: ArraySlice<String>) -> String {
    var text = String(repeating: " ", count: indent)
    for (column, cell) in cells.enumerated() {
      let space = String(repeating: " ", count: widths[column] - cell.count)
      if column > 0 { text += "  " }
      text += sides[column] == .left ? cell + space : space + cell
    }
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}
