import Foundation
import Labs
import ProgramRuns
import Testing
import EigenstepCommand

@Suite struct LabCommandTests {
  @Test func `a lab takes numbers, a seed and a setting`() throws {
    let outcome = try BuiltProgram.run([
      "lab", "bowls", "--set", "largest=10", "--set", "tolerance=1e-3", "--seed", "5", "--small",
      "--json", "-",
    ])
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    #expect(object?["tolerance"] as? Double == 1e-3)
    #expect((object?["rows"] as? [Any])?.count == 4)
    #expect(object?["seed"] as? Int == 5 && object?["setting"] as? String == "small")
    #expect(object?["parameters"] as? [String: Double] == ["tolerance": 1e-3, "largest": 10])
  }

  static let refusals: [([String], String)] = [
    (["bowls", "--set", "width=1"], "has no parameter 'width'; it has tolerance and largest"),
    (["bowls", "--set", "largest=1e9"], "is a number from 1 to 10,000, not 1e9"),
    (["bowls", "--set", "largest"], "such as tolerance=1e-4, not 'largest'"),
    (["bowls", "--set", "=3"], "not '=3'"),
    (["bowls", "--set", "largest=ten"], "not 'largest=ten'"),
    (["bowls", "--set", "largest=nan"], "not 'largest=nan'"),
    (["bowls", "--seed", "-1"], "--seed"),
    (["--set", "largest=1"], "--set needs the name of a lab: bowls"),
    (["--small"], "--small needs the name"), (["bowl"], "choose one of bowls"),
  ]

  @Test(arguments: refusals)
  func `what a lab does not take is named`(options: [String], words: String) throws {
    let outcome = try BuiltProgram.run(["lab"] + options)
    #expect(outcome.status == 64 && outcome.output.isEmpty)
    #expect(outcome.errors.contains(words), "\(outcome.errors)")
  }

  @Test func `a check that fails ends the program with 1`() {
    func exit(_ measured: Double) -> ProgramExit {
      ProgramExit(
        LabOutcome(
          schema: "", checks: [LabCheck("", predicted: 1, measured: measured, row: nil)],
          sections: [], values: [String: Int]()))
    }
    #expect(exit(1) == .done && exit(2) == .checkFailed)
    #expect(ProgramExit.checkFailed.rawValue == 1)
  }
}
