import Curvature
import Foundation
import Presentation
import Reports
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// A diagnosis that answers in stages: what is said early stays true, and is all there at the end.
@Suite struct StageTests {
  private static let style = TerminalStyle(colours: false)

  private func staged(
    _ table: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in },
    context: RunContext = RunContext()
  ) throws -> (early: [DiagnosisReport], final: DiagnosisReport) {
    var request = DiagnosisRequest()
    request.trials.maxIterations = 20
    change(&request)
    var early: [DiagnosisReport] = []
    let final = try diagnose(
      table, request: request, executor: ReferenceExecutor(), context: context
    ) { early.append($0) }
    return (early, final)
  }

  private func network(_ seed: UInt64 = 1) throws -> TabularProblem {
    var table = TestTable.classes(
      24, features: 3, count: 2, seed: seed, model: try ModelChoice("mlp:4"))
    table.seed = Int(seed)
    return table
  }

  @Test func `the parts printed early are the text that the whole report begins with`() throws {
    for areRun in [true, false] {
      let (early, final) = try staged(network()) {
        $0.training.rate = 0.1
        $0.trials.areRun = areRun
      }
      #expect(early.map(\.stage) == [.start, .sharpness, .curvature])
      #expect(final.stage == .complete && final.first != nil)
      var printed = ""
      var known: DiagnosisReport.Stage?
      for report in early {
        printed += report.terminalText(Self.style, after: known, upTo: report.stage!)
        known = report.stage
      }
      #expect(printed.contains("First  The sharpest curvature is"))
      #expect(printed.contains("trials follow") == areRun && !printed.contains("Why"))
      printed += final.terminalText(Self.style, after: known)
      #expect(printed == final.terminalText(Self.style))
      #expect(printed.contains("loss 0.") && printed.contains("gradient norm "))
    }
  }

  @Test func `the first word on a rate agrees with the last`() throws {
    for seed in 1...12 as ClosedRange<UInt64> {
      let table = try network(seed)
      let limit = try staged(table, { $0.trials.areRun = false }).final.learningRate
        .stabilityLimit!
      for share in [0.1, 0.9, 0.999_999, 1, 1.000_001, 1.1, 3] {
        let (_, final) = try staged(table) {
          $0.training.rate = share * limit
          $0.trials.areRun = false
        }
        let first = try #require(final.first)
        #expect(first.sharpness <= final.curvature.largest.upperBound! && first.given != nil)
        #expect(first.upperBound >= final.curvature.largest.value!)
        let isAbove = share * limit >= final.learningRate.stabilityLimit!
        if first.sentence.contains("times that") { #expect(isAbove, "\(seed) \(share)") }
        if first.sentence.contains(" of that.") { #expect(!isAbove, "\(seed) \(share)") }
        #expect(first.sentence.contains("times that") == (share > 1.05) || abs(share - 1) < 0.01)
      }
    }
  }

  /// Interrupted anywhere, a report says how far it got, and nothing that its own numbers deny.
  @Test func `an interruption leaves what was measured, and says which stage it got to`() throws {
    let table = try network()
    func stage(after polls: Int) throws -> DiagnosisReport.Stage? {
      let polls = Polls(polls)
      do {
        let (_, report) = try staged(
          table,
          {
            $0.training.optimizer = try! OptimizerSetting("adam")
            $0.training.rate = 0.01
            $0.training.steps = 2
            $0.trials.maxIterations = 50
          }, context: RunContext(isCancelled: { polls.next() }))
        let stage = try #require(report.stage)
        let back = try JSONDecoder().decode(
          DiagnosisReport.self, from: Data(report.json().utf8))
        #expect(back == report && back.stage == stage)
        if let largest = report.curvature.largest.value, largest > 0 {
          #expect(report.learningRate.note?.contains("no positive curvature") != true)
          #expect(report.advice.rate?.sentence.contains("no positive curvature") != true)
        }
        #expect(stage == .complete || report.findings.contains { $0.id == "interrupted" })
        #expect((stage == .trials) == (stage != .complete && report.advice.basis.isTried))
        #expect(!report.terminalText(Self.style).isEmpty)
        return stage
      } catch is CancellationError {
        return nil
      } catch let failure as DiagnosisFailure {
        #expect(failure.kind == .interrupted)
        return nil
      }
    }
    var seen: Set<DiagnosisReport.Stage> = []
    // Twice as late until it ends, then between the last that measured and the end.
    var (early, late) = (1, 1)
    while late < 1 << 20 {
      let reached = try stage(after: late)
      if reached == .complete { break }
      if let reached {
        seen.insert(reached)
        early = late
      }
      late *= 2
    }
    for _ in 0..<12 where !seen.contains(.trials) && late - early > 1 {
      let middle = (early + late) / 2
      let reached = try stage(after: middle)
      if reached == .complete { late = middle } else { early = middle }
      if let reached { seen.insert(reached) }
    }
    #expect(seen.isSuperset(of: [.curvature, .trials]))
  }

  @Test func `cut to some rows, a table says so first and is checked on all`() throws {
    let table = TestTable.classes(
      4000, features: 3, count: 2, seed: 3, model: try ModelChoice("mlp:4"))
    let (_, report) = try staged(table) {
      $0.resources.effort = 1e-3
      $0.trials.areRun = false
    }
    #expect(report.problem.samples < 4000)
    let reading = try #require(report.problem.readings?.first { $0.id == "some-samples" })
    #expect(reading.sentence.contains("of the 4,000 rows"))
    let all = try #require(report.curvature.largestOnAllSamples)
    #expect(all.samples == 4000)
    #expect(abs(all.value / report.curvature.largest.value! - 1) < 0.5)
    let text = report.terminalText(Self.style)
    #expect(text.range(of: "Read")!.lowerBound < text.range(of: "First")!.lowerBound)
  }

  @Test func `reports of earlier versions have no stage`() throws {
    let report = try staged(network()) { $0.trials.areRun = false }.final
    var object =
      try JSONSerialization.jsonObject(with: Data(report.json().utf8)) as! [String: Any]
    object["stage"] = nil
    object["first"] = nil
    let old = try JSONDecoder().decode(
      DiagnosisReport.self, from: JSONSerialization.data(withJSONObject: object))
    #expect(old.stage == nil && old.first == nil)
    #expect(!old.terminalText(Self.style).contains("First"))
  }
}

/// Counts how often it was asked whether to stop.
private final class Polls: @unchecked Sendable {
  // Unchecked: the count is only touched under the lock.
  private let lock = NSLock()
  private var left: Int

  init(_ limit: Int) { left = limit }

  func next() -> Bool {
    lock.withLock {
      left -= 1
      return left < 0
    }
  }
}
