import Foundation
import Testing

import TensorFiles

/// A file that is removed when the test ends.
final class ScratchFile {
  let path: String

  init(_ bytes: some Sequence<UInt8>) throws {
    path = NSTemporaryDirectory() + "eigenstep-\(UUID().uuidString).csv"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  convenience init(_ text: String) throws { try self.init(text.utf8) }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

func readTable(_ text: String) throws -> Table {
  let file = try ScratchFile(text)
  return try Table(contentsOfCSV: file.path)
}

func numbers(_ values: Double?...) -> Column.Cells { .numeric(Column.Numbers(values)) }
func words(_ values: String?...) -> Column.Cells { .text(Column.Words(values)) }

@Suite("CSV tables")
struct TableTests {
  struct Reading: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let columns: [String: Column.Cells]
    var testDescription: String { name }
  }

  static let readings = [
    Reading(
      name: "comma", text: "a,b\n1,2\n3,4\n", columns: ["a": numbers(1, 3), "b": numbers(2, 4)]),
    Reading(
      name: "semicolon", text: "a;\"b,c\"\n1;2\n", columns: ["a": numbers(1), "b,c": numbers(2)]),
    Reading(name: "tab", text: "a\tb\n1\t2\n", columns: ["a": numbers(1), "b": numbers(2)]),
    Reading(name: "one column", text: "a\n1\n2\n", columns: ["a": numbers(1, 2)]),
    Reading(
      name: "no last newline", text: "a,b\n1,2", columns: ["a": numbers(1), "b": numbers(2)]),
    Reading(
      name: "empty last field, no last newline", text: "a,b\n1,2\n1,",
      columns: ["a": numbers(1, 1), "b": numbers(2, nil)]),
    Reading(
      name: "CR LF", text: "a,b\r\n1,x\r\n2,y\r\n",
      columns: ["a": numbers(1, 2), "b": words("x", "y")]),
    Reading(name: "byte order mark", text: "\u{FEFF}a,b\n1,2\n", columns: ["a": numbers(1)]),
    Reading(
      name: "quoted", text: "\"a, first\",b\n1,\"x \"\"y\"\", z\"\n2,\"q\"\n",
      columns: ["a, first": numbers(1, 2), "b": words("x \"y\", z", "q")]),
    Reading(
      name: "newline in quotes", text: "a,b\n1,\"x\ny\"\n2,z\n",
      columns: ["a": numbers(1, 2), "b": words("x\ny", "z")]),
    Reading(
      name: "spaces around", text: " a , b\n 1 , x \n2,y\n",
      columns: ["a": numbers(1, 2), "b": words("x", "y")]),
    Reading(name: "blank lines", text: "\na,b\n\n1,2\n\n3,4\n\n", columns: ["a": numbers(1, 3)]),
    Reading(
      name: "missing values", text: "a,b\n,x\nNA,?\n?,y\nnan,z\nNaN,N/A\n1.5,w\n",
      columns: [
        "a": numbers(nil, nil, nil, nil, nil, 1.5), "b": words("x", nil, "y", "z", nil, "w"),
      ]),
    Reading(
      name: "the same name twice", text: "a,b,a\n1,2,3\n",
      columns: ["a": numbers(1), "b": numbers(2), "a.1": numbers(3)]),
    Reading(
      name: "no name", text: ",b,a.1,\n1,2,3,4\n",
      columns: ["Unnamed: 0": numbers(1), "Unnamed: 3": numbers(4)]),
    Reading(
      name: "numerals", text: "a\n-1\n+2\n.5\n1e3\n-2.5E-3\n1e308\n007\n",
      columns: ["a": numbers(-1, 2, 0.5, 1000, -0.0025, 1e308, 7)]),
    Reading(
      name: "no numerals", text: "a\n0x1F\n1_000\n12/05\n--\n",
      columns: ["a": words("0x1F", "1_000", "12/05", "--")]),
    Reading(
      name: "letters beyond ASCII", text: "größe,色\n1,é\n2,ö\n",
      columns: ["größe": numbers(1, 2), "色": words("é", "ö")]),
  ]

  @Test("reads", arguments: readings)
  func reads(_ reading: Reading) throws {
    let table = try readTable(reading.text)
    for (name, cells) in reading.columns {
      let column = try #require(table.columns.first { $0.name == name })
      #expect(column.cells == cells)
    }
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let line: Int?
    let says: [String]
    var testDescription: String { name }

    init(_ name: String, _ text: String, line: Int? = nil, says: String...) {
      self.init(name, bytes: Array(text.utf8), line: line, says: says)
    }

    init(_ name: String, bytes: [UInt8], line: Int? = nil, says: [String]) {
      (self.name, self.bytes, self.line, self.says) = (name, bytes, line, says)
    }
  }

  static let refusals = [
    Refusal("empty", "", says: "the file is empty"),
    Refusal("only blank lines", " \n\n", says: "the file is empty"),
    Refusal("header only", "a,b\n", says: "a header but no rows"),
    Refusal(
      "too few fields", "a,b,c\n1,2,3\n1,2\n1,2,3\n", line: 3,
      says: "the row has 2 fields", "the header has 3 fields"),
    Refusal("too many fields", "a,b\n1,2\n\n3,4,5\n", line: 4, says: "3 fields", "quoting"),
    Refusal(
      "ragged after a quoted newline", "a,b\n1,\"x\n\ny\"\n1\n", line: 5,
      says: "the row has 1 field,"),
    Refusal("quote left open", "a,b\n1,2\n3,\"4\n5,6\n", line: 3, says: "never closed"),
    Refusal("text after a quote", "a,b\n1,\"x\"y\n", line: 2, says: "closing quote"),
    Refusal(
      "one field too many in every row, without being row names", "a,b\n1,2,3\n5,6,7\n", line: 2,
      says: "3 fields", "2 fields"),
    Refusal("no header", "1,2\n3,4\n", line: 1, says: "add a header line"),
    Refusal("NUL bytes", bytes: [0x61, 0, 0x62, 0x0A, 0x31], says: ["not UTF-8 text"]),
    Refusal("invalid UTF-8", bytes: [0x61, 0x0A, 0xC3, 0x28, 0x0A], says: ["not UTF-8 text"]),
    Refusal("UTF-16", bytes: [0xFF, 0xFE, 0x61, 0, 0x0A, 0], says: ["UTF-16"]),
    Refusal("spreadsheet", bytes: [0x50, 0x4B, 3, 4, 0x0A, 0], says: ["spreadsheet"]),
    Refusal(
      "random bytes", bytes: (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) },
      says: ["not UTF-8 text"]),
  ]

