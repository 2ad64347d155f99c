import Presentation

/// What of a table a model is fitted to: columns that say nothing of their rows are left out, then rows
/// that miss a value; readings say what and how to have it otherwise.
///
/// Left out are, unless they are to be kept,
///
/// - columns without a value;
/// - numbers of the rows, and identifiers by their name and values: see `ColumnName`;
/// - dates and times;
/// - words of which every row has its own, more than `TabularData.categoryLimit`, or more than ten that
///   are more than half of the rows;
/// - where more than `rowLimit` of the rows miss a value, columns that miss the most, down to those that
///   miss `columnLimit` of their own.
///
/// Rows without a target are left out, however many: nothing can be learned from them.
struct TableCleaning {
  /// The part of the rows that may be left out for what they miss.
  static let rowLimit = 0.2
  /// The part of its values that a column may miss without being left out for it.
  static let columnLimit = 0.1

  private(set) var table: Table
  private(set) var target: Column
  private(set) var features: [Column]
  private(set) var readings: [Reading] = []
  private let kept: Set<String>
  private let fillsIn: Bool

  /// - Parameters:
  ///   - kept: columns that stay, whatever they hold.
  ///   - missing: what to do about missing values; `refuse` leaves the table as it is.
  init(
    _ table: Table, target: Column, features: [Column], kept: Set<String>,
    missing: TabularData.MissingValues
  ) throws {
    (self.table, self.target, self.features) = (table, target, features)
    self.kept = kept
    fillsIn = missing == .mean
    sayRenamed()
    guard !self.features.isEmpty else {
      throw TableError(
        "no feature is left beside the target; add a column.", path: table.path)
    }
    guard missing != .refuse else {
      if let nameless = self.features.first(where: { $0.origin == .nameless }) {
        throw TableError(
          "a column has no name in the header; give it one, or leave it out with "
            + "\(option: .dropped, nameless.name).", path: table.path, line: 1)
      }
      saySpellings()
      return
    }
    try leaveColumnsOut()
    takeStraysForMissing()
    saySpellings()
    try leaveRowsOut()
  }

  // MARK: Columns

  /// A repeated name is taken for a mistake of the export, not for another target.
  private mutating func sayRenamed() {
    let copies = features.filter { $0.origin == .repeated(target.name) && !kept.contains($0.name) }
    if !copies.isEmpty {
      features.removeAll { column in copies.contains { $0.name == column.name } }
      add(
        "target-repeated", copies,
        "The target's name `\(target.name)` stands above \(counted(copies.count + 1, "column")): the "
          + "first is taken and the other left out; --target \(Self.argument(copies[0].name)) takes "
          + "the other.")
    }
    let renamed = features.filter { if case .repeated = $0.origin { true } else { false } }
    if !renamed.isEmpty {
      add(
        "columns-renamed", renamed,
        "\(Self.list(renamed)) \(renamed.count == 1 ? "has" : "have") a name that an earlier column "
          + "has, and so got a number.")
    }
  }

  private enum Uselessness: CaseIterable {
    case empty, identifier, date, words
  }

  private mutating func leaveColumnsOut() throws {
    var reasons: [Uselessness: [Column]] = [:]
    for column in features where !kept.contains(column.name) {
      if let reason = uselessness(of: column) { reasons[reason, default: []].append(column) }
    }
    let out = Set(reasons.values.joined().map(\.name))
    guard !out.isEmpty else { return }
    guard out.count < features.count else {
      let numbers = features.filter {
        if case .numeric = $0.cells { $0.fault == nil } else { false }
      }
      // Numbers are better than nothing.
      if !numbers.isEmpty {
        let names = Set(numbers.map(\.name))
        return leaveOut(reasons.mapValues { $0.filter { !names.contains($0.name) } })
      }
      throw TableError(
        "no feature is left beside the target: \(Self.list(features)) "
          + (reasons.keys.contains(.empty) && reasons.count == 1
            ? (features.count == 1 ? "holds no value; fill it in." : "hold no value; fill them in.")
            : (features.count == 1
              ? "identifies rows, is a date or holds too many different words"
              : "identify rows, are dates or hold too many different words")
              + "; add columns of numbers, or take "
              + "one in with \(option: .kept, Self.argument(features[0].name))."),
        path: table.path)
    }
    leaveOut(reasons)
  }

