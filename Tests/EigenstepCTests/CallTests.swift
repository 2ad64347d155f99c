import CEigenstep
import Dispatch
import EigenstepC
import Foundation
import Testing

@Suite struct CallTests {
  @Test func `the library says its version and its interface`() {
    #expect(String(cString: eigenstepVersion()).split(separator: ".").count == 3)
    #expect(eigenstepABI() == EIGENSTEP_ABI)
  }

  @Test func `an operator's eigenvalues come with their vectors`() throws {
    let outcome = Bowl([3, 1, 7, 2]).measure(Request.measuring("eigenpairs"))
    #expect(outcome.status == 0 && outcome.error == nil)
    let largest = try #require(outcome.value("largest", "0", "value") as? Double)
    #expect(abs(largest - 7) < 1e-6)
    #expect(outcome.vectors.count == 4 && abs(abs(outcome.vectors[2]) - 1) < 1e-6)
  }

  @Test func `a loss of the caller's is diagnosed`() throws {
    let outcome = Bowl([3, 1, 7]).answer(Request.diagnosis)
    #expect(outcome.status == 0)
    let limit = try #require(outcome.value("learningRate", "stabilityLimit") as? Double)
    #expect(abs(limit - 2 / 7.0) < 1e-6)
  }

  @Test func `many threads get what one gets`() throws {
    let bowls: [[Double]] = (0..<8).map { seed in
      var scale: [Double] = []
      for index in 0..<30 { scale.append(Double(1 + (index * 7 + seed * 5) % 31)) }
      return scale
    }
    let outcomes: @Sendable ([Double]) -> [Outcome] = { scale in
      [
        Bowl(scale).measure(Request.measuring("eigenpairs", #", "count": 3"#)),
        Bowl(scale).answer(Request.diagnosis), Bowl(scale).answer(Request.spectrum),
        Bowl(scale, .fails, after: 2).measure(Request.measuring("trace")),
      ]
    }
    let alone = bowls.map(outcomes)
    #expect(alone.allSatisfy { $0[..<3].allSatisfy { $0.status == 0 } })
    nonisolated(unsafe) var together = [[Outcome]](repeating: [], count: bowls.count)
    let lock = NSLock()
    DispatchQueue.concurrentPerform(iterations: bowls.count) { number in
      let found = outcomes(bowls[number])
      lock.withLock { together[number] = found }
    }
    #expect(together == alone)
  }

  @Test func `results outlive each other in any order, and are read from several threads`() {
    let scales: [[Double]] = [[1, 2], [5, 3], [4, 9]]
    var results = scales.map { scale -> OpaquePointer in
      let bowl = Bowl(scale)
      var map = eigenstep_operator(
        context: Unmanaged.passUnretained(bowl).toOpaque(), dimension: 2,
        element: Int32(EIGENSTEP_FLOAT64), apply: { Bowl.of($0).multiply($1, into: $2) })
      return withExtendedLifetime(bowl) {
        eigenstepMeasure(Request.measuring("eigenpairs"), &map, nil, 0, nil)
      }
    }
    eigenstepResultFree(results.remove(at: 1))
    nonisolated(unsafe) let last = results[1]
    let lock = NSLock()
    nonisolated(unsafe) var texts: Set<String> = []
    DispatchQueue.concurrentPerform(iterations: 16) { number in
      let text = String(cString: eigenstepResultText(last, number.isMultiple(of: 2) ? 60 : 80)!)
      lock.withLock { _ = texts.insert(text) }
    }
    #expect(!texts.isEmpty && texts.allSatisfy { $0.contains("9") })
    // The same pointer each time: a caller may keep it until the result is freed.
    #expect(eigenstepResultText(last, 80) == eigenstepResultText(last, 80))
    results.forEach(eigenstepResultFree)
  }
}
