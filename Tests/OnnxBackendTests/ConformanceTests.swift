import Foundation
import Testing

@testable import OnnxBackend

/// The single-operator cases that the onnx package generates; `Scripts/bootstrap.sh` fetches them.
@Suite(.enabled(if: ConformanceCase.version != nil, "no cases in .eigenstep/conformance"))
struct ConformanceTests {
  @Test(arguments: ConformanceCase.all)
  func agrees(_ conformanceCase: ConformanceCase) {
    let outcome = conformanceCase.outcome
    #expect(
      outcome.failures.isEmpty,
      "\(conformanceCase.name) (\(outcome.operation)): \(outcome.failures.joined(separator: "; "))")
  }

  @Test func enoughCasesPass() {
    let passed = ConformanceCase.all.filter {
      $0.outcome.failures.isEmpty && $0.outcome.skipped == nil
    }
    #expect(passed.count >= 800)
  }

  /// With EIGENSTEP_WRITE_TABLES set, writes docs/operators.md instead.
  @Test func tableIsCurrent() throws {
    let file = ConformanceCase.root.appendingPathComponent("docs/operators.md")
    let table = ConformanceTable(ConformanceCase.all).text
    if ProcessInfo.processInfo.environment["EIGENSTEP_WRITE_TABLES"] != nil {
      try table.write(to: file, atomically: true, encoding: .utf8)
      return
    }
    let committed = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    guard committed.contains("onnx \(ConformanceCase.version ?? "")") else { return }
    #expect(
      committed == table,
      "docs/operators.md is out of date: EIGENSTEP_WRITE_TABLES=1 swift test --filter Conformance")
  }
}
