/// A column while its cells are read, one after another: numbers as long as all cells are numbers or
/// missing, then words. What came before the first word is read again for the words themselves.
struct ColumnReader {
  private typealias Place = (row: Int, text: String)

  private var row = 0
  private var numbers: [Double] = []
  private var numberCount = 0
  private var firstInfinite: Place?
  /// Whether a cell was neither a number nor missing.
  private var isText = false
  private var words: WordList?
  private var hasDash = false

  /// - Parameter rows: about how many will come.
  init(rows: Int) { numbers.reserveCapacity(rows) }

  /// Whether cells that were taken for numbers are text among other text.
  var mustBeReadAgain: Bool { isText && words == nil }

  mutating func append(_ cell: CSVText.Bytes) {
    let value = Cell(cell)
    if !isText {
      if case .text = value {
        // Only missing cells so far: words may be kept from here on.
        if numberCount == 0 && !hasDash { words = WordList(missing: row) }
        numbers = []
      } else {
        numbers.append(value.number ?? .nan)
      }
    }
    switch value {
    case .missing: break
    case .dash: hasDash = true
    case .number(let number):
      numberCount += 1
      if !number.isFinite && firstInfinite == nil { firstInfinite = (row, text(cell)) }
    case .text:
      isText = true
    }
    words?.append(value.isMissing ? nil : text(cell))
    row += 1
  }

  /// Its words, nil for a column of numbers.
  ///
  /// - Parameter again: where it must be read again for them.
  func textWords(_ again: Column.Words?) -> Column.Words? {
    guard isText else { return nil }
    guard let words = words?.words ?? again else {
      preconditionFailure("a column was not read again")
    }
    return words.dashesResolved
  }

  /// Whether no cell holds a value.
  var isEmpty: Bool { !isText && numberCount == 0 }

  /// Whether it counts its rows, each one more than the one before.
  var countsRows: Bool { !isText && Column.Numbers(storage: numbers).countsUp }

  /// Whether it holds numbers with a fraction.
  var hasFractions: Bool {
    !isText && numbers.contains { $0.isFinite && $0 != $0.rounded() }
  }

  /// Whether its numbers may be whole ones with points between thousands, all below a million.
  var mayBeGrouped: Bool {
    hasFractions
      && numbers.allSatisfy { number in
        let thousands = number * 1000
        return number.isNaN
          || number.magnitude < 1000 && abs(thousands - thousands.rounded()) < 1e-6
            && (number.magnitude >= 1 || number == 0)
      }
  }

  /// The column.
  ///
  /// - Parameters:
  ///   - words: those of `textWords`.
  ///   - spellings: of numbers, the likeliest first.
  func column(_ name: String, words: Column.Words?, spellings: [NumberSpelling]) -> Column {
    guard let words else {
      return Column(
        name: name, cells: .numeric(Column.Numbers(storage: numbers)), fault: faultOfNumbers)
    }
    if !isText {
      // Read again for points between thousands.
      let (words, grouped) = (words.dashesResolved, NumberSpelling.pointedThousands)
      let isGrouped = words.strays(grouped).isEmpty
      return Column(
        name: name, cells: .numeric(isGrouped ? words.numbers(grouped) : .init(storage: numbers)),
        fault: faultOfNumbers, spelling: isGrouped ? grouped : nil)
    }
    var best = (spelling: NumberSpelling?.none, strays: words.strays(nil))
    for spelling in spellings where !best.strays.isEmpty {
      let strays = words.strays(spelling)
      if strays.count < best.strays.count { best = (spelling, strays) }
    }
    guard let stray = best.strays.first else {
      return Column(
        name: name, cells: .numeric(words.numbers(best.spelling)), fault: nil,
        spelling: best.spelling)
    }
    return Column(
      name: name, cells: .text(words), fault: fault(of: words, stray, best.strays.count),
      spelling: best.spelling)
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

  private func fault(of words: Column.Words, _ stray: Int, _ strayCount: Int) -> Column.Fault? {
    let present = words.codes.count { $0 >= 0 }
    let numberCount = present - strayCount
    guard
      numberCount >= 2
        && (strayCount == 1 || Double(strayCount) < Self.strayTextLimit * Double(present))
    else { return nil }
    return Column.Fault(
      row: stray,
      complaint: "`\(words[stray]!)` is not a number, though \(numberCount) of the column's "
        + "\(present) cells are", remedy: .mend)
  }
}

extension Column.Words {
  /// The rows whose words are no numbers, written in the way given or plainly.
  func strays(_ spelling: NumberSpelling?) -> [Int] {
    let isStray = distinct.map { Self.number($0, spelling) == nil }
    return codes.indices.filter { codes[$0] >= 0 && isStray[Int(codes[$0])] }
  }

  /// Its numbers, none for what is none.
  func numbers(_ spelling: NumberSpelling?) -> Column.Numbers {
    let values = distinct.map { Self.number($0, spelling) ?? .nan }
    return Column.Numbers(storage: codes.map { $0 < 0 ? .nan : values[Int($0)] })
  }

  /// A number as cells are read; a spelling adds to what is one.
  static func number(_ text: String, _ spelling: NumberSpelling?) -> Double? {
    if let spelling { return spelling.value(text) }
    var text = text
    return text.withUTF8 { Cell($0).number }
  }

  /// A dash stands for a missing value but beside a plus, where both are signs.
  fileprivate var dashesResolved: Column.Words {
    guard let dash = distinct.firstIndex(of: "-"), !distinct.contains("+") else { return self }
    let code = Int32(dash)
    return Column.Words(
      codes: codes.map { $0 == code ? -1 : $0 > code ? $0 - 1 : $0 },
      distinct: Array(distinct[..<dash] + distinct[(dash + 1)...]))
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
  /// Missing too, but for a column of signs.
  case dash
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
    case "na", "n/a", "nan", "?", "-nan", "+nan", "null", "#n/a", "<na>": self = .missing
    case "-": self = .dash
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
