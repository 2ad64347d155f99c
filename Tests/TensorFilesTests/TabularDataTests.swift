import Foundation
import Testing

import TensorFiles

@Suite("Tabular data")
struct TabularDataTests {
  typealias Target = TabularData.Target

  static let fruit = """
    kind,mass,price,ripe
    apple,180,0.5,1
    pear,170,0.75,1
    apple,200,0.25,0
    plum,50,1.25,1
    """

  @Test("a text column becomes one feature per value, in place")
  func oneHot() throws {
    let data = try TabularData(table: readTable(Self.fruit), target: "price")
    #expect(data.featureNames == ["kind=apple", "kind=pear", "kind=plum", "mass", "ripe"])
    #expect(
      data.features == [
        1, 0, 0, 180, 1,
        0, 1, 0, 170, 1,
        1, 0, 0, 200, 0,
        0, 0, 1, 50, 1,
      ])
    #expect(data.sampleCount == 4 && data.featureCount == 5)
    #expect(data.target == .numeric(name: "price", values: [0.5, 0.75, 0.25, 1.25]))
    #expect(data.notes.contains { $0.hasPrefix("`kind` is text: taken as 3 features of 0 or 1") })
    #expect(data.notes.contains { $0.hasPrefix("5 features but 4 samples") })
  }

  @Test("features are chosen, ordered and dropped")
  func selection() throws {
    let table = try readTable(Self.fruit)
    let chosen = try TabularData(table: table, target: "price", features: ["ripe", "mass", "ripe"])
    #expect(chosen.featureNames == ["ripe", "mass"])
    #expect(chosen.features == [1, 180, 1, 170, 0, 200, 1, 50])
    let dropped = try TabularData(table: table, target: "price", drop: ["kind", "ripe"])
    #expect(dropped.featureNames == ["mass"])
  }

  struct TargetRow: Sendable, CustomTestStringConvertible {
    let cells: [String]
    let kind: TabularData.TargetKind
    let target: Target
    let note: String?
    var testDescription: String { "\(cells.prefix(3))... as \(kind)" }
  }

  static let twentyOne = (0..<21).map(String.init)
  static let targets = [
    TargetRow(
      cells: ["10", "2", "2"], kind: .automatic,
      target: .numeric(name: "t", values: [10, 2, 2]), note: nil),
    TargetRow(
      cells: ["10", "2", "2"], kind: .classes,
      target: .classes(name: "t", labels: ["2", "10"], indices: [1, 0, 0]), note: nil),
    TargetRow(
      cells: ["10", "2", "2"], kind: .numeric, target: .numeric(name: "t", values: [10, 2, 2]),
      note: nil),
    TargetRow(
      cells: ["1.5", "2", "2"], kind: .automatic, target: .numeric(name: "t", values: [1.5, 2, 2]),
      note: nil),
    TargetRow(
      cells: ["1.5", "2", "2"], kind: .classes,
      target: .classes(name: "t", labels: ["1.5", "2"], indices: [0, 1, 1]), note: nil),
    TargetRow(
      cells: ["no", "yes", "no"], kind: .automatic,
      target: .classes(name: "t", labels: ["no", "yes"], indices: [0, 1, 0]), note: nil),
    TargetRow(
      cells: twentyOne, kind: .automatic,
      target: .numeric(name: "t", values: (0..<21).map(Double.init)), note: nil),
    TargetRow(
      cells: Array(twentyOne.prefix(20)), kind: .automatic,
      target: .numeric(name: "t", values: (0..<20).map(Double.init)), note: nil),
    TargetRow(
      cells: Array(twentyOne.prefix(20)), kind: .classes,
      target: .classes(
        name: "t", labels: Array(twentyOne.prefix(20)), indices: Array(0..<20)), note: nil),
    TargetRow(
      cells: ["2", "2", "2"], kind: .automatic, target: .numeric(name: "t", values: [2, 2, 2]),
      note: "the target `t` is 2 in every row"),
    TargetRow(
      cells: ["2.5", "2.5", "2.5"], kind: .automatic,
      target: .numeric(name: "t", values: [2.5, 2.5, 2.5]),
      note: "the target `t` is 2.5 in every row"),
  ]

  @Test("target", arguments: targets)
  func target(_ row: TargetRow) throws {
    let lines = row.cells.enumerated().map { "\($0.offset % 2),\($0.element)" }
    let table = try readTable("x,t\n" + lines.joined(separator: "\n"))
    let data = try TabularData(table: table, target: "t", targetKind: row.kind)
    #expect(data.target == row.target)
    let spoken = data.notes.filter { $0.contains("`t`") }
    #expect(spoken.count == (row.note == nil ? 0 : 1))
    if let note = row.note { #expect(spoken.first?.hasPrefix(note) == true) }
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    var target = "t"
    var features: [String]?
    var drop: [String] = []
    var missing = TabularData.MissingValues.refuse
    var kind = TabularData.TargetKind.automatic
    let line: Int?
    let column: String?
    let says: [String]
    var testDescription: String { name }
  }

  static let refusals = [
    Refusal(
      name: "target not there", text: "Mass,Price\n1,2\n3,4\n", target: "price", line: nil,
      column: nil, says: ["no column `price`", "did you mean `Price`?", "Mass, Price"]),
    Refusal(
      name: "feature not there", text: "mass,t\n1,2\n3,4\n", features: ["masss"], line: nil,
      column: nil, says: ["no column `masss`", "did you mean `mass`?"]),
    Refusal(
      name: "dropped not there", text: "mass,t\n1,2\n3,4\n", drop: ["zebra"], line: nil,
      column: nil, says: ["no column `zebra` to take as a column to drop; the columns are: mass, t"]
    ),
    Refusal(
      name: "target dropped", text: "a,t\n1,2\n3,4\n", drop: ["t"], line: nil, column: "t",
      says: ["cannot be dropped"]),
    Refusal(
      name: "target as feature", text: "a,t\n1,2\n3,4\n", features: ["a", "t"], line: nil,
      column: "t", says: ["cannot be a feature too"]),
    Refusal(
      name: "nothing left", text: "a,t\n1,2\n3,4\n", drop: ["a"], line: nil, column: nil,
      says: ["no feature is left"]),
    Refusal(
      name: "only a target", text: "t\n1\n2\n", line: nil, column: nil, says: ["no feature is left"]
    ),
    Refusal(
      name: "one row", text: "a,t\n1,2\n", line: nil, column: nil, says: ["only one row"]),
    Refusal(
      name: "one class of integers", text: "a,t\n1,2\n3,2\n", kind: .classes, line: nil,
      column: "t", says: ["one class only, `2`"]),
    Refusal(
      name: "one class of words", text: "a,t\n1,x\n3,x\n", line: nil, column: "t",
      says: ["one class only, `x`"]),
    Refusal(
      name: "a class per row", text: "a,t\n" + (0..<30).map { "\($0 % 3),id\($0)\n" }.joined(),
      line: nil, column: "t", says: ["a class of its own"]),
    Refusal(
      name: "regress on words", text: "a,t\n1,x\n3,y\n", kind: .numeric, line: 2, column: "t",
      says: ["the target is text (`x`)", "`model: softmax`"]),
    Refusal(
      name: "missing value", text: "a,t\n1,2\n\n,4\n", line: 4, column: "a",
      says: ["missing", "`dropped: a`", "`missing: mean`"]),
    Refusal(
      name: "NaN", text: "a,t\n1,2\nnan,4\n", line: 3, column: "a", says: ["missing"]),
    Refusal(
      name: "missing word", text: "a,t\nx,2\nNA,4\nx,1\ny,2\n", line: 3, column: "a",
      says: ["the value is missing", "`dropped: a`"]),
    Refusal(
      name: "too many missing words for a mean", text: "a,t\nx,2\nNA,4\nx,1\ny,2\n",
      missing: .mean, line: nil, column: nil,
      says: ["1 of 4 rows miss a value of `a`", "fill them in."]),
    Refusal(
      name: "missing target", text: "a,t\n1,2\n3,?\n", line: 3, column: "t",
      says: ["the target's value is missing"]),
    Refusal(
      name: "empty column", text: "a,t\n,2\n,4\n", line: 2, column: "a",
      says: ["no cell of the column holds a value"]),
    Refusal(
      name: "infinity", text: "a,t\n1,2\ninf,4\n", line: 3, column: "a",
      says: ["`inf` is not a finite number"]),
    Refusal(
      name: "overflowing numeral", text: "a,t\n1,2\n-1e999,4\n", line: 3, column: "a",
      says: ["`-1e999` is not a finite number"]),
    Refusal(
      name: "infinite target", text: "a,t\n1,2\n3,Infinity\n", line: 3, column: "t",
      says: ["`Infinity` is not a finite number"]),
    Refusal(
      name: "text among numbers", text: "a,t\n1,2\n2,2\nabc,4\n3,4\n", line: 4, column: "a",
      says: [
        "`abc` is not a number, though 3 of the column's 4 cells are", "`dropped: a`", "category",
      ]),
    Refusal(
      name: "text among target numbers", text: "a,t\n1,2\n2,2.5\n4,4.?\n3,4\n", line: 4,
      column: "t",
      says: ["`4.?` is not a number"]),
    Refusal(
      name: "no name", text: ",t\n1,2\n3,4\n", line: 1, column: nil,
      says: ["no name in the header", "`dropped: Unnamed: 0`"]),
    Refusal(
      name: "identifier of all different words", text: "a,t\nx,2\ny,4\nz,1\n", line: nil,
      column: "a", says: ["look like an identifier", "`dropped: a`"]),
    Refusal(
      name: "identifier of many words",
      text: "a,t\n" + (0..<120).map { "w\($0 / 2),\($0 % 2)\n" }.joined(), line: nil, column: "a",
      says: ["60 different words in 120 rows", "`dropped: a`"]),
  ]

  @Test("refuses", arguments: refusals)
  func refuses(_ row: Refusal) throws {
    let table = try readTable(row.text)
    let error = try #require(throws: TableError.self) {
      try TabularData(
        table: table, target: row.target, features: row.features, drop: row.drop,
        missing: row.missing, targetKind: row.kind)
    }
    #expect(error.line == row.line)
    #expect(error.column == row.column)
    for words in row.says { #expect(error.description.contains(words), "\(error)") }
  }

  @Test("a spoilt column is no error once dropped")
  func dropSpoilt() throws {
    let table = try readTable("id,a,t\nq1,inf,1.5\nq2,2,2.5\nq3,3,3.5\n")
    #expect(throws: TableError.self) { try TabularData(table: table, target: "t", drop: ["id"]) }
    #expect(throws: TableError.self) { try TabularData(table: table, target: "t", drop: ["a"]) }
    let file = try readTable("id,a,b,t\nq1,inf,1,1.5\nq2,2,2,2.5\nq3,3,1,3.5\n")
    let data = try TabularData(table: file, target: "t", drop: ["id", "a"])
    #expect(data.featureNames == ["b"])
    #expect(data.notes.isEmpty)
  }

  @Test("missing values take the mean, aloud")
  func imputation() throws {
    let table = try readTable("a,b,t\n1,1,0.5\n?,2,1.5\n4,4,2.5\nNA,5,2.5\n")
    let data = try TabularData(table: table, target: "t", missing: .mean)
    #expect(data.features == [1, 1, 2.5, 2, 4, 4, 2.5, 5])
    #expect(data.notes == ["`a`: 2 missing values set to the mean of the others, 2.5."])
  }

  @Test("huge values are finite and kept; their mean does not overflow")
  func huge() throws {
    let table = try readTable("a,t\n1.5e308,0.5\n1.5e308,1.5\n,2.5\n1e308,2.5\n")
    let data = try TabularData(table: table, target: "t", missing: .mean)
    #expect(data.features[0] == 1.5e308)
    #expect(abs(data.features[2] / 1.333333e308 - 1) < 1e-6)
  }

  @Test("constant columns and row counters are kept and said aloud")
  func noted() throws {
    let rows = (0..<12).map { "\($0),7,red,\($0 * $0 % 5),\(Double($0) / 8)\n" }.joined()
    let table = try readTable("row,c,colour,a,t\n" + rows)
    let data = try TabularData(table: table, target: "t")
    #expect(data.featureNames == ["row", "c", "colour=red", "a"])
    #expect(data.notes.count == 3)
    #expect(data.notes[0].hasPrefix("`row` counts the rows up by one"))
    #expect(data.notes[1].hasPrefix("`c` is 7 in every row: beside the bias"))
    #expect(data.notes[2].hasPrefix("`colour` is `red` in every row"))
  }

  @Test("the wine table")
  func wine() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let table = try Table(contentsOfCSV: root.appendingPathComponent("Examples/wine.csv").path)
    let data = try TabularData(table: table, target: "class")
    #expect(data.sampleCount == 178 && data.featureCount == 13)
    #expect(data.notes.isEmpty && data.readings.map(\.id) == ["target-as-classes"])
    guard case .classes(_, let labels, let indices) = data.target else {
      Issue.record("the target should be classes")
      return
    }
    #expect(labels == ["1", "2", "3"])
    #expect((0..<3).map { k in indices.count { $0 == k } } == [59, 71, 48])
    // By numpy: the trace of X'X/n with an intercept, and so the sum of its eigenvalues.
    let trace = data.features.reduce(0) { $0 + $1 * $1 } / 178 + 1
    #expect(abs(trace / 667_237.543_709_641_6 - 1) < 1e-12)
  }
}
