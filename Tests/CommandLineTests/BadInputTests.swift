import Foundation
import ProgramRuns
import Testing

/// Bad input, through the built program: one sentence on standard error, the exit code, and nothing
/// else anywhere.
@Suite struct BadInputTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let table: [UInt8]?
    var options: [String] = []
    var status: Int32 = 65
    /// What the sentence must name.
    let words: [String]

    var testDescription: String { name }

    init(
      _ name: String, _ table: String?, options: [String] = [], status: Int32 = 65,
      words: [String]
    ) {
      self.name = name
      self.table = table.map { Array($0.utf8) }
      self.options = options
      self.status = status
      self.words = words
    }

    init(_ name: String, bytes: [UInt8], words: [String]) {
      self.name = name
      table = bytes
      self.words = words
    }
  }

  static let good = "a,b,y\n1,2,0.5\n2,1,1.5\n4,3,2.5\n3,1,0.25\n"

  private static let refuse = ["--missing", "refuse"]

  static let rows: [Row] = [
    Row("no file", nil, status: 66, words: ["t.csv"]),
    Row("empty file", "", words: ["empty"]),
    Row("blank file", "\n \n\n", words: ["empty"]),
    Row("header only", "a,b,y\n", words: ["header"]),
    Row("no header", "1,2,3\n4,5,6\n", words: ["header"]),
    Row("a short row", "a,b,y\n1,2,3.5\n4,5\n", words: ["line 3", "2 fields", "3 fields"]),
    Row("a long row", "a,b,y\n1,2,3.5\n4,5,6,7\n", words: ["line 3", "4 fields"]),
    Row(
      "a text cell among numbers", "a,b,y\n1,2,3.5\n2,x7,4.5\n3,4,5.5\n5,1,2.5\n",
      options: refuse, words: ["line 3", "`b`", "`x7`"]),
    Row(
      "NaN", "a,b,y\n1,2,3.5\n2,nan,4.5\n3,4,5.5\n", options: refuse,
      words: ["line 3", "`b`", "--missing mean"]),
    Row(
      "an empty cell", "a,b,y\n1,2,3.5\n2,,4.5\n3,4,5.5\n", options: refuse,
      words: ["line 3", "`b`"]),
    Row(
      "infinity", "a,b,y\n1,2,3.5\n-inf,3,4.5\n3,4,5.5\n", options: refuse,
      words: ["line 3", "`a`", "`-inf`"]),
    Row(
      "too large to hold", "a,b,y\n1,2,3.5\n1e999,3,4.5\n3,4,5.5\n", options: refuse,
      words: ["line 3", "`a`"]),
    Row(
      "a missing target", "a,b,y\n1,2,3.5\n2,3,\n3,4,5.5\n", options: refuse,
      words: ["line 3", "`y`"]),
    Row(
      "no column without a gap", "a,y\n1,3.5\n,4.5\n3,5.5\n",
      words: ["1 of 3 rows", "`a`", "--missing mean", "--keep a"]),
    Row(
      "a column to keep and to drop", good, options: ["--keep", "a", "--drop", "a"],
      words: ["`a`", "--keep", "--drop"]),
    Row(
      "one logit for three classes", "a,y\n1,u\n2,v\n3,w\n4,u\n", options: ["--model", "logistic"],
      words: ["logistic", "'y'", "3 different values", "--model softmax"]),
    Row("binary", bytes: (0..<600).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ 128) }, words: []),
    Row(
      "a spreadsheet", bytes: [0x50, 0x4B, 3, 4] + .init(repeating: 7, count: 200), words: ["CSV"]),
    Row("UTF-16", bytes: [0xFF, 0xFE, 97, 0, 44, 0, 98, 0, 10, 0], words: ["UTF-8"]),
    Row("an open quote", "a,b,y\n1,\"2,3.5\n4,5,6.5\n", words: ["quote"]),
    Row("no such target", good, options: ["--target", "z"], words: ["`z`", "a, b, y"]),
    Row(
      "a target mistyped", "alpha,price\n1,2.5\n2,3.5\n", options: ["--target", "prise"],
      words: ["`prise`", "`price`"]),
    Row("no such feature", good, options: ["--features", "a,q"], words: ["`q`"]),
    Row("no such column to drop", good, options: ["--drop", "q"], words: ["`q`"]),
    Row("nothing left", good, options: ["--drop", "a,b"], words: ["feature"]),
    Row(
      "one class only", "a,b,y\n1,7,1\n2,3,1\n3,1,1\n", options: ["--model", "softmax"],
      words: ["`y`", "class"]),
    Row("one row", "a,b,y\n1,7,1.5\n", words: ["row"]),
    Row(
      "an identifier for a feature", "id,a,y\nr1,1,0.5\nr2,2,0.25\nr3,4,1.5\n",
      options: refuse, words: ["`id`", "--drop id"]),
    Row(
      "text to regress on", "a,y\n1,u\n2,v\n3,u\n", options: ["--model", "linear"],
      words: ["`y`", "softmax"]),
    Row(
      "huge values", "a,big,y\n1,1e300,1.5\n2,3e300,2.5\n4,2e300,3.25\n", words: ["'big'", "3e300"]),
    Row(
      "values too large for float32", "a,big,y\n1,1e30,1.5\n2,3e30,2.5\n4,2e30,3.25\n",
      options: ["--precision", "float32"], words: ["'big'", "float32"]),
    Row(
      "an unwritable JSON path", good, options: ["--json", "/no/such/folder/r.json"], status: 73,
      words: ["/no/such/folder/r.json"]),
    Row(
      "a model that does not fit the loss", good,
      options: ["--model", "linear", "--loss", "cross-entropy"], status: 64, words: ["softmax"]),
  ]

  @Test(arguments: rows)
  func `is refused in one sentence`(row: Row) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("t.csv")
    if let table = row.table { try Data(table).write(to: URL(fileURLWithPath: path)) }
    let target = row.options.contains("--target") ? [] : ["--target", "y"]
    let json = row.options.contains("--json") ? [] : ["--json", folder.path("r.json")]
    let outcome = try BuiltProgram.run(
      ["diagnose", path, "--executor", "reference"] + target + json + row.options)
    #expect(outcome.status == row.status, "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    let lines = outcome.errors.split(separator: "\n")
    // The option parser adds two lines of usage to its own complaints.
    #expect(row.status == 64 || lines.count == 1, "\(outcome.errors)")
    #expect(lines.first?.hasPrefix("Error: ") == true && lines.first?.last == ".")
    for word in row.words { #expect(lines.first?.contains(word) == true, "\(outcome.errors)") }
    #expect(Set(folder.contents).isSubset(of: ["t.csv"]))
  }

  /// A library that cannot be loaded ends the run, unless the interpreter was asked for.
  @Test(arguments: ["auto", "onnxruntime"])
  func `a corrupt library is named`(executor: String) throws {
    let folder = try TemporaryFolder()
    let library = try folder.write("not a library", to: "libonnxruntime.so")
    let table = try folder.write(Self.good, to: "t.csv")
    let outcome = try BuiltProgram.run(
      [
        "diagnose", table, "--target", "y", "--executor", executor, "--json", folder.path("r.json"),
      ],
      environment: ["ORT_DYLIB_PATH": library])
    #expect(outcome.status == 69 && outcome.output.isEmpty)
    #expect(outcome.errors.contains(library) && outcome.errors.split(separator: "\n").count == 1)
    #expect(Set(folder.contents) == ["libonnxruntime.so", "t.csv"])
    let reference = try BuiltProgram.run(
      ["diagnose", table, "--target", "y", "--executor", "reference", "--no-trials"],
      environment: ["ORT_DYLIB_PATH": library])
    #expect(reference.status == 0 && reference.errors.isEmpty)
  }

  @Test(.enabled(if: geteuid() != 0, "the superuser may read every file"))
  func `a file without read permission`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.good, to: "t.csv")
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: table)
    let outcome = try BuiltProgram.run(["diagnose", table, "--target", "y"])
    #expect(outcome.status == 66 && outcome.errors.contains("t.csv"))
  }
}