  private mutating func leaveOut(_ reasons: [Uselessness: [Column]]) {
    for reason in Uselessness.allCases {
      guard let columns = reasons[reason], !columns.isEmpty else { continue }
      features.removeAll { column in columns.contains { $0.name == column.name } }
      let (list, one) = (Self.list(columns), columns.count == 1)
      let keep = "--keep \(Self.names(columns))"
      let isOut = one ? "is left out" : "are left out"
      switch reason {
      case .empty:
        add(
          "empty-columns-left-out", columns,
          "\(list) \(one ? "holds" : "hold") no value and \(isOut); --missing refuse stops there.")
      case .identifier:
        add(
          "identifiers-left-out", columns,
          "\(list) \(one ? "tells" : "tell") rows apart and \(isOut); \(keep) takes "
            + "\(one ? "it" : "them") in.")
      case .date:
        add(
          "dates-left-out", columns,
          "\(list) \(one ? "holds dates" : "hold dates") and \(isOut); \(keep) takes each date for a "
            + "category.")
      case .words:
        let count = columns.map { $0.words?.distinct.count ?? 0 }.max() ?? 0
        add(
          "words-left-out", columns,
          "\(list) \(one ? "holds" : "hold") \(one ? "" : "up to ")\(count) different words and "
            + "\(isOut); \(keep) makes a feature of 0 or 1 of each.")
      }
    }
  }

  private func uselessness(of column: Column) -> Uselessness? {
    let isNamedIdentifier = ColumnName.isIdentifier(column.name)
    switch column.cells {
    case .numeric(let numbers):
      let present = numbers.storage.filter { !$0.isNaN }
      guard !present.isEmpty else { return .empty }
      let isCounter = ColumnName.isCounter(column.name) || column.origin == .nameless
      if isCounter, numbers.countsUp { return .identifier }
      if isNamedIdentifier || column.origin == .nameless,
        present.allSatisfy({ $0 == $0.rounded() }), Set(present).count == present.count,
        present.count > 1
      {
        return .identifier
      }
      return ColumnName.isDate(column.name) && present.allSatisfy { DateSpelling.matches($0) }
        ? .date : nil
    case .text(let words):
      // Numbers with mistakes.
      guard column.fault == nil else { return nil }
      let present = words.codes.count { $0 >= 0 }
      if words.distinct.allSatisfy(DateSpelling.matches) { return .date }
      if isNamedIdentifier || column.origin == .nameless, 2 * words.distinct.count > present {
        return .identifier
      }
      let count = words.distinct.count
      if count == present { return .identifier }
      return count > TabularData.categoryLimit || (count > 10 && 2 * count > present) ? .words : nil
    }
  }

  // MARK: Cells

  private mutating func takeStraysForMissing() {
    func mended(_ column: Column) -> (Column, [String])? {
      switch column.cells {
      case .text(let words):
        guard column.fault != nil else { return nil }
        let numbers = words.numbers(column.spelling)
        let strays = words.codes.indices.filter {
          words.codes[$0] >= 0 && !numbers.storage[$0].isFinite
        }
        return (column.with(numbers), strays.map { words[$0]! })
      case .numeric(let numbers):
        let infinite = numbers.storage.filter(\.isInfinite)
        guard !infinite.isEmpty, infinite.count < numbers.count else { return nil }
        return (
          column.with(Column.Numbers(storage: numbers.storage.map { $0.isFinite ? $0 : .nan })),
          infinite.map { $0 > 0 ? "inf" : "-inf" }
        )
      }
    }
    var columns: [Column] = []
    var said: [String] = []
    func mend(_ column: inout Column) {
      guard let (numbers, strays) = mended(column) else { return }
      columns.append(column)
      column = numbers
      var distinct: [String] = []
      for stray in strays where !distinct.contains(stray) && distinct.count < 4 {
        distinct.append(stray)
      }
      let shown = distinct.prefix(3).map { "`\($0)`" }.joined(separator: ", ")
      said.append(
        "\(shown)\(distinct.count > 3 ? ", ..." : "") in `\(column.name)` "
          + "(\(counted(strays.count, "row")))")
    }
    mend(&target)
    for index in features.indices { mend(&features[index]) }
    guard !said.isEmpty else { return }
    add(
      "words-taken-as-missing", columns,
      "\(said.joined(separator: "; ")): no \(said.count == 1 ? "number" : "numbers") where the column's "
        + "other cells are, so taken for missing; --missing refuse stops there.")
  }

  private mutating func saySpellings() {
    for spelling in NumberSpelling.allCases {
      let columns = ([target] + features).filter { $0.spelling == spelling && $0.words == nil }
      guard !columns.isEmpty else { continue }
      let example = spelling.example
      add(
        spelling == .decimalComma ? "decimal-commas" : "grouped-thousands", columns,
        "\(Self.list(columns)): numbers like `\(example.written)` are read as \(example.read)"
          + (spelling == .pointedThousands
            ? ", as other columns have commas for decimals; where that is wrong, write all decimals of the "
              + "table with a point."
            : "; where that is wrong, write them with a point for the decimals and without separators.")
      )
    }
  }

