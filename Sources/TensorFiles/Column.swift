/// One named column of a table, typed by what its cells hold. A missing cell is `nil`.
public struct Column: Sendable {
  public enum Cells: Sendable, Equatable {
    case numeric([Double?])
    case text([String?])
  }

  public let name: String
  public let cells: Cells

  /// The first cell that does not fit the rest. It is an error only if the column is used, so that
  /// `--drop` can leave a spoilt column out.
  package let fault: Fault?

  package struct Fault: Sendable {
    package let row: Int
    package let sentence: String
  }

  /// Distinct cells that are there, in ascending order, as written in the table.
  package var distinctTexts: [String] {
    switch cells {
    case .numeric(let values): Set(values.compactMap { $0 }).sorted().map(shortest)
    case .text(let values): Set(values.compactMap { $0 }).sorted()
    }
  }
}

extension Column {
  /// A column with less than this part of its cells not numbers is a column of numbers with
  /// mistakes; so is one with a single such cell.
  static let strayTextLimit = 0.2

  /// Types the raw cells of a column: numbers if all cells that are there are numbers, else text.
  init(name: String, rawCells: [String], delimiter: Character) {
    self.name = name
    var numbers: [Double?] = []
    numbers.reserveCapacity(rawCells.count)
    var strays: [Int] = []
    var numericCount = 0
    var infinite: Int?
    for (row, cell) in rawCells.enumerated() {
      switch Cell(cell) {
      case .missing: numbers.append(nil)
      case .number(let value):
        numbers.append(value)
        numericCount += 1
        if !value.isFinite && infinite == nil { infinite = row }
      case .text:
        numbers.append(nil)
        strays.append(row)
      }
    }

    let present = numericCount + strays.count
    if let stray = strays.first {
      cells = .text(rawCells.map { Cell($0).isMissing ? nil : $0 })
      let isMistake =
        numericCount >= 2
        && (strays.count == 1
          || Double(strays.count) < Column.strayTextLimit * Double(present))
      if isMistake {
        fault = Fault(
          row: stray,
          sentence: "`\(rawCells[stray])` is not a number, though \(numericCount) of the column's "
            + "\(present) cells are; mend it, or leave the column out with --drop \(name); if it is a "
            + "category, write every cell of the column as a word.")
      } else if delimiter == ";", let row = rawCells.firstIndex(where: hasDecimalComma) {
        fault = Fault(
          row: row,
          sentence: "`\(rawCells[row])` has a decimal comma; write numbers with a point.")
      } else {
        fault = nil
      }
      return
    }
    cells = .numeric(numbers)
    if let infinite {
      fault = Fault(
        row: infinite,
        sentence: "`\(rawCells[infinite])` is not a finite number; mend it, remove the row, or "
          + "leave the column out with --drop \(name).")
    } else if numericCount == 0, !rawCells.isEmpty {
      fault = Fault(
        row: 0, sentence: "no cell of the column holds a value; leave it out with --drop \(name).")
    } else {
      fault = nil
    }
  }
}

/// What one cell says.
private enum Cell {
  case missing
  case number(Double)
  case text

  init(_ raw: String) {
    let bytes = raw.utf8
    guard let first = bytes.first else {
      self = .missing
      return
    }
    let numeral =
      (first >= 0x30 && first <= 0x39) || first == 0x2D || first == 0x2B || first == 0x2E
    if numeral, bytes.allSatisfy(isDecimalByte), let value = Double(raw) {
      self = .number(value)
      return
    }
    guard bytes.count <= 9 else {
      self = .text
      return
    }
    switch raw.lowercased() {
    case "na", "n/a", "nan", "?", "-nan", "+nan": self = .missing
    case "inf", "+inf", "infinity", "+infinity": self = .number(.infinity)
    case "-inf", "-infinity": self = .number(-.infinity)
    default: self = .text
    }
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

/// The shortest text of a number: an integer without its ".0".
package func shortest(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
}
