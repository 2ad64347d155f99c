import Foundation
import ProgramRuns
import Testing

@Suite struct ProgramTests {
  @Test func `lab bowls as JSON alone`() throws {
    let outcome = try BuiltProgram.run(["lab", "bowls", "--json", "-"])
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    let object =
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let rows = object?["rows"] as? [[String: Any]] ?? []
    let published = [2, 15, 40, 82, 169, 445, 923, 1913, 5009, 10363, 115131]
    #expect(rows.compactMap { $0["iterations"] as? Int } == published)
    #expect(rows.compactMap { $0["closedForm"] as? Int } == published)
    #expect((object?["contraction"] as? [Any])?.count == 5)
  }

  @Test func `lab bowls as text, without colours in a pipe`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("bowls.json")
    let outcome = try BuiltProgram.run(["lab", "bowls", "--json", path])
    #expect(outcome.status == 0 && outcome.output.contains("115,131"))
    #expect(!outcome.output.contains("\u{1B}") && outcome.errors.isEmpty)
    #expect(folder.contents == ["bowls.json"])
  }

  @Test func `labs are listed, and a wrong one is named`() throws {
    let list = try BuiltProgram.run(["lab"])
    #expect(list.status == 0 && list.output.hasPrefix("bowls: "))
    let wrong = try BuiltProgram.run(["lab", "cups"])
    #expect(wrong.status == 64 && wrong.errors.contains("'cups'") && wrong.errors.contains("bowls"))
    let nameless = try BuiltProgram.run(["lab", "--json", "-"])
    #expect(nameless.status == 64)
    let unwritable = try BuiltProgram.run(["lab", "bowls", "--json", "/no/such/x.json"])
    #expect(unwritable.status == 73 && unwritable.errors.contains("/no/such/x.json"))
  }

  @Test func `doctor names a broken library`() throws {
    let folder = try TemporaryFolder()
    let broken = try folder.write("not a library", to: "libonnxruntime.so")
    let outcome = try BuiltProgram.run(["doctor"], environment: ["ORT_DYLIB_PATH": broken])
    #expect(outcome.status == 69 && outcome.output.contains(broken))
    #expect(outcome.output.contains("FAIL  onnxruntime"))
    #expect(outcome.output.contains("ok    linear algebra"))
    #expect(outcome.output.contains("82 and 445"))
    let json = try BuiltProgram.run(
      ["doctor", "--json", "-"], environment: ["ORT_DYLIB_PATH": broken])
    let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    #expect(object?["schema"] as? String == "eigenstep.doctor/1")
  }

  @Test func `an unknown command is refused`() throws {
    let outcome = try BuiltProgram.run(["cure"])
    #expect(outcome.status == 64 && !outcome.errors.isEmpty)
  }
}
