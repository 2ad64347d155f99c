/// A column while its cells are read, one after another: numbers as long as all cells are numbers or
/// missing, then words. What came before the first word is read again for the words themselves.
struct ColumnReader {
  private typealias Place = (row: Int, text: String)

  private var row = 0
  private var numbers: [Double] = []
  private var numberCount = 0
  private var firstInfinite: Place?
  private var strayCount = 0
  private var firstStray: Place?
  private var words: WordList?

  /// - Parameter rows: about how many will come.
  init(rows: Int) { numbers.reserveCapacity(rows) }

  /// Whether cells that were taken for numbers are text among other text.
  var mustBeReadAgain: Bool { firstStray != nil && words == nil }

  mutating func append(_ cell: CSVText.Bytes) {
    let value = Cell(cell)
    if firstStray == nil {
      if case .text = value {
        // Only missing cells so far: words may be kept from here on.
        if numberCount == 0 { words = WordList(missing: row) }
        numbers = []
      } else {
        numbers.append(value.number ?? .nan)
      }
    }
    switch value {
    case .missing: break
    case .number(let number):
      numberCount += 1
      if !number.isFinite && firstInfinite == nil { firstInfinite = (row, text(cell)) }
    case .text:
      strayCount += 1
      if firstStray == nil { firstStray = (row, text(cell)) }
    }
    words?.append(value.isMissing ? nil : text(cell))
    row += 1
  }

  /// The column.
  ///
  /// - Parameter words: its words, where it must be read again for them.
  func column(
    _ name: String, words again: Column.Words? = nil, delimiter: UInt8
  ) -> Column {
    guard let stray = firstStray else {
      return Column(
        name: name, cells: .numeric(Column.Numbers(storage: numbers)), fault: faultOfNumbers)
    }
    guard let words = words?.words ?? again else {
      preconditionFailure("`\(name)` was not read again")
    }
    return Column(
      name: name, cells: .text(words), fault: fault(of: words, stray, delimiter: delimiter))
  }

  private var faultOfNumbers: Column.Fault? {
    if let infinite = firstInfinite {
      return Column.Fault(
        row: infinite.row, complaint: "`\(infinite.text)` is not a finite number",
        remedy: .mendOrRemoveRow)
    }
    guard numberCount == 0, row > 0 else { return nil }
    return Column.Fault(
      row: 0, complaint: "no cell of the column holds a value", remedy: .leaveOut)
  }

  /// A column with less than this part of its cells not numbers is a column of numbers with mistakes; so
  /// is one with a single such cell.
  private static let strayTextLimit = 0.2

  private func fault(
    of words: Column.Words, _ stray: Place, delimiter: UInt8
  ) -> Column.Fault? {
    let present = numberCount + strayCount
    let isMistake =
      numberCount >= 2
      && (strayCount == 1 || Double(strayCount) < Self.strayTextLimit * Double(present))
    if isMistake {
      return Column.Fault(
        row: stray.row,
        complaint: "`\(stray.text)` is not a number, though \(numberCount) of the column's "
          + "\(present) cells are", remedy: .mend)
    }
    guard delimiter == UInt8(ascii: ";"),
      // In the order in which they came, so that the first row's is found first.
      let code = words.distinct.firstIndex(where: hasDecimalComma),
      let row = words.codes.firstIndex(of: Int32(code))
    else { return nil }
    return Column.Fault(
      row: row, complaint: "`\(words.distinct[code])` has a decimal comma",
      remedy: .writeWithPoint)
  }
}

extension WordList {
  /// Appends what a cell says, nil where it stands for a missing value.
  mutating func append(_ cell: CSVText.Bytes) {
    append(Cell(cell).isMissing ? nil : text(cell))
  }
}

private func text(_ cell: CSVText.Bytes) -> String { String(decoding: cell, as: UTF8.self) }

/// What one cell says.
private enum Cell {
  case missing
  case number(Double)
  case text

  init(_ cell: CSVText.Bytes) {
    guard let first = cell.first else {
      self = .missing
      return
    }
    let isNumeral =
      (first >= 0x30 && first <= 0x39) || first == 0x2D || first == 0x2B || first == 0x2E
    if isNumeral, cell.allSatisfy(isDecimalByte),
      let value = Double(String(decoding: cell, as: UTF8.self))
    {
      self = .number(value)
      return
    }
    guard cell.count <= 9 else {
      self = .text
      return
    }
    switch String(decoding: cell, as: UTF8.self).lowercased() {
    case "na", "n/a", "nan", "?", "-nan", "+nan": self = .missing
    case "inf", "+inf", "infinity", "+infinity": self = .number(.infinity)
    case "-inf", "-infinity": self = .number(-.infinity)
    default: self = .text
    }
  }

  var number: Double? {
    if case .number(let value) = self { value } else { nil }
  }

  var isMissing: Bool {
    if case .missing = self { true } else { false }
  }
}

private func isDecimalByte(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x45, 0x65: true
  default: false
  }
}

private func hasDecimalComma(_ raw: String) -> Bool {
  let parts = raw.split(separator: ",", omittingEmptySubsequences: false)
  return parts.count == 2
    && parts.allSatisfy {
      !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}
