import CEigenstep
import EigenstepC
import Foundation
import Testing

@Suite struct MonitorCallTests {
  private func opened(_ settings: String = "{}") throws -> OpaquePointer {
    var monitor: OpaquePointer?
    #expect(Outcome(eigenstepMonitorOpen(settings, &monitor)).status == 0)
    return try #require(monitor)
  }

  @Test func `without a monitor every call is refused`() {
    for outcome in [
      Outcome(eigenstepMonitorOpen("{}", nil)), Outcome(eigenstepMonitorAlarm(nil)),
      Outcome(eigenstepMonitorCheck(nil, nil, 0, 1, nil, 0, nil)),
      Outcome(eigenstepMonitorReport(nil, nil)), Outcome(eigenstepMonitorState(nil)),
      Outcome(eigenstepMonitorRestore(nil, "{}")),
    ] {
      #expect(outcome.status == Int32(EIGENSTEP_USAGE) && outcome.json == nil)
      #expect(outcome.error?.contains("There is no ") == true)
    }
    var steps: Int64 = 0
    #expect(eigenstepMonitorStep(nil, 1, 1, 1) == -1 && eigenstepMonitorWait(nil) == -1)
    #expect(eigenstepMonitorKeep(nil, &steps, 1) == -1)
    eigenstepMonitorClose(nil)
  }

  @Test func `losses and steps that are not there are refused`() throws {
    let monitor = try opened(#"{"guard": "lower-rate"}"#)
    defer { eigenstepMonitorClose(monitor) }
    #expect(eigenstepMonitorStep(monitor, 1, 1, 1) >= 0)
    for count: Int32 in [1, .max] {
      let outcome = Outcome(eigenstepMonitorCheck(monitor, nil, count, 1, nil, 0, nil))
      #expect(outcome.status == Int32(EIGENSTEP_USAGE))
      #expect(outcome.error?.contains("no loss is given") == true)
    }
    #expect(eigenstepMonitorKeep(monitor, nil, 8) == -1)
    var steps = [Int64](repeating: 0, count: 8)
    #expect(eigenstepMonitorKeep(monitor, &steps, 8) == 1 && steps[0] == 1)
  }

  /// The state of a monitor after some steps, and what another says of it once it was changed.
  private func restored(
    _ change: (inout [String: Any]) -> Void
  ) throws -> (outcome: Outcome, goesOn: Bool) {
    let first = try opened()
    defer { eigenstepMonitorClose(first) }
    for step in 0..<30 { _ = eigenstepMonitorStep(first, 1 / Double(1 + step), 0.1, 0.1) }
    let json = try #require(Outcome(eigenstepMonitorState(first)).json)
    var state = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    change(&state)
    let text = String(decoding: try JSONSerialization.data(withJSONObject: state), as: UTF8.self)
    let second = try opened()
    defer { eigenstepMonitorClose(second) }
    let outcome = Outcome(eigenstepMonitorRestore(second, text))
    let news = (0..<60).map { step in
      defer { _ = eigenstepMonitorWait(second) }
      return eigenstepMonitorStep(second, 1 + Double(step), 0.1, 0.1)
    }
    return (outcome, news.allSatisfy { $0 >= 0 } && eigenstepMonitorWait(second) >= 1)
  }

  @Test func `a state goes on, and one that is none is refused`() throws {
    let whole = try restored { _ in }
    #expect(whole.outcome.status == 0 && whole.goesOn)
    #expect(whole.outcome.value("steps") as? Int == 30)
    let changes: [(inout [String: Any]) -> Void] = [
      { $0["guardian"] = [1.0] }, { $0["guardian"] = [String](repeating: "nan", count: 60) },
      { $0["guardian"] = [Double](repeating: 1e300, count: 60) },
      { $0["guardian"] = Array(($0["guardian"] as! [Any]).prefix(5)) },
      { $0["guardian"] = ($0["guardian"] as! [Any]).enumerated().map { $0 == 4 ? 0.5 : $1 } },
      { $0["guardian"] = [Double]() }, { $0["stepCount"] = -5 }, { $0["stepCount"] = Int.max },
      { $0["rateFactor"] = 0 }, { $0["memories"] = [Double]() }, { $0["history"] = [:] },
    ]
    for (number, change) in changes.enumerated() {
      let found = try restored(change)
      #expect(found.outcome.status == Int32(EIGENSTEP_USAGE), "change \(number)")
      #expect(found.outcome.error?.contains("make the monitor as it was") == true)
      #expect(found.goesOn, "change \(number)")
    }
  }
}
