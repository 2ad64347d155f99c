import Presentation
import Testing

import TensorFiles

/// Tables as people have them, made from a clean one: what a person would use of them is what a model gets,
/// without an option, and the readings say what was done.
@Suite("Tables as people have them")
struct TableCleaningTests {
  /// Two features and a target with fractions, of the clean table.
  static let clean: [[Double]] = (0..<40).map { row in
    let x = Double((row * 37) % 41) - 20.5
    let y = Double((row * 23) % 43) * 1250.25 + 1000
    return [x, y, 3 * x + 0.25]
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    /// Rows of the clean table that are used.
    var rows: [Int] = Array(0..<40)
    /// Ids of the readings, in their order.
    var says: [String] = []
    /// All columns that they name.
    var names: [String] = []
    var features = ["x", "y"]
    var testDescription: String { name }
  }

  /// The clean table, with other columns, cells and delimiters.
  ///
  /// - Parameters:
  ///   - before: a column before the others: its name, and its cells.
  ///   - missing: rows whose `x` is written so.
  static func text(
    before: (name: String, cell: (Int) -> String)? = nil, after: (String, (Int) -> String)? = nil,
    missing: (rows: [Int], text: String) = ([], ""), delimiter: String = ",",
    number: (Double) -> String = { "\($0)" }, header: [String] = ["x", "y", "t"]
  ) -> String {
    var lines = [([before?.name].compactMap { $0 } + header + [after?.0].compactMap { $0 })]
    for (row, values) in clean.enumerated() {
      var cells = values.map(number)
      if missing.rows.contains(row) { cells[0] = missing.text }
      if let before { cells.insert(before.cell(row), at: 0) }
      if let after { cells.append(after.1(row)) }
      lines.append(cells)
    }
    return lines.map { $0.joined(separator: delimiter) }.joined(separator: "\n") + "\n"
  }

  static let some = [3, 9, 22, 39]
  static let others = (0..<40).filter { !some.contains($0) }

  static func comma(_ value: Double) -> String {
    "\(value)".replacing(".", with: ",")
  }

  /// With a separator of thousands and another mark for decimals.
  static func grouped(_ value: Double, _ separator: String, _ decimal: String) -> String {
    let parts = "\(abs(value))".split(separator: ".")
    var whole = String(parts[0])
    var groups: [String] = []
    while whole.count > 3 {
      groups.insert(String(whole.suffix(3)), at: 0)
      whole = String(whole.dropLast(3))
    }
    return (value < 0 ? "-" : "") + ([whole] + groups).joined(separator: separator) + decimal
      + parts[1]
  }

  static func gap(_ name: String, _ text: String) -> Row {
    Row(
      name: name, text: Self.text(missing: (some, text)), rows: others, says: ["rows-left-out"],
      names: ["x"])
  }

  static func without(
    _ name: String, _ id: String, _ column: String, called: String? = nil,
    _ cell: @escaping (Int) -> String
  ) -> Row {
    Row(
      name: name, text: text(before: (column, cell)), says: [id], names: [called ?? column])
  }

  static let gaps: [Row] = [
    Row(name: "clean", text: text()),
    gap("empty", ""), gap("NA", "NA"), gap("N/A", "N/A"), gap("a question mark", "?"),
    gap("a dash", "-"), gap("null", "null"), gap("NULL", "NULL"), gap("nan", "nan"),
    gap("NaN in quotes", "\"NaN\""), gap("blank in quotes", "\" \""),
    Row(
      name: "a stray word", text: text(missing: ([7], "broken")),
      rows: (0..<40).filter { $0 != 7 }, says: ["words-taken-as-missing", "rows-left-out"],
      names: ["x", "x"]),
    Row(
      name: "an infinity", text: text(missing: ([7], "inf")),
      rows: (0..<40).filter { $0 != 7 }, says: ["words-taken-as-missing", "rows-left-out"],
      names: ["x", "x"]),
  ]

