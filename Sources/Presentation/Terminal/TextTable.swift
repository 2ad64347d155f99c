/// Columns of text, flush left or right.
struct TextTable {
  var columns: [String]
  var rows: [[String]]
  var sides: [DataTable.Side]

  /// The heading and one line per row, without trailing spaces.
  func lines(indent: Int) -> (heading: String, rows: [String]) {
    let rows = rows.map { $0.map(Printable.line) }
    let widths = columns.indices.map { column in
      ([columns] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ cells: [String]) -> String {
      var text = String(repeating: " ", count: indent)
      for (column, cell) in cells.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        if column > 0 { text += "  " }
        text += sides[column] == .left ? cell + space : space + cell
      }
      while text.hasSuffix(" ") { text.removeLast() }
      return text
    }
    return (line(columns), rows.map(line))
  }
}
