import Presentation

/// The rows of a CSV text below its header, checked against it.
struct TableRows {
  private let text: CSVText.Bytes
  private let path: String
  private let delimiter: UInt8

  init(_ text: CSVText.Bytes, path: String) throws {
    guard !CSVText.isBlank(text) else {
      throw TableError(
        "the file is empty; it must hold a header line and one row per sample.", path: path)
    }
    self.text = text
    self.path = path
    delimiter = CSVText.delimiter(of: text)
  }

  /// The columns, and the line on which each row begins.
  func table() throws -> (columns: [Column], lines: [Int]) {
    var header: (line: Int, names: [String])?
    var readers: [ColumnReader] = []
    var lines: [Int] = []
    var ragged: (line: Int, count: Int)?
    try forEachRecord { record in
      guard let header else {
        header = (record.line, record.cells)
        let rows = expectedRows(columns: record.count)
        readers = (0..<record.count).map { _ in ColumnReader(rows: rows) }
        lines.reserveCapacity(rows)
        return
      }
      guard record.count == header.names.count else {
        if ragged == nil { ragged = (record.line, record.count) }
        return
      }
      lines.append(record.line)
      record.forEachCell { readers[$0].append($1) }
    }
    guard let header else { throw TableError("the file holds no header line.", path: path) }
    let width = header.names.count
    if let ragged {
      throw TableError(
        "the row has \(counted(ragged.count, "field")), the header has "
          + "\(counted(width, "field")); mend the line"
          + (ragged.count > width ? ", quoting fields that hold a delimiter." : "."),
        path: path, line: ragged.line)
    }
    try check(header.names, line: header.line)
    guard !lines.isEmpty else {
      throw TableError(
        "the file holds a header but no rows; add one row per sample.", path: path)
    }
    let again = try words(of: readers.indices.filter { readers[$0].mustBeReadAgain })
    let columns = header.names.indices.map {
      readers[$0].column(header.names[$0], words: again[$0], delimiter: delimiter)
    }
    return (columns, lines)
  }

  /// The words of some columns, all of whose rows are as long as the header.
  private func words(of columns: [Int]) throws -> [Int: Column.Words] {
    guard !columns.isEmpty else { return [:] }
    var lists = [WordList](repeating: WordList(), count: columns.count)
    let place = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
    var isHeader = true
    try forEachRecord { record in
      if !isHeader {
        record.forEachCell { column, cell in
          if let index = place[column] { lists[index].append(cell) }
        }
      }
      isHeader = false
    }
    return Dictionary(uniqueKeysWithValues: zip(columns, lists.map(\.words)))
  }

  /// Calls `body` with each record that is not blank, the header first.
  private func forEachRecord(_ body: (CSVRecord) -> Void) throws {
    var records = CSVRecords(text, delimiter: delimiter)
    var record = CSVRecord()
    do {
      while try records.next(&record) {
        if !record.isBlank { body(record) }
      }
    } catch CSVRecords.Fault.quoteEnded(let line) {
      throw TableError(
        "a quoted field goes on after its closing quote; write a quote inside a field twice.",
        path: path, line: line)
    } catch CSVRecords.Fault.quoteOpen(let line) {
      throw TableError("a quote opened here is never closed.", path: path, line: line)
    }
  }

  /// About how many rows there are; blank lines or fields in great number make no room for more cells
  /// than half the file's bytes.
  private func expectedRows(columns: Int) -> Int {
    min(text.count { $0 == 0x0A }, text.count / (2 * columns))
  }

  private func check(_ header: [String], line: Int) throws {
    if header.allSatisfy({ Double($0) != nil }) {
      throw TableError(
        "the first line holds numbers, not names; add a header line.", path: path, line: line)
    }
    if let unnamed = header.firstIndex(of: "") {
      throw TableError(
        "column \(unnamed + 1) has no name in the header; give it one (a row index written by "
          + "pandas stays out with to_csv(index=False)).", path: path, line: line)
    }
    var seen: [String: Int] = [:]
    for (index, name) in header.enumerated() {
      if let first = seen.updateValue(index, forKey: name) {
        throw TableError(
          "two columns have this name (columns \(first + 1) and \(index + 1)); rename one.",
          path: path, line: line, column: name)
      }
    }
  }
}
