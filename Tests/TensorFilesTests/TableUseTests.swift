import Foundation
import TensorPrograms
import Testing

@testable import TensorFiles

/// One table, a tabular model and a model file: the same answers, or the differences that `TableUse` names.
@Suite("What a table feeds")
struct TableUseTests {
  static func tabular(
    _ csv: String, missing: TabularData.MissingValues = .refuse,
    kind: TabularData.TargetKind = .automatic
  ) throws -> TabularData {
    try TabularData(
      table: Table(csv: csv, path: "t.csv"), target: "t", missing: missing, targetKind: kind)
  }

  static func source(_ csv: String) throws -> TableSource {
    try TableSource(Table(csv: csv, path: "t.csv"), target: "t")
  }

  /// What both say about a table that both refuse.
  static func refusals(_ csv: String) throws -> (tabular: String, file: String) {
    let errors = (
      try #require(throws: TableError.self) { try tabular(csv) },
      try #require(throws: TableError.self) { try source(csv) }
    )
    #expect(errors.0.line == errors.1.line && errors.0.column == errors.1.column)
    return (errors.0.description, errors.1.description)
  }

  @Test(
    "the same cells are the same numbers",
    arguments: [
      "a,b,t\n1,2,0.5\n3,-4e1,1.5\n+.5,1e308,2\n", "t;a;b\n1.5; 2 ;3\n2;\"4\";5\n",
      "\u{FEFF}a,t,b\r\n007,1,9007199254740993\r\n1.,2.5,-0\r\n",
    ])
  func sameNumbers(_ csv: String) throws {
    let (data, source) = (try Self.tabular(csv, kind: .numeric), try Self.source(csv))
    let shape: Shape = [data.sampleCount, data.featureCount]
    #expect(try source.tensor("x") == Tensor(data.features, shape: shape))
    #expect(source.columnNames == data.featureNames)
    guard case .numeric(_, let values) = data.target else {
      Issue.record("the target should be numbers")
      return
    }
    #expect(try source.tensor("target").doubles == values)
  }

  @Test("words of a target are counted alike")
  func sameWords() throws {
    let csv = "a,t\n1,red\n2,blue\n3,red\n4,7\n5,green\n"
    guard case .classes(_, let labels, let indices) = try Self.tabular(csv).target else {
      Issue.record("the target should be classes")
      return
    }
    #expect(labels == ["7", "blue", "green", "red"])
    #expect(
      try Self.source(csv).tensor("target") == Tensor(indices.map { Int64($0) }, shape: [5]))
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let csv: String
    /// The way out for a model file, in the same words as far as its options go.
    let file: String
    var testDescription: String { name }
  }

  static let refusals = [
    Refusal(
      name: "missing target", csv: "a,t\n1,2\n3,NA\n",
      file: "the target's value is missing; fill it in or remove the row."),
    Refusal(
      name: "missing word of a target", csv: "a,t\n1,x\n3,\n2,y\n",
      file: "the target's value is missing; fill it in or remove the row."),
    Refusal(
      name: "infinite target", csv: "a,t\n1,2\n3,-inf\n",
      file: "`-inf` is not a finite number; mend it or remove the row."),
    Refusal(
      name: "word among a target's numbers", csv: "a,t\n1,2\n3,4\n5,x\n",
      file:
        "`x` is not a number, though 2 of the column's 3 cells are; mend it; if it is a category, "
        + "write every cell of the column as a word."),
    Refusal(
      name: "word among numbers", csv: "a,t\n1,2\nx,4\n5,6\n",
      file: "`x` is not a number, though 2 of the column's 3 cells are; mend it."),
    Refusal(
      name: "infinity", csv: "a,t\n1e999,2\n3,4\n",
      file: "`1e999` is not a finite number; mend it or remove the row."),
    Refusal(
      name: "missing value", csv: "a,t\n1,2\n?,4\n",
      file: "the value is missing; fill it in or remove the row."),
    Refusal(
      name: "empty column", csv: "a,t\n,2\nnan,4\n",
      file: "no cell of the column holds a value; fill it in or remove the column."),
    Refusal(
      name: "empty target", csv: "a,t\n1,\n2,\n",
      file: "no cell of the column holds a value; fill it in."),
    Refusal(
      name: "target before features", csv: "a,t\n?,2\n3,?\n",
      file: "the target's value is missing; fill it in or remove the row."),
  ]

  @Test("what spoils a table spoils it for both", arguments: refusals)
  func sameRefusals(_ row: Refusal) throws {
    let said = try Self.refusals(row.csv)
    #expect(said.file.hasSuffix(": " + row.file))
    // Up to the way out they say one thing.
    let complaint = said.file.prefix { $0 != ";" }
    #expect(said.tabular.hasPrefix(complaint), "\(said.tabular)")
    // A model file takes neither option.
    #expect(!said.file.contains("dropped") && !said.file.contains("`missing"))
  }

  @Test("a model's input keeps its column count")
  func columnCount() throws {
    let csv = "a,c,t\n1,x,1\n2,y,2\n3,x,3\n"
    #expect(try Self.tabular(csv).featureNames == ["a", "c=x", "c=y"])
    let error = try #require(throws: TableError.self) { try Self.source(csv) }
    #expect(error.line == 2 && error.column == "c" && error.description.contains("is text"))
    // Nor are values made up for it.
    let gap = "a,t\n1,1\n,2\n3,4\n"
    #expect(try Self.tabular(gap, missing: .mean).features == [1, 2, 3])
    #expect(throws: TableError.self) { try Self.source(gap) }
  }

  @Test("a model's outputs keep their meaning")
  func labels() throws {
    let csv = "a,t\n1,3\n2,7\n3,3\n"
    #expect(
      try Self.tabular(csv, kind: .classes).target
        == .classes(name: "t", labels: ["3", "7"], indices: [0, 1, 0]))
    #expect(try Self.source(csv).tensor("target") == Tensor([3, 7, 3] as [Int64], shape: [3]))
    // From 2^53 on every double is whole, and none is a label.
    let large = "a,t\n1,9007199254740992\n2,0\n"
    #expect(try Self.source(large).tensor("target").element == .float64)
    guard case .numeric = try Self.tabular(large).target else {
      Issue.record("the target should be numbers")
      return
    }
  }

  @Test(
    "what cannot be learnt from can be measured on", arguments: ["a,t\n1,2\n", "a,t\n1,2\n3,2\n"])
  func nothingToLearn(_ csv: String) throws {
    #expect(throws: TableError.self) { try Self.tabular(csv, kind: .classes) }
    #expect(try Self.source(csv).tensor("x").shape.dimensions.last == 1)
  }
}
