import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

/// Means over samples that several parties hold.
@Suite struct ReductionTests {
  /// Adds up what two parties hand in, on threads of their own, and writes down the lengths.
  private final class Meeting: @unchecked Sendable {
    private let condition = NSCondition()
    private var waiting: [Double]?
    private var sum: [Double]?
    private(set) var lengths: [Int] = []

    func add(_ values: [Double]) -> [Double] {
      condition.lock()
      defer { condition.unlock() }
      while sum != nil { condition.wait() }
      guard let first = waiting else {
        waiting = values
        while sum == nil { condition.wait() }
        defer {
          sum = nil
          waiting = nil
          condition.broadcast()
        }
        return sum!
      }
      lengths.append(values.count)
      precondition(first.count == values.count, "the parties are not at the same sum")
      let total = zip(first, values).map { $0 + $1 }
      sum = total
      condition.broadcast()
      return total
    }
  }

  private struct Together: Reduction {
    let meeting: Meeting

    func sum<Scalar: LinearMapScalar>(
      _ values: UnsafeMutablePointer<Scalar>, _ count: Int
    ) throws {
      let total = meeting.add((0..<count).map { Double(values[$0]) })
      for index in 0..<count { values[index] = Scalar(total[index]) }
    }
  }

  /// What a party found.
  private final class Found: @unchecked Sendable {
    var numbers: [[Double]] = []
    var problem: String?
  }

  private func measure(_ objective: Objective<Double>, at point: [Double]) throws -> [[Double]] {
    let (value, gradient) = try objective.valueAndGradient(at: point)
    let map = try objective.hessian(at: point)
    let block = try objective.curvature(.gaussNewton, at: point, parameters: [1, 2])
    return [
      [try objective.value(at: point), value], gradient, try columns(map),
      try blockColumns(map), try columns(block),
    ]
  }

  /// Shares of 4 and 9 of 13 samples, each in micro-batches of its own.
  @Test(arguments: [nil, 2])
  func twoParties(_ batch: Int?) throws {
    let network = SmallNetwork(.crossEntropy, penalty: 0.1)
    let expected = try measure(network.objective(), at: network.point)
    let meeting = Meeting()
    let found = [Found(), Found()]
    let shares = [0..<4, 4..<13]
    let group = DispatchGroup()
    for party in 0..<2 {
      let (found, share) = (found[party], shares[party])
      group.enter()
      Thread.detachNewThread {
        do {
          let objective = try Objective<Double>(
            network.definition, data: network.data.map { $0.samples(share) },
            executor: ReferenceExecutor(), maxBatchSize: batch,
            reduction: Together(meeting: meeting))
          found.numbers = try self.measure(objective, at: network.point)
        } catch {
          found.problem = "\(error)"
        }
        group.leave()
      }
    }
    group.wait()
    for party in found {
      #expect(party.problem == nil)
      #expect(party.numbers.count == expected.count)
      for (mean, whole) in zip(party.numbers, expected) {
        #expect(relativeDistance(mean, whole) < 1e-12)
      }
    }
  }

  /// What is summed: the number of samples once, then with each mean its vector and its number.
  @Test func calls() throws {
    final class Log: @unchecked Sendable { var counts: [Int] = [] }
    struct Recording: Reduction {
      let log: Log
      func sum<Scalar: LinearMapScalar>(
        _ values: UnsafeMutablePointer<Scalar>, _ count: Int
      ) throws { log.counts.append(count) }
    }
    let network = SmallNetwork(.halfSquares)
    for size in [13, 3] {
      let log = Log()
      let objective = try Objective<Double>(
        network.definition, data: network.data, executor: ReferenceExecutor(), maxBatchSize: size,
        reduction: Recording(log: log))
      #expect(log.counts == [1])
      let alone = try network.objective(maxBatchSize: size).value(at: network.point)
      #expect(try objective.value(at: network.point) == alone)
      #expect(log.counts == [1, 1])
      _ = try objective.valueAndGradient(at: network.point)
      #expect(log.counts == [1, 1, 31, 1])
      let map = try objective.curvature(.hessian, at: network.point, parameters: [1])
      #expect(log.counts == [1, 1, 31, 1, 1])
      _ = try map([1, 0, 0, 0])
      #expect(log.counts == [1, 1, 31, 1, 1, 4, 1])
    }
  }

  @Test func aFailureEndsTheMean() throws {
    struct Lost: Error {}
    struct Broken: Reduction {
      func sum<Scalar: LinearMapScalar>(
        _ values: UnsafeMutablePointer<Scalar>, _ count: Int
      ) throws { if count > 1 { throw Lost() } }
    }
    let network = SmallNetwork(.halfSquares)
    let objective = try Objective<Double>(
      network.definition, data: network.data, executor: ReferenceExecutor(), reduction: Broken())
    #expect(throws: Lost.self) { try objective.valueAndGradient(at: network.point) }
    let map = try objective.hessian(at: network.point)
    #expect(throws: Lost.self) { try map(network.point) }
  }
}
