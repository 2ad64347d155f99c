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
      if lines.isEmpty, ragged == nil, record.count == header.names.count + 1 {
        // Row names have no place in the header of some exports.
        readers.append(ColumnReader(rows: lines.capacity))
      }
      guard record.count == readers.count else {
        if ragged == nil { ragged = (record.line, record.count) }
        return
      }
      lines.append(record.line)
      record.forEachCell { readers[$0].append($1) }
    }
    guard var header else { throw TableError("the file holds no header line.", path: path) }
    let width = header.names.count
    let hasExtra = readers.count > width
    if hasExtra, ragged != nil || lines.count < 2 { ragged = (lines[0], width + 1) }
    try check(ragged, width)
    guard header.names.contains(where: { Double($0) == nil }) else {
      throw TableError(
        "the first line holds numbers, not names; add a header line.", path: path,
        line: header.line)
    }
    guard !lines.isEmpty else {
      throw TableError(
        "the file holds a header but no rows; add one row per sample.", path: path)
    }
    let again = try words(of: readers.indices.filter { readers[$0].mustBeReadAgain })
    let texts = readers.indices.map { readers[$0].textWords(again[$0]) }
    if hasExtra {
      // Rows that end with a delimiter, or begin with their name.
      let isTrailing = readers[width].isEmpty
      guard isTrailing || readers[0].countsRows || texts[0]?.isIdentifier == true else {
        try check((lines[0], width + 1), width)
        return ([], [])
      }
      header.names.insert("", at: isTrailing ? width : 0)
    }
    let convention = NumberConvention(
      texts.compactMap(\.self), hasFractions: readers.contains(where: \.hasFractions),
      delimiter: delimiter)
    let pointed =
      convention.hasDecimalCommas && delimiter != UInt8(ascii: ",")
      ? try words(of: readers.indices.filter { readers[$0].mayBeGrouped }) : [:]
    let names = TableHeader(header.names)
    let columns = header.names.indices.map {
      var column = readers[$0].column(
        names.names[$0], words: texts[$0] ?? pointed[$0], spellings: convention.order)
      column.origin = names.origins[$0]
      return column
    }
    return (columns, lines)
  }

  private func check(_ ragged: (line: Int, count: Int)?, _ width: Int) throws {
    guard let ragged else { return }
    throw TableError(
      "the row has \(counted(ragged.count, "field")), the header has "
        + "\(counted(width, "field")); mend the line"
        + (ragged.count > width ? ", quoting fields that hold a delimiter." : "."),
      path: path, line: ragged.line)
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
}