  static let columns: [Row] = [
    without("a nameless index", "identifiers-left-out", "", called: "Unnamed: 0") { "\($0)" },
    without("row names without a name", "identifiers-left-out", "", called: "Unnamed: 0") {
      "row \($0)"
    },
    without("an index saved twice", "identifiers-left-out", "Unnamed: 0") { "\($0 + 1)" },
    without("an identifier", "identifiers-left-out", "customerID") { "\(($0 * 7919) % 10_007)" },
    without("an identifier of letters", "identifiers-left-out", "patient_id") {
      "P-\($0 / 2)x\($0 % 2)"
    },
    without("names", "identifiers-left-out", "name") { "Person No. \($0)" },
    without("dates", "dates-left-out", "when") {
      "2024-01-\($0 % 28 + 101)".replacing("-1", with: "-")
    },
    without("dates with days first", "dates-left-out", "day") { "\($0 % 28 + 1)/02/2023 12:30" },
    without("compact dates", "dates-left-out", "date") { "\(20_240_101 + $0 % 28)" },
    Row(
      name: "a text of many words",
      text: text(after: ("comment", { $0 < 2 ? "same" : "remark number \($0) of many" })),
      says: ["words-left-out"], names: ["comment"]),
    Row(
      name: "a column without a value", text: text(after: ("spare", { $0 % 2 == 0 ? "" : "NA" })),
      says: ["empty-columns-left-out"], names: ["spare"]),
    Row(
      name: "a column that is mostly missing",
      text: text(after: ("rare", { $0 % 4 == 0 ? "1.5" : "" })),
      says: ["incomplete-columns-left-out"], names: ["rare"]),
  ]

  static let spellings: [Row] = [
    Row(
      name: "semicolons and decimal commas", text: text(delimiter: ";", number: comma),
      says: ["decimal-commas"], names: ["t", "x", "y"]),
    Row(
      name: "points for thousands", text: text(delimiter: ";") { grouped($0, ".", ",") },
      says: ["decimal-commas"], names: ["t", "x", "y"]),
    Row(
      name: "decimal commas and tabs", text: text(delimiter: "\t", number: comma),
      says: ["decimal-commas"], names: ["t", "x", "y"]),
    Row(
      name: "decimal commas in quotes", text: text { "\"\(comma($0))\"" },
      says: ["decimal-commas"], names: ["t", "x", "y"]),
    Row(
      name: "commas for thousands in quotes", text: text { "\"\(grouped($0, ",", "."))\"" },
      says: ["grouped-thousands"], names: ["y"]),
    Row(name: "tabs", text: text(delimiter: "\t")),
    Row(
      name: "everything in quotes, a byte order mark and CR LF",
      text: "\u{FEFF}"
        + text(number: { "\"\($0)\"" }, header: ["\"x\"", "\"y\"", "\"t\""])
        .replacing("\n", with: "\r\n")),
    Row(
      name: "rows that begin with their names",
      text: "x,y,t\n"
        + clean.enumerated().map { "\"r\($0)\",\($1[0]),\($1[1]),\($1[2])\n" }.joined(),
      says: ["identifiers-left-out"], names: ["Unnamed: 0"]),
    Row(
      name: "rows that end with a comma",
      text: "x,y,t\n" + clean.map { "\($0[0]),\($0[1]),\($0[2]),\n" }.joined(),
      says: ["empty-columns-left-out"], names: ["Unnamed: 3"]),
    Row(
      name: "a target that is missing", text: text(missing: (some, "NA"), header: ["t", "y", "x"]),
      rows: others, says: ["rows-without-target-left-out"], names: ["t"], features: ["y", "x"]),
    Row(
      name: "an index, a date, gaps and decimal commas together",
      text: text(
        before: ("", { "\($0)" }), after: ("date", { "\($0 % 28 + 1).3.2021" }),
        missing: (some, "N/A"), delimiter: ";", number: comma),
      rows: others,
      says: ["identifiers-left-out", "dates-left-out", "decimal-commas", "rows-left-out"],
      names: ["Unnamed: 0", "date", "t", "x", "y", "x"]),
  ]

  static let tables = gaps + columns + spellings

