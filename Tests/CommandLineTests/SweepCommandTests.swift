import Foundation
import ProgramRuns
import Testing

/// `eigenstep sweep`, through the built program.
@Suite struct SweepCommandTests {
  static let table = SpectrumCommandTests.table

  static let refusals: [SpectrumCommandTests.Row] = [
    .init(options: [], status: 64, word: "--lr"),
    .init(options: ["--lr", "0.1"], status: 64, word: "1e-4:10:64"),
    .init(options: ["--lr", "1:0.1:4"], status: 64, word: "0.1"),
    .init(options: ["--lr", "0:1:4"], status: 64, word: "--lr"),
    .init(options: ["--lr", "0.1:1:1"], status: 64, word: "count"),
    .init(options: ["--lr", "0.1:1:3", "--at", "5"], status: 64, word: "--at"),
    .init(options: ["--lr", "0.1:1:3", "--seeds", "0"], status: 64, word: "--seeds"),
    .init(options: ["--lr", "0.1:1:3", "--seeds", "2"], status: 64, word: "same"),
    .init(options: ["--lr", "0.1:1:3", "--batch", "9"], status: 64, word: "9"),
    .init(options: ["--lr", "0.1:1:3", "--schedule", "wave"], status: 64, word: "constant"),
    .init(
      options: ["--lr", "0.1:1:3", "--schedule", "cosin"], status: 64, word: "did you mean cosine?"),
    .init(
      options: ["--lr", "0.1:1:3", "--schedule", "cosine:ende=0.1"], status: 64,
      word: "has no 'ende'"),
    .init(
      options: ["--lr", "0.1:1:3", "--schedule", "cosine:end=0.1,end=0.2"], status: 64,
      word: "twice"),
    .init(
      options: ["--lr", "0.1:1:3", "--schedule", "sgdr:length=1e-30"], status: 64,
      word: "less than one step"),
    .init(
      options: ["--lr", "0.1:1:3", "--steps", "3", "--epochs", "2"], status: 64, word: "epochs"),
    .init(options: ["--lr", "0.1:1:3", "--at", "5"], status: 64, word: "no option of a sweep"),
    .init(options: ["--lr", "0.1:1:3", "--momentum", "0.9"], status: 64, word: "momentum"),
    .init(
      options: ["--lr", "0.1:1:3", "--optimizer", "adam:beta1=0.5", "--beta1", "0.8"], status: 64,
      word: "give one of the two"),
    .init(
      options: ["--lr", "0.1:1:3", "--sampling", "replacement"], status: 64, word: "needs --batch"),
    .init(
      options: ["--lr", "0.1:1:3", "--batch", "9223372036854775807"], status: 64,
      word: "give at most 4"),
  ]

  @Test(arguments: refusals)
  func `is refused in one sentence`(row: SpectrumCommandTests.Row) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.table, to: "t.csv")
    let outcome = try BuiltProgram.run(
      ["sweep", path, "--target", "y", "--executor", "reference"] + row.options)
    #expect(outcome.status == row.status, "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("Error: ") && outcome.errors.contains(row.word))
  }

  @Test func `a table of many rates is bounded, and tells neighbours apart`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.table, to: "t.csv")
    let outcome = try BuiltProgram.run([
      "sweep", path, "--target", "y", "--executor", "reference", "--lr", "0.1:0.1001:500",
      "--steps", "3",
    ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    let rates = lines.compactMap { line -> Substring? in
      let words = line.split(separator: " ")
      return words.count >= 4 && words[0].hasPrefix("0.1") && Double(words[1]) != nil
        ? words[0] : nil
    }
    #expect((60...70).contains(rates.count) && Set(rates).count == rates.count)
    #expect(outcome.output.contains("of the 500 rates are shown"))
  }

  @Test func `draws, names a rate, and can be run again`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.table, to: "t.csv")
    let outcome = try BuiltProgram.run([
      "sweep", path, "--target", "y", "--executor", "reference", "--lr", "0.001:10:9", "--batch",
      "2",
      "--seeds", "3", "--range-test", "--auto", "--json", folder.path("r.json"),
    ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    for word in ["Use 0.", "Loss against rate", "learning rate, logarithmic", "runs diverge from"] {
      #expect(outcome.output.contains(word), "\(word)")
    }
    let text = try String(contentsOfFile: folder.path("r.json"), encoding: .utf8)
    let report = try #require(
      JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(report["schema"] as? String == "eigenstep.sweep/1")
    #expect((report["rates"] as? [Any])?.count == 9)
    let again = try BuiltProgram.run(["run", folder.path("r.json"), "--json", "-"])
    #expect(again.status == 0 && again.output == text)
  }
}
