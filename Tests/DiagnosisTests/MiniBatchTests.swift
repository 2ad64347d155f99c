import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// What a diagnosis says of mini-batches, beside the runs that it makes itself.
@Suite struct MiniBatchTests {
  private func report(
    _ table: TabularProblem, batch: Int, rate: Double?,
    _ sampling: Batches.Sampling? = nil, optimizer: OptimizerSetting = OptimizerSetting(),
    trials: Bool = true
  ) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.training.batch = batch
    request.training.sampling = sampling
    request.training.rate = rate
    request.training.optimizer = optimizer
    request.trials.areRun = trials
    request.trials.maxIterations = 240
    return try diagnose(table, request: request, executor: ReferenceExecutor())
  }

  private static let table = TestTable.linear(90, scales: [1, 0.6, 0.4], noise: 0.5, seed: 11)

  private func isNear(_ a: Double?, _ b: Double?, within share: Double) -> Bool {
    guard let a, let b else { return false }
    return abs(a - b) <= share * abs(b)
  }

  @Test(
    "least squares: the run comes to the floor that was predicted",
    arguments: [Batches.Sampling.shuffle, .replacement])
  func leastSquares(_ sampling: Batches.Sampling) throws {
    let report = try report(Self.table, batch: 8, rate: 0.2, sampling)
    let batches = try #require(report.miniBatches)
    #expect(batches.basis == .leastSquares && batches.samplesUsed == 90)
    #expect(batches.stepsPerPass == (sampling == .shuffle ? 12 : 11))
    #expect(batches.lastBatch == (sampling == .shuffle ? 2 : nil))
    let (limit, all) = (try #require(batches.limit), try #require(batches.limitOnAll))
    #expect(limit < all && isNear(all, 2 / report.curvature.largest.value!, within: 1e-9))
    let (floor, run) = (try #require(batches.floor), try #require(batches.run))
    #expect(isNear(run.end, run.predictedEnd, within: 0.15))
    #expect(isNear(run.middle, run.predictedMiddle, within: 0.15))
    #expect(isNear(run.predictedEnd, floor.end, within: 0.05))
    #expect(floor.endError.map { $0 <= 0.02 * floor.end } ?? false)
    #expect(report.findings.contains { $0.id == "noise-floor" })
    #expect(report.findings.contains { $0.id == "batch-size" })
    #expect(report.learningRate.verdict == .stable)
    let own = try #require(batches.trials.first { $0.change == .asGiven })
    #expect(isNear(own.measured, own.predicted, within: 0.6))
    #expect(batches.trials.map { $0.measured! } == batches.trials.map { $0.measured! }.sorted())
    let decayed = try #require(batches.trials.first { $0.change == .decayedRate })
    #expect(decayed.measured! < own.measured!)
    let text = try report.json()
    #expect(
      try JSONDecoder().decode(DiagnosisReport.self, from: Data(text.utf8)).miniBatches == batches)
  }

  @Test("doubling the loss halves its limit, and without a batch nothing is said")
  func scale() throws {
    var twice = Self.table
    twice.loss = .meanSquaredError
    let own = try report(Self.table, batch: 4, rate: nil, trials: false)
    let other = try report(twice, batch: 4, rate: nil, trials: false)
    let (limit, half) = (
      try #require(own.miniBatches?.limit), try #require(other.miniBatches?.limit)
    )
    #expect(isNear(half, limit / 2, within: 1e-9))
    #expect(own.miniBatches?.floor == nil && own.miniBatches?.run == nil)
    let none = try diagnose(Self.table, request: DiagnosisRequest(), executor: ReferenceExecutor())
    let text = try none.json()
    #expect(none.miniBatches == nil && !text.contains("miniBatches"))
  }

  @Test("a rate between both limits bursts and does not diverge")
  func between() throws {
    let known = try report(Self.table, batch: 1, rate: nil, .replacement, trials: false)
    let (limit, all) = (known.miniBatches!.limit!, known.miniBatches!.limitOnAll!)
    #expect(limit < 0.8 * all)
    let report = try report(
      Self.table, batch: 1, rate: (limit * all).squareRoot(), .replacement)
    #expect(report.learningRate.verdict == .unstableInBatches)
    #expect(report.findings.first?.id == "batch-above-limit")
    let sentence = report.findings[0].sentence
    #expect(sentence.contains("unbounded"))
    let hasLeft = try #require(report.miniBatches?.run).ranAway
    let grows = report.miniBatches?.growsInMostRuns == true
    #expect(
      sentence.contains(grows ? "in most runs" : hasLeft ? "did not come back" : "rare bursts"))
    #expect(report.miniBatches?.floor == nil && report.miniBatches?.binds == .noise)
    let words = [report.advice.why.sentence, report.advice.rate?.sentence ?? ""]
    #expect(words.allSatisfy { !$0.contains("diverge") })
    let nearer = try self.report(Self.table, batch: 1, rate: 1.01 * limit, .replacement)
    #expect(nearer.miniBatches?.run?.ranAway == false)
    #expect(nearer.findings[0].sentence.contains("rare bursts"))
    #expect(report.advice.rate?.suggestion == .lowestInBatches)
    #expect(report.advice.rate!.suggested! < limit)
  }

  @Test("logistic regression: the bowl at the minimum foretells the run")
  func logistic() throws {
    var table = TestTable.classes(120, features: 3, count: 2, spread: 3, seed: 4, model: .logistic)
    table.loss = .binary
    let report = try report(table, batch: 10, rate: 0.05, .replacement)
    let batches = try #require(report.miniBatches)
    #expect(batches.basis == .bowlAtMinimum)
    let run = try #require(batches.run)
    #expect(isNear(run.end, run.predictedEnd, within: 0.35))
    #expect(batches.limit! < 2 / report.curvature.largest.value!)
    #expect(
      batches.trials.count >= 3
        && batches.trials.allSatisfy { $0.measured != nil && $0.passes >= 5 })
  }

  @Test("Adam: the second moments of a run foretell its floor")
  func adam() throws {
    let report = try report(
      Self.table, batch: 8, rate: 0.003, .replacement, optimizer: try OptimizerSetting("adam", [:]))
    let batches = try #require(report.miniBatches)
    let run = try #require(batches.run)
    #expect(isNear(run.end, run.predictedEnd, within: 0.35))
    #expect(batches.limit! < batches.limitOnAll!)
  }

  @Test("momentum: the run comes to the floor of its form")
  func momentum() throws {
    let report = try report(
      Self.table, batch: 8, rate: 0.03,
      optimizer: try OptimizerSetting("momentum", ["momentum": 0.8])
    )
    let run = try #require(report.miniBatches?.run)
    #expect(isNear(run.end, run.predictedEnd, within: 0.2))
  }

  @Test("a network: the noise of its gradients, and why no limit")
  func network() throws {
    var table = Self.table
    table.model = .mlp(hidden: [4], activation: .tanh)
    let report = try report(table, batch: 8, rate: 0.01, trials: false)
    let batches = try #require(report.miniBatches)
    #expect(batches.basis == .gradientNoise && batches.limit == nil && batches.note != nil)
    #expect(batches.noiseScale! > 0 && batches.trials.isEmpty)
    #expect(report.findings.contains { $0.id == "batch-size" })
    let tried = try self.report(table, batch: 8, rate: 0.01).miniBatches
    #expect(tried?.isToldByLoss == true && tried?.trials.contains { $0.change == .asGiven } == true)
  }

  @Test("trials' gaps are told as shares of the first, as the remedies' are")
  func shares() throws {
    let report = try report(Self.table, batch: 8, rate: 0.2)
    let batches = try #require(report.miniBatches)
    for (given, told) in zip(batches.trials, batches.inShares.trials) {
      #expect(isNear(told.measured, given.relative, within: 1e-12))
      let same = report.prescriptions.first { $0.id == given.change.rawValue }
      if let same, given.change != .halfOfLimit {
        #expect(isNear(told.measured, same.measured?.relativeGap, within: 1e-12))
      }
      let share = given.error.map { $0 / given.measured! }
      #expect(isNear(share, told.error! / told.measured!, within: 1e-9))
    }
    let finding = try #require(report.findings.first { $0.id == "batch-trials" })
    #expect(finding.sentence.contains("mean share of the loss gap"))
    #expect(finding.evidence["lowest"] == .number(batches.trials[0].measured!))
  }

  @Test("without trials it is said what they would be run in")
  func withoutTrials() throws {
    let untried = try report(Self.table, batch: 8, rate: 0.2, trials: false)
    let passes = try #require(untried.miniBatches?.remedyPasses)
    let notes = untried.advice.notes.joined(separator: " ")
    #expect(notes.hasPrefix("Nothing was run.") && notes.contains("batches of 8 samples"))
    #expect(notes.contains("for \(passes) passes") && !notes.contains("all samples at each step;"))
    let tried = try report(Self.table, batch: 8, rate: 0.2)
    #expect(tried.miniBatches?.remedyPasses == passes)
    #expect(tried.advice.notes.joined().contains("for \(passes) passes"))
  }

  @Test("a limit by second moments is that of one rate")
  func limitOfAdam() throws {
    let report = try report(
      Self.table, batch: 8, rate: 0.003, optimizer: try OptimizerSetting("adam"))
    #expect(report.miniBatches?.runRate == 0.003)
    let sentence = try #require(report.advice.rate?.sentence)
    #expect(sentence.contains("of a run at 0.003 from the minimum: at another rate"))
  }

  @Test("a batch of more samples than there are is refused")
  func tooLarge() throws {
    let error = try #require(throws: DiagnosisFailure.self) {
      try report(Self.table, batch: 91, rate: nil)
    }
    #expect("\(error)".contains("91") && "\(error)".contains("90"))
  }
}