  @Test("is used as a person uses it", arguments: tables)
  func used(_ row: Row) throws {
    let data = try TabularData(table: readTable(row.text), target: "t", missing: .leaveOut)
    #expect(data.featureNames == row.features)
    let order = row.features == ["x", "y"] ? [0, 1, 2] : [1, 2, 0]
    #expect(
      data.features == row.rows.flatMap { [Self.clean[$0][order[0]], Self.clean[$0][order[1]]] })
    #expect(data.target == .numeric(name: "t", values: row.rows.map { Self.clean[$0][order[2]] }))
    #expect(data.readings.map(\.id) == row.says)
    #expect(data.readings.flatMap(\.names) == row.names)
    #expect(data.readings.allSatisfy { $0.sentence.hasSuffix(".") })
  }

  @Test("at least thirty tables")
  func count() { #expect(Self.tables.count >= 31) }

  static func data(
    _ text: String, keep: [String] = [], missing: TabularData.MissingValues = .leaveOut
  ) throws -> TabularData {
    try TabularData(table: readTable(text), target: "t", keep: keep, missing: missing)
  }

  @Test("what is left out can be kept")
  func kept() throws {
    let identifiers = Self.text(before: ("id", { "\($0 * 3)" }))
    #expect(try Self.data(identifiers, keep: ["id"]).featureNames == ["id", "x", "y"])
    #expect(
      try TabularData(
        table: readTable(identifiers), target: "t", features: ["id"], missing: .leaveOut
      ).featureNames == ["id"])
    let dates = try Self.data(
      Self.text(before: ("when", { "2024-01-0\($0 % 3 + 1)" })), keep: ["when"])
    #expect(
      dates.featureNames.prefix(3) == ["when=2024-01-01", "when=2024-01-02", "when=2024-01-03"])
    let rare = Self.text(after: ("rare", { $0 % 4 == 0 ? "1.5" : "" }))
    let kept = try Self.data(rare, keep: ["rare"])
    #expect(kept.featureNames == ["x", "y", "rare"] && kept.sampleCount == 10)
    let filled = try Self.data(rare, missing: .mean)
    #expect(filled.featureNames == ["x", "y", "rare"] && filled.sampleCount == 40)
    #expect(throws: TableError.self) { try Self.data(rare, missing: .refuse) }
  }

  @Test("more than a fifth of the rows is not left out for many small gaps")
  func tooMany() throws {
    // Each of ten columns misses four of forty rows, no two the same.
    let header = (0..<10).map { "c\($0)" }.joined(separator: ",") + ",t\n"
    let rows = (0..<40).map { row -> String in
      let cells = (0..<10).map { column -> String in
        row % 10 == column ? "" : "\((row * (column + 3)) % 11).5"
      }
      return cells.joined(separator: ",") + ",\(row).5\n"
    }
    let text = header + rows.joined()
    let error = try #require(throws: TableError.self) {
      try Self.data(text.replacing("c0", with: "c"))
    }
    #expect(error.description.contains("40 of 40 rows miss a value of `c`"))
    #expect(error.description.contains("`missing: mean`"))
    let filled = try Self.data(text, missing: .mean)
    #expect(filled.sampleCount == 40 && filled.featureCount == 10)
    // A fifth is.
    let fifth = Self.text(missing: (Array(0..<8), ""))
    #expect(try Self.data(fifth).sampleCount == 32)
    let more = try Self.data(Self.text(missing: (Array(0..<9), "")))
    #expect(more.sampleCount == 40 && more.featureNames == ["y"])
  }

  @Test("a dash is missing but beside a plus")
  func dashes() throws {
    func target(_ words: [String]) throws -> TabularData {
      try Self.data("x,t\n" + (0..<24).map { "\($0 % 5).5,\(words[$0 % words.count])\n" }.joined())
    }
    let signs = try target(["-", "+"])
    guard case .classes(_, let labels, _) = signs.target else {
      Issue.record("signs are classes")
      return
    }
    #expect(labels == ["+", "-"] && signs.sampleCount == 24 && signs.readings.isEmpty)
    let gaps = try target(["yes", "no", "yes", "no", "no", "-"])
    #expect(gaps.sampleCount == 20 && gaps.readings.map(\.id) == ["rows-without-target-left-out"])
  }

  @Test("numbers of a table are written in one way")
  func conventions() throws {
    func column(_ text: String) throws -> [Double] {
      try TabularData(
        table: readTable(text), target: "t", features: ["a"], missing: .leaveOut
      ).features
    }
    // Alone, a comma stands for a point between semicolons and for thousands between commas.
    #expect(try column("a;t\n1,234;1,5\n2,345;2,5\n") == [1.234, 2.345])
    #expect(try column("a,t\n\"1,234\",1.5\n\"2,345\",2.5\n") == [1234, 2345])
    // Beside numbers that can be read in one way only it is as there.
    #expect(try column("a;t\n1,234;1.5\n2,345;2.5\n") == [1234, 2345])
    #expect(try column("a,t\n\"1,234\",\"1,5\"\n\"2,345\",\"2,5\"\n") == [1.234, 2.345])
    #expect(try column("a,t\n\"1,234,567.5\",1.5\n-12,2.5\n") == [1_234_567.5, -12])
    #expect(try column("a;t\n1 234,5;1,5\n2'345,5;2,5\n") == [1234.5, 2345.5])
    // Where commas mark decimals, points stand between thousands: not for decimals of other lengths.
    #expect(try column("a;t\n1.234;1,5\n812;2,5\n;3,5\n-56.789;4,5\n") == [1234, 812, -56789])
    #expect(try column("a;t\n1.234;1,5\n81.2;2,5\n") == [1.234, 81.2])
    #expect(try column("a;t\n0.234;1,5\n1.812;2,5\n") == [0.234, 1.812])
    #expect(try column("a;t\n1.234;1.5\n5.812;2.5\n") == [1.234, 5.812])
    // What is no group is a word.
    let words = try readTable("a,t\n\"12,34\",1.5\n\"1,2,3\",2.5\n\"1,23\",2.5\n")
    #expect(words.columns[0].cells == .text(["12,34", "1,2,3", "1,23"]))
  }

  @Test("a target with a separator of thousands is a number")
  func thousandsInTarget() throws {
    let rows = (0..<30).map { row in "\(row % 7),\"\(row + 1),\(200 + row)\"\n" }
    let data = try Self.data("x,t\n" + rows.joined())
    let values = (0..<30).map { row -> Double in Double(1000 * (row + 1) + 200 + row) }
    #expect(data.target == .numeric(name: "t", values: values))
    #expect(data.readings.first?.id == "grouped-thousands")
  }

  @Test("columns of one name are told apart")
  func repeated() throws {
    let features = try Self.data("a,a,t\n1,2,1.5\n3,5,2.5\n4,4,0.5\n")
    #expect(features.featureNames == ["a", "a.1"])
    #expect(features.readings.map(\.id) == ["columns-renamed"])
    #expect(features.readings[0].names == ["a.1"])
    // A second target is no feature.
    let text = "a,t,t\n1,2.5,1.5\n3,5.5,2.5\n4,4.5,0.5\n"
    let target = try Self.data(text)
    #expect(target.featureNames == ["a"])
    #expect(target.target == .numeric(name: "t", values: [2.5, 5.5, 4.5]))
    #expect(target.readings.map(\.id) == ["target-repeated"])
    let other = try TabularData(table: readTable(text), target: "t.1", features: ["a"])
    #expect(other.target == .numeric(name: "t.1", values: [1.5, 2.5, 0.5]))
  }

  @Test("what is said of too few rows leads on")
  func waysOut() throws {
    func complaint(_ text: String, keep: [String] = []) -> String {
      do {
        _ = try TabularData(table: readTable(text), target: "t", keep: keep, missing: .leaveOut)
        return ""
      } catch { return "\(error)" }
    }
    // Every row misses something, and every feature: neither can be left out.
    let gaps = "a,b,t\n1,,3.5\n,2,4.5\n2,,5.5\n,3,6.5\n"
    let none = complaint(gaps, keep: ["a", "b"])
    #expect(none.contains("`missing: mean`") && !none.contains("kept") && !none.contains("dropped"))
    let words = complaint("a,b,t\nu,,3.5\n,v,4.5\nu,,5.5\n,v,6.5\n", keep: ["a", "b"])
    #expect(words.hasSuffix("too many to leave out; fill them in."))
    let rows = (0..<20).map { row in
      (0..<4).map { row / 2 == $0 ? "" : "\(row % 7)" }.joined(separator: ",") + ",\(row % 3),0.5"
    }
    let some = complaint("a,b,c,d,e,t\n" + rows.joined(separator: "\n"))
    #expect(some.contains("`dropped: a,b,c,d`") && some.contains("`kept: a,b,c,d`"))
  }

  @Test("a column without a value beside any target has no mean")
  func noMean() throws {
    let text = "a,b,t\n1,,3.5\n2,,4.5\n5,8,\n4,,1.5\n"
    let data = try TabularData(table: readTable(text), target: "t", missing: .mean)
    #expect(data.featureNames == ["a"] && data.readings.last?.names == ["b"])
  }

  @Test("a table of nothing but identifiers is refused, one of a counter is not")
  func nothingLeft() throws {
    let error = try #require(throws: TableError.self) {
      try Self.data("name,t\n" + (0..<9).map { "n\($0),\($0).5\n" }.joined())
    }
    #expect(error.description.contains("`kept: name`"))
    let counter = try Self.data("index,t\n" + (0..<12).map { "\($0),\($0 * $0).5\n" }.joined())
    #expect(counter.featureNames == ["index"] && counter.readings.isEmpty)
    // A year or a dose that counts up is a feature beside others too.
    let years = try Self.data(Self.text(before: ("year", { "\(1980 + $0)" })))
    #expect(years.featureNames == ["year", "x", "y"])
    #expect(years.notes.contains { $0.hasPrefix("`year` counts the rows up by one") })
  }
}