  // MARK: Rows

  private mutating func leaveRowsOut() throws {
    let all = table.rowCount
    let isWhole = !target.hasMissing
    var rows = isWhole ? Array(0..<all) : (0..<all).filter { !target.isMissing($0) }
    guard rows.count >= 2 else {
      throw TableError(
        rows.isEmpty
          ? "no row has a value of the target; choose another with \(option: .target)."
          : "only one row has a value of the target; fill in others.", path: table.path,
        column: target.name)
    }
    if rows.count < all {
      add(
        "rows-without-target-left-out", [target],
        "\(counted(all - rows.count, "row")) of \(all) \(all - rows.count == 1 ? "has" : "have") no "
          + "value of `\(target.name)` and \(all - rows.count == 1 ? "is" : "are") left out; "
          + "--missing refuse stops there.")
    }
    // A column of words has no mean, nor one without values beside a target.
    var gaps = features.filter { column in
      (!fillsIn || column.words != nil || rows.allSatisfy { column.isMissing($0) })
        && column.hasMissing
        && rows.contains { column.isMissing($0) }
    }
    func complete() -> [Int] {
      gaps.isEmpty ? rows : rows.filter { row in !gaps.contains { $0.isMissing(row) } }
    }
    // What is kept may cost as many rows as it does.
    let keptGaps = gaps.filter { kept.contains($0.name) }
    let base =
      keptGaps.isEmpty ? rows : rows.filter { row in !keptGaps.contains { $0.isMissing(row) } }
    func missing(_ column: Column, in rows: [Int]) -> Int { rows.count { column.isMissing($0) } }
    let labelled = rows.count
    func isTooFew(_ left: Int) -> Bool {
      left < 2 || Double(base.count - left) > Self.rowLimit * Double(base.count)
    }
    var left = complete()
    var out: [(column: Column, missing: Int)] = []
    while isTooFew(left.count) {
      let worst = gaps.filter { !kept.contains($0.name) }
        .map { (column: $0, missing: missing($0, in: base)) }.max { $0.missing < $1.missing }
      guard let worst, Double(worst.missing) > Self.columnLimit * Double(base.count),
        features.count > 1
      else { break }
      out.append(worst)
      features.removeAll { $0.name == worst.column.name }
      gaps.removeAll { $0.name == worst.column.name }
      left = complete()
    }
    guard !isTooFew(left.count) else {
      throw Self.tooFew(
        gaps, besides: features.count - gaps.count, fillsIn, left: left.count,
        of: labelled, path: table.path)
    }
    sayLeftOut(out, of: labelled)
    if left.count < labelled {
      let counts = gaps.map { ($0, missing($0, in: rows)) }.sorted { $0.1 > $1.1 }
      let list = counts.prefix(5).map { "`\($0.0.name)` \($0.1)" }.joined(separator: ", ")
      let count = labelled - left.count
      add(
        "rows-left-out", counts.map(\.0),
        "\(counted(count, "row")) of \(labelled) \(count == 1 ? "misses" : "miss") a value (\(list)"
          + "\(counts.count > 5 ? ", ..." : "")) and \(count == 1 ? "is" : "are") left out; "
          + (fillsIn || gaps.allSatisfy { $0.words != nil }
            ? "" : "--missing mean fills numbers in, ") + "--missing refuse stops there.")
    }
    rows = left
    guard rows.count < all else { return }
    table = table.rows(rows)
    target = target.rows(rows)
    features = features.map { $0.rows(rows) }
  }

  private mutating func sayLeftOut(_ out: [(column: Column, missing: Int)], of rows: Int) {
    guard !out.isEmpty else { return }
    let list =
      out.prefix(5).map { "`\($0.column.name)` \($0.missing)" }.joined(separator: ", ")
      + (out.count > 5 ? ", ..." : "")
    let one = out.count == 1
    let names = Self.names(out.map(\.column))
    add(
      "incomplete-columns-left-out", out.map(\.column),
      "More than a fifth of the \(rows) rows would be left out for what they miss, so "
        + "\(one ? "the column that misses" : "the columns that miss") most (\(list)) "
        + "\(one ? "is" : "are") left out instead; --keep \(names) leaves the rows out"
        + (fillsIn ? "." : ", --missing mean fills numbers in."))
  }

  // MARK: Words

  private mutating func add(_ id: String, _ columns: [Column], _ sentence: String) {
    readings.append(Reading(id, sentence, names: columns.map(\.name)))
  }
}