  @Test("refuses", arguments: refusals)
  func refuses(_ refusal: Refusal) throws {
    let file = try ScratchFile(refusal.bytes)
    let error = try #require(throws: TableError.self) { try Table(contentsOfCSV: file.path) }
    #expect(error.path == file.path)
    #expect(error.line == refusal.line)
    #expect(error.description.hasPrefix(file.path))
    for words in refusal.says { #expect(error.description.contains(words)) }
  }

  @Test("no such file, and a folder")
  func absent() throws {
    let absent = try #require(throws: TableError.self) {
      try Table(contentsOfCSV: "/nowhere/at all.csv")
    }
    #expect(absent.description == "/nowhere/at all.csv: there is no such file; check the path.")
    let folder = try #require(throws: TableError.self) {
      try Table(contentsOfCSV: NSTemporaryDirectory())
    }
    #expect(folder.description.contains("this is a folder"))
  }

  @Test("a table of 10,000 rows and 20 columns", .timeLimit(.minutes(1)))
  func large() throws {
    var text = (0..<20).map { "c\($0)" }.joined(separator: ",") + "\n"
    var state: UInt64 = 1
    for _ in 0..<10_000 {
      for column in 0..<20 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += column == 0 ? "" : ","
        text += "\(Double(Int(state >> 40)) / 1000)"
      }
      text += "\n"
    }
    let file = try ScratchFile(text)
    let table = try Table(contentsOfCSV: file.path)
    #expect(table.rowCount == 10_000 && table.columns.count == 20)
  }
}
