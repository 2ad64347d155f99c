import Diagnosis
import Foundation
import TensorPrograms
import Testing

/// Over seeded tables, networks and factorisations, and rates from 0.1 to 3 times the limit, no sentence of
/// the final report contradicts its own trials.
///
/// `EIGENSTEP_SENTENCES=200` checks that many, and `EIGENSTEP_PROGRAM=PATH` those of a built program, of any
/// version: `Scripts/sentences.sh` does both.
@Suite struct SentenceTests {
  private static let standard = 40
  private static let lanes = 2

  private static func setting(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name]
  }

  @Test(arguments: 0..<lanes)
  func noSentenceContradictsItsTrials(lane: Int) throws {
    let count = Self.setting("EIGENSTEP_SENTENCES").flatMap { Int($0) } ?? Self.standard
    let program = Self.setting("EIGENSTEP_PROGRAM")
    var verdicts: [String: Int] = [:]
    for index in stride(from: lane, to: count, by: Self.lanes) {
      let seeded = SeededProblem(index)
      // Without a number of steps, runs are cut that can no longer win.
      let steps = index % 7 < 3 ? nil : 150 + 350 * (index % 3)
      guard
        let json = try program.map({ try seeded.json(program: $0, maxIterations: steps) })
          ?? seeded.json(ReferenceExecutor(), maxIterations: steps)
      else { continue }
      let check = try SentenceCheck(json: json)
      verdicts[check.report.learningRate.verdict ?? "none", default: 0] += 1
      for fault in check.faults { Issue.record("\(seeded.summary): \(fault)") }
    }
    if Self.setting("EIGENSTEP_SENTENCES") != nil {
      print("lane \(lane):", verdicts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })
    } else {
      // Something was there to contradict.
      #expect(verdicts.keys.count >= 4, "\(verdicts)")
    }
  }

  /// A report of which one sentence, or one trial, is another is found out.
  @Test func aContradictionIsFound() throws {
    let json = try #require(
      try SeededProblem(3).json(ReferenceExecutor(), maxIterations: 150))
    func faults(_ change: (inout [String: Any]) -> Void) throws -> [String] {
      var report = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
      change(&report)
      return try SentenceCheck(json: JSONSerialization.data(withJSONObject: report)).faults
    }
    func item(_ id: String, _ report: inout [String: Any], _ change: (inout [String: Any]) -> Void)
    {
      var items = report["prescriptions"] as! [[String: Any]]
      let index = items.firstIndex { $0["id"] as? String == id }!
      var measured = items[index]["measured"] as! [String: Any]
      change(&measured)
      items[index]["measured"] = measured
      report["prescriptions"] = items
    }
    func say(_ sentence: String, _ report: inout [String: Any]) {
      report["findings"] = [["id": "made-up", "sentence": sentence]]
    }
    #expect(try faults { _ in }.isEmpty)
    let given = try SentenceCheck(json: json).report.learningRate.given!
    for id in ["as-given", "safe-rate"] {
      // Every trial turned to its opposite is noticed where a sentence speaks of it.
      let found = try faults { report in
        item(id, &report) {
          $0["diverged"] = true
          $0["reached"] = false
          $0["iterations"] = NSNull()
        }
        say("It is too small, and a rate 1e3 times larger is safe.", &report)
      }
      #expect(found.contains { $0.contains("is safe") }, "\(id): \(found)")
    }
    #expect(
      try faults { report in
        item("as-given", &report) {
          $0["reached"] = true
          $0["diverged"] = false
          $0["iterations"] = 1021
        }
        say("It would take 515 steps to reach the tolerance.", &report)
      }.contains { $0.contains("says otherwise") })
    #expect(
      try faults { report in
        item("as-given", &report) {
          $0["diverged"] = false
          $0["reached"] = true
        }
        say("The learning rate \(given) is too large, so training is unstable.", &report)
      }.contains { $0.contains("run fell") })
  }
}
