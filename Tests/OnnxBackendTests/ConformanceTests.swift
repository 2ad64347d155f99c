import Foundation
import Testing

@testable import OnnxBackend

/// The single-operator cases that the onnx package generates; `Scripts/bootstrap.sh` fetches them.
@Suite(.enabled(if: ConformanceCase.isFetched, "no cases in .eigenstep/conformance"))
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
  @Test(
    .enabled(
      if: ConformanceTable.isOfTheseCases, "docs/operators.md is of another version of onnx"))
  func tableIsCurrent() throws {
    let table = ConformanceTable(ConformanceCase.all).text
    if ConformanceTable.isWritten {
      try table.write(to: ConformanceTable.file, atomically: true, encoding: .utf8)
      return
    }
    let committed = try String(contentsOf: ConformanceTable.file, encoding: .utf8)
    #expect(
      committed == table,
      "docs/operators.md is out of date: EIGENSTEP_WRITE_TABLES=1 swift test --filter Conformance")
  }
}
