import Foundation
import ProgramRuns
import Testing

/// `eigenstep spectrum`, through the built program.
@Suite struct SpectrumCommandTests {
  static let table = "a,b,y\n1,2,0.5\n2,1,1.5\n4,3,2.5\n3,1,0.25\n"

  struct Row: Sendable, CustomTestStringConvertible {
    let options: [String]
    let status: Int32
    /// What the sentence must name.
    let word: String
    var testDescription: String { options.joined(separator: " ") }
  }

  static let refusals: [Row] = [
    Row(options: ["--count", "0"], status: 64, word: "--count"),
    Row(options: ["--count", "4"], status: 64, word: "4"),
    Row(options: ["--which", "middle"], status: 64, word: "smallest"),
    Row(options: ["--operator", "jacobian"], status: 64, word: "gauss-newton"),
    Row(options: ["--precondition", "newton"], status: 64, word: "features"),
    Row(options: ["--precondition", "adam"], status: 64, word: "--at"),
    Row(options: ["--precondition", "adam:/no/such.npy"], status: 66, word: "/no/such.npy"),
    Row(options: ["--parameters", "gain"], status: 64, word: "weights"),
    Row(options: ["--tolerance", "0"], status: 64, word: "--tolerance"),
    Row(options: ["--density", "--error", "2"], status: 64, word: "--error"),
    Row(options: ["--diagonal", "/no/such/folder/d.npy"], status: 73, word: "d.npy"),
    Row(options: ["--json", "/no/such/folder/r.json"], status: 73, word: "r.json"),
  ]

  @Test(arguments: refusals)
  func `is refused in one sentence`(row: Row) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.table, to: "t.csv")
    let outcome = try BuiltProgram.run(
      ["spectrum", path, "--target", "y", "--executor", "reference"] + row.options)
    #expect(outcome.status == row.status, "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("Error: ") && outcome.errors.contains(row.word))
    #expect(Set(folder.contents) == ["t.csv"])
  }

  @Test func `no file`() throws {
    let outcome = try BuiltProgram.run(["spectrum", "/no/such.csv", "--target", "y"])
    #expect(outcome.status == 66 && outcome.errors.contains("/no/such.csv"))
  }

  @Test func `JSON alone, the diagonal in a file`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.table, to: "t.csv")
    let arguments = [
      "spectrum", path, "--target", "y", "--executor", "reference", "--count", "3", "--trace",
      "--density", "--per-layer", "--diagonal", folder.path("d.npy"), "--json", "-",
    ]
    let outcome = try BuiltProgram.run(arguments)
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    let report = try #require(
      JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(report["schema"] as? String == "eigenstep.spectrum/1")
    let pairs = try #require(report["largest"] as? [[String: Any]])
    let trace = try #require((report["trace"] as? [String: Any])?["value"] as? Double)
    #expect(pairs.count == 3)
    let sum = pairs.compactMap { $0["value"] as? Double }.reduce(0, +)
    // Means of squares: (1+4+16+9)/4 + (4+1+9+1)/4 + 1.
    #expect(abs(trace - 12.25) < 1e-12 && abs(sum - 12.25) < 1e-12)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path("d.npy")))
    #expect(bytes.prefix(6) == Data([0x93] + Array("NUMPY".utf8)) && bytes.count == 128 + 24)
    #expect(try BuiltProgram.run(arguments).output == outcome.output)
  }

  @Test func `text reads as recorded`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.table, to: "t.csv")
    let outcome = try BuiltProgram.run(
      [
        "spectrum", path, "--target", "y", "--executor", "reference", "--count", "3", "--trace",
        "--density", "--per-layer",
      ])
    #expect(outcome.status == 0)
    try expectSnapshot(outcome.output, named: "spectrum.txt")
  }
}
