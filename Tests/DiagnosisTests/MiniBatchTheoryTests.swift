import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Limits and floors of mini-batches where something beside plain descent and noise matters.
@Suite struct MiniBatchTheoryTests {
  private func report(
    _ table: TabularProblem, batch: Int, rate: Double?, _ sampling: Batches.Sampling? = nil,
    optimizer: (String, [String: Double]) = ("gd", [:]), trials: Bool = true, iterations: Int = 50
  ) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.training.batch = batch
    request.training.sampling = sampling
    request.training.rate = rate
    request.training.optimizer = try OptimizerSetting(optimizer.0, optimizer.1)
    request.trials.areRun = trials
    request.trials.maxIterations = iterations
    return try diagnose(table, request: request, executor: ReferenceExecutor())
  }

  private static let table = TestTable.linear(60, scales: [1, 0.6, 0.4], noise: 0.5, seed: 11)

  private func isNear(_ a: Double?, _ b: Double?, within share: Double) -> Bool {
    guard let a, let b else { return false }
    return abs(a - b) <= share * abs(b)
  }

  @Test("a shuffled batch of all samples is training on all: their limit, no floor, no noise")
  func wholeBatch() throws {
    let limit = try #require(
      report(Self.table, batch: 60, rate: nil, trials: false).miniBatches?.limit)
    let report = try report(Self.table, batch: 60, rate: 0.98 * limit)
    let batches = try #require(report.miniBatches)
    #expect(batches.isWhole && batches.limit == report.learningRate.stabilityLimit)
    #expect(batches.floor == nil && batches.run == nil && batches.binds != .noise)
    #expect(report.learningRate.verdict == .oscillating)
    #expect(!report.findings.contains { $0.id == "noise-floor" || $0.id == "batch-size" })
    let other = try self.report(Self.table, batch: 60, rate: 1.01 * limit)
    #expect(other.learningRate.verdict == .unstable)
    // With replacement there is noise in as many.
    let drawn = try self.report(Self.table, batch: 60, rate: 0.5 * limit, .replacement)
    #expect(drawn.miniBatches?.floor != nil && drawn.miniBatches!.limit! < limit)
  }

  @Test("one sample left over at a pass's end lowers the limit, and is named")
  func lastBatch() throws {
    let own = try report(Self.table, batch: 59, rate: nil, trials: false)
    let batches = try #require(own.miniBatches)
    let (limit, other) = (try #require(batches.limit), try #require(batches.limitWithoutLast))
    #expect(batches.passLimit == limit && batches.passLimitError == 0)
    #expect(limit < 0.95 * other && other <= batches.limitOnAll!)
    let half = try #require(report(Self.table, batch: 30, rate: nil, trials: false).miniBatches)
    #expect(half.limitWithoutLast == nil && half.limit! > limit)
    let report = try report(Self.table, batch: 59, rate: (limit * other).squareRoot())
    #expect(report.learningRate.verdict == .unstableInBatches)
    #expect(report.findings[0].sentence.contains("The last batch of a pass, of 1 sample, lowers"))
  }

  @Test("samples that agree at the minimum leave no floor")
  func noFloor() throws {
    let table = TestTable.linear(60, scales: [1, 0.6, 0.4], noise: 0, seed: 11)
    let batches = try #require(report(table, batch: 4, rate: 0.2).miniBatches)
    #expect(batches.floor == nil && batches.run == nil && batches.limit != nil)
    #expect(batches.note?.contains("agree") == true)
  }

  @Test(
    "Nesterov's momentum: the run comes to the floor of its form",
    arguments: [Batches.Sampling.shuffle, .replacement])
  func nesterov(_ sampling: Batches.Sampling) throws {
    let report = try report(
      Self.table, batch: 8, rate: 0.03, sampling, optimizer: ("nesterov", ["momentum": 0.8]))
    let batches = try #require(report.miniBatches)
    #expect(isNear(batches.run?.end, batches.run?.predictedEnd, within: 0.2))
    #expect(batches.limit! < batches.limitOnAll!)
  }

  @Test(
    "decoupled decay: limit, floor and binding, the floor beside its run", arguments: [0, 0.05])
  func decay(_ decay: Double) throws {
    let report = try report(
      Self.table, batch: 8, rate: 0.003, optimizer: ("adamw", ["weight-decay": decay]))
    let batches = try #require(report.miniBatches)
    #expect(batches.limit! < batches.limitOnAll! && batches.binds != nil)
    #expect(batches.conditionNumber.map { $0 > 1 && $0 < 100 } == true)
    #expect(isNear(batches.run?.end, batches.run?.predictedEnd, within: 0.35))
    let finding = try #require(report.findings.first { $0.id == "noise-floor" })
    #expect(finding.sentence.contains("weight decay") == (decay > 0))
    // Nothing is foretold of the directions of another curvature.
    #expect(report.directions.allSatisfy { $0.regime == nil })
  }

  @Test("decay of a logistic model's weights, on the bowl at the minimum that it leads to")
  func decayOfLogistic() throws {
    var table = TestTable.classes(120, features: 3, count: 2, spread: 3, seed: 4, model: .logistic)
    table.loss = .binary
    let report = try report(
      table, batch: 10, rate: 0.01, .replacement, optimizer: ("adamw", ["weight-decay": 0.5]))
    let run = try #require(report.miniBatches?.run)
    #expect(isNear(run.end, run.predictedEnd, within: 0.4))
  }

  @Test("classes that a plane separates: trials by their losses")
  func separable() throws {
    let table = TestTable.classes(60, features: 3, count: 2, spread: 0.05, seed: 4)
    let batches = try #require(report(table, batch: 10, rate: 0.1).miniBatches)
    #expect(batches.basis == .bowlHere && batches.floor == nil && batches.limit != nil)
    #expect(batches.trials.contains { $0.change == .asGiven && $0.measured != nil })
  }

  @Test("more noise than samples: no batch is larger than the data")
  func noiseBatch() throws {
    let table = TestTable.linear(60, scales: [0.05, 0.05], noise: 3, seed: 2)
    let batches = try #require(report(table, batch: 8, rate: nil, trials: false).miniBatches)
    #expect(batches.noiseScale! > batches.noiseBatch! && batches.noiseBatch! < 60)
    #expect(isNear(1 / batches.noiseBatch!, 1 / batches.noiseScale! + 1 / 60.0, within: 1e-12))
    #expect(batches.halfLimitBatch! < 60)
  }

  /// The bound is that of `mean (u'x)^4` along the sharpest direction `u`, found here by power iteration.
  @Test("too many directions for the whole recursion: a bound along the sharpest one")
  func bound() throws {
    let d = 160
    let table = TestTable.linear(
      200, scales: (0..<d).map { 1 / Double($0 + 1) }, noise: 0.5, seed: 3)
    let batches = try #require(report(table, batch: 4, rate: nil, trials: false).miniBatches)
    let rows = (0..<200).map { Array(table.features[$0 * d..<($0 + 1) * d]) + [1] }
    var u = [Double](repeating: 1, count: d + 1)
    for _ in 0..<2_000 {
      var next = [Double](repeating: 0, count: d + 1)
      for row in rows {
        let along = zip(row, u).reduce(0) { $0 + $1.0 * $1.1 }
        for j in 0...d { next[j] += along * row[j] }
      }
      let norm = next.reduce(0) { $0 + $1 * $1 }.squareRoot()
      u = next.map { $0 / norm }
    }
    let squares = rows.map { row -> Double in
      let along = zip(row, u).reduce(0) { $0 + $1.0 * $1.1 }
      return along * along
    }
    let mean = squares.reduce(0, +) / 200
    let variance = squares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 199
    let factor = 196.0 / (4 * 199)
    #expect(batches.limit == nil)
    #expect(
      isNear(batches.limitAtMost, 2 * mean / (mean * mean + factor * variance), within: 1e-5))
    #expect(batches.limitRemark(batches.limitOnAll!)?.contains("at most") == true)
  }

  @Test("a rate far above the limit: errors grow in most runs, and nothing speaks of rare bursts")
  func growth() throws {
    let known = try report(Self.table, batch: 1, rate: nil, .replacement, trials: false)
    let (limit, all) = (known.miniBatches!.limit!, known.miniBatches!.limitOnAll!)
    let far = try report(Self.table, batch: 1, rate: 0.97 * all, .replacement)
    let grown = try #require(far.miniBatches?.growth)
    #expect(grown.perStep > 3 * grown.error && far.miniBatches!.run!.ranAway)
    let words = far.findings[0].sentence + (far.advice.rate?.sentence ?? "")
    #expect(words.contains("in most runs the error grows") && !words.contains("rare bursts"))
    let near = try report(Self.table, batch: 1, rate: 1.02 * limit, .replacement)
    #expect(near.miniBatches!.growth!.perStep < 0)
    #expect(near.findings[0].sentence.contains("rare bursts"))
  }

  @Test(
    "what binds follows the runs: a rate whose runs came down to their floor is not called too small"
  )
  func binding() throws {
    let floor = try report(Self.table, batch: 10, rate: 0.2, iterations: 600)
    #expect(floor.miniBatches?.binds == .noise)
    let finding = try #require(floor.findings.first { $0.id == "batch-binding" })
    #expect(!finding.sentence.contains("in proportion"))
    // The floors beside it are those of half of the rate and twice the batch.
    let batches = try #require(floor.miniBatches)
    let others = try #require(batches.otherFloors)
    #expect(others.map(\.batch) == [10, 20] && others[0].rate == 0.1)
    #expect(others.allSatisfy { $0.end < batches.floor!.end })
    let slow = try report(Self.table, batch: 10, rate: 1e-4)
    #expect(slow.miniBatches?.binds == .rate)
    let half = try #require(slow.miniBatches?.trial(.halfOfLimit))
    #expect(half.isLower(than: slow.miniBatches!.trial(.asGiven)!))
  }

  @Test("trials carry a spread over orders, and one is lower only beyond it")
  func spread() throws {
    let batches = try #require(report(Self.table, batch: 6, rate: 0.1).miniBatches)
    for trial in batches.trials {
      #expect(trial.seeds! >= 2 && trial.error! > 0 && trial.diverged == false)
    }
    let own = try #require(batches.trial(.asGiven))
    #expect(abs(own.measured! - own.predicted!) < 4 * own.error! + 0.1 * own.predicted!)
    // Order by order, or where they had other orders by the spread.
    var other = own
    other.orders = own.orders!.map { $0 * 0.99 }
    #expect(other.isLower(than: own) && !own.isLower(than: other))
    other.orders![0] = own.orders![0] * 1.01
    #expect(!other.isLower(than: own) && !own.isLower(than: other))
    other.orders = own.orders!.map { $0 / 3 }
    other.orders![0] = own.orders![0] * 1.01
    #expect(other.isLower(than: own))
    var (none, less) = (own, own)
    (none.relative, none.orders) = (1e-30, own.orders!.map { $0 * 1e-30 })
    (less.relative, less.orders) = (1e-32, own.orders!.map { $0 * 1e-32 })
    #expect(none.isLower(than: own) && !less.isLower(than: none))
    #expect(less.outcome("diverged") == "0 to rounding")
    other.orders = nil
    other.measured = own.measured! - 2 * own.error!
    #expect(!other.isLower(than: own))
    other.measured = own.measured! - 5 * own.error!
    #expect(other.isLower(than: own))
    let larger = try #require(batches.trial(.largerBatch))
    let limits = Dictionary(uniqueKeysWithValues: batches.limits.map { ($0.batch, $0.limit) })
    #expect(larger.batch == 24)
    #expect(isNear(larger.rate, 0.1 * limits[24]! / limits[6]!, within: 1e-12))
  }
}
