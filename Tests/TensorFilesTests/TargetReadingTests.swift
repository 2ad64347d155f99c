import Testing

import TensorFiles

/// Forty target columns that a person has labelled: names of classes or quantities.
@Suite("Targets as classes or as numbers")
struct TargetReadingTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let cells: [String]
    let isClasses: Bool
    /// Whether the report says how it was read: text and fractions leave nothing to decide.
    let isDecided: Bool
    var testDescription: String { name }

    init(_ name: String, classes: Bool, decided: Bool = true, _ cells: [String]) {
      (self.name, self.cells, isClasses, isDecided) = (name, cells, classes, decided)
    }

    init(_ name: String, classes: Bool, _ values: [Int]) {
      self.init(name, classes: classes, values.map(String.init))
    }
  }

  /// Numbers that look drawn, the same in every run.
  static func draw(_ count: Int, _ range: ClosedRange<Int>, seed: Int = 1) -> [Int] {
    var state = UInt64(seed)
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return range.lowerBound + Int(state >> 33) % range.count
    }
  }

  static func repeating(_ values: [Int], _ count: Int) -> [Int] {
    (0..<count).map { values[$0 % values.count] }
  }

  static func words(_ values: [String], _ count: Int) -> [String] {
    (0..<count).map { values[$0 % values.count] }
  }

  static let rows = [
    // Classes.
    Row("0 and 1 in 40 rows", classes: true, repeating([0, 1], 40)),
    Row("0 and 1, rarely 1", classes: true, repeating([0, 0, 0, 0, 0, 0, 0, 1], 80)),
    Row("0 and 1 in 10 rows", classes: true, repeating([1, 0], 10)),
    Row("-1 and 1", classes: true, repeating([1, -1], 30)),
    Row("codes 0 to 2", classes: true, repeating([0, 1, 2], 150)),
    Row("codes 1 to 3", classes: true, repeating([3, 1, 2], 178)),
    Row("digits 0 to 9", classes: true, repeating(Array(0...9), 200)),
    Row("labels 1 to 10", classes: true, repeating(Array(1...10), 60)),
    Row("labels 0 to 19", classes: true, repeating(Array(0...19), 100)),
    Row("stars 1 to 5", classes: true, draw(500, 1...5)),
    Row("0 and 1 written as 0.0 and 1.0", classes: true, words(["0.0", "1.0"], 60)),
    Row("-1 and 1 written as -1.0 and +1", classes: true, words(["-1.0", "+1"], 24)),
    Row("two codes 1 and 2", classes: true, repeating([1, 2], 20)),
    Row("yes and no", classes: true, decided: false, words(["yes", "no"], 6)),
    Row("true and false", classes: true, decided: false, words(["true", "false"], 8)),
    Row("True and False", classes: true, decided: false, words(["True", "False"], 40)),
    Row("species", classes: true, decided: false, words(["setosa", "virginica"], 20)),
    Row("signs", classes: true, decided: false, words(["+", "-"], 30)),
    Row("letters", classes: true, decided: false, words(["A", "B", "AB", "O"], 12)),
    // Numbers.
    Row("eight exam scores", classes: false, [95, 96, 92, 80, 73, 88, 75, 84]),
    Row("0 and 1 in 8 rows", classes: false, repeating([0, 1], 8)),
    Row("-1 and 1 in 6 rows", classes: false, repeating([-1, 1], 6)),
    Row("wine's quality, 3 to 8", classes: false, draw(1_599, 3...8)),
    Row("ratings 2 to 5", classes: false, draw(300, 2...5)),
    Row("counts of few, with a gap", classes: false, repeating([0, 1, 2, 0, 1, 4], 120)),
    Row("counts up to 60", classes: false, draw(400, 0...60)),
    Row("rented bicycles", classes: false, draw(300, 1...900)),
    Row("rings of abalone", classes: false, draw(4_000, 1...29)),
    Row("codes 0 to 9 in 30 rows", classes: false, repeating(Array(0...9), 30)),
    Row("children 0 to 4 in 12 rows", classes: false, repeating([0, 1, 2, 3, 4], 12)),
    Row("ages", classes: false, draw(500, 17...90)),
    Row("years", classes: false, repeating(Array(1990...2009), 200)),
    Row("five years", classes: false, repeating(Array(2015...2019), 100)),
    Row("identifiers", classes: false, Array(1_000..<1_060)),
    Row("row numbers 1 to 12", classes: false, Array(1...12)),
    Row("grades of twenty", classes: false, draw(395, 0...20)),
    Row("prices in tens", classes: false, repeating([10, 20, 30, 40, 50], 100)),
    Row("temperatures around zero", classes: false, repeating([-2, -1, 0, 1, 2], 100)),
    Row(
      "prices with fractions", classes: false, decided: false,
      words(["1.5", "2.25", "3.0", "4.75"], 40)),
    Row(
      "whole numbers beyond 2^53", classes: false, decided: false,
      words(["9007199254740993", "18014398509481984"], 40)),
  ]

  @Test("is read as a person reads it", arguments: rows)
  func reads(_ row: Row) throws {
    let lines = row.cells.enumerated().map { "\($0.offset % 7).5,\($0.element)" }
    let data = try TabularData(
      table: readTable("x,t\n" + lines.joined(separator: "\n")), target: "t")
    let isClasses = if case .classes = data.target { true } else { false }
    #expect(isClasses == row.isClasses)
    let readings = data.readings
    #expect(readings.count == (row.isDecided ? 1 : 0))
    guard let reading = readings.first else { return }
    #expect(reading.id == (isClasses ? "target-as-classes" : "target-as-numbers"))
    #expect(reading.names == ["t"])
    // The way to the other reading.
    #expect(reading.sentence.contains(isClasses ? "--model linear" : "--model softmax"))
  }

  @Test("there are forty of them, and the choice is the user's")
  func choice() throws {
    #expect(Self.rows.count == 40)
    for row in Self.rows where row.isDecided {
      let lines = row.cells.enumerated().map { "\($0.offset % 7).5,\($0.element)" }
      let table = try readTable("x,t\n" + lines.joined(separator: "\n"))
      let numbers = try TabularData(table: table, target: "t", targetKind: .numeric)
      #expect(numbers.readings.isEmpty)
      guard case .numeric(_, let values) = numbers.target else {
        Issue.record("\(row.name) should be numbers")
        continue
      }
      #expect(values == row.cells.map { Double($0)! })
    }
  }

  @Test("a network names the loss that chooses")
  func network() throws {
    let table = try readTable("x,t\n" + (0..<20).map { "\($0),\($0 % 2)\n" }.joined())
    let data = try TabularData(table: table, target: "t", choices: .loss)
    #expect(data.readings.first?.sentence.contains("--loss half-squared-error fits") == true)
  }

  @Test("percentages, money and dates in a target are said to be classes")
  func quantities() throws {
    for (words, isSaid) in [
      (["5%", "6.5 %", "7%"], true), (["$1,200", "$900", "$30"], true),
      (["2020-01-01", "2020-01-02", "2021-03-04"], true), (["a1", "a2", "b"], false),
      (["5%", "6%", "high"], false), (["true", "false", "true"], false),
    ] {
      let rows = (0..<12).map { "\($0 * $0 % 7).5,\"\(words[$0 % 3])\"" }.joined(separator: "\n")
      let data = try TabularData(table: readTable("x,t\n\(rows)\n"), target: "t")
      #expect(data.readings.map(\.id) == (isSaid ? ["quantities-as-classes"] : []), "\(words)")
    }
  }
}
