import Curvature
import Foundation
import LinearMaps
import Synchronization
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// What a sweep says of its runs, and that its runs are those of `train`.
@Suite struct SweepJudgementTests {
  /// A target that the features say nothing of, and that is 0 in the mean: the start is nearly the minimum.
  static func noise() -> TabularProblem {
    var generator = SeededGenerator(seed: 8)
    let rows = 60
    let target = (0..<rows / 2).flatMap { _ -> [Double] in
      let value = generator.normal()
      return [value, -value]
    }
    return TestTable.problem(
      (0..<3 * rows).map { _ in generator.normal() }, columns: 3, target: .numeric(target),
      model: .linear)
  }

  @Test func `a run diverged where it ends far above its start, or is above it and rises`() {
    func fate(_ losses: [Double], _ end: Double?) -> RunFate {
      RunFate(start: 1, losses: losses, end: end)
    }
    let flat = (0..<16).map { 1 + 0.2 * Double($0 % 3) }
    #expect(fate(flat, 0.9) == fate(flat, 0.5) && !fate(flat, 0.9).isAboveStart)
    #expect(fate(flat, 1.3).isAboveStart && !fate(flat, 1.3).isDiverged)
    #expect(fate(flat, 30).isAboveStart && !fate(flat, 30).isDiverged)
    #expect(fate(flat, 101).isDiverged && fate(flat, nil).isDiverged && fate(flat, .nan).isDiverged)
    let rising = (0..<16).map { pow(1.1, Double($0)) }
    #expect(fate(rising, 4.6).isDiverged && !fate(rising, 1.9).isDiverged)
    // Losses below zero are counted from the least.
    #expect(!RunFate(start: -3, losses: flat.map { $0 - 5 }, end: -2.5).isDiverged)
    #expect(RunFate(start: -3, losses: flat.map { $0 - 5 }, end: 500).isDiverged)
  }

  @Test func `the noise of batches at a good start is no divergence`() throws {
    let report = try SweepTests.sweep(Self.noise(), RateRange(0.01, 0.5, count: 6)) {
      $0.batch = 6
      $0.epochs = 4
      $0.seeds = 3
    }
    #expect(report.boundary.diverged == nil)
    #expect(report.rates.contains { $0.isAboveStart })
    #expect(report.sentences.contains { $0.contains("No run diverged") && $0.contains("above") })
    if report.best == nil {
      #expect(report.sentences[0].hasPrefix("No rate that was tried brought the loss down"))
    }
  }

  @Test func `of equal losses the middle one is named, and the range`() throws {
    let report = try SweepTests.sweep(SweepTests.table, RateRange(0.1, 0.3, count: 5)) {
      $0.steps = 4000
    }
    let best = try #require(report.best)
    let rates = report.rates.map(\.rate)
    #expect(best.tied == [rates[0], rates[4]] && best.rate == rates[2])
    #expect(best.sentence.contains("the middle") && best.sentence.contains("to rounding"))
    #expect(!report.sentences.contains { $0.contains("widen") })
  }

  @Test func `the interval holds rates that lose little, and says when there is none`() throws {
    let report = try SweepTests.sweep(SweepTests.table, RateRange(0.01, 0.4, count: 12)) {
      $0.steps = 12
    }
    let best = try #require(report.best)
    let start = try #require(report.problem.loss)
    for rate in report.rates where rate.rate >= best.lower && rate.rate <= best.upper {
      #expect(rate.mean! - best.loss <= 0.01 * (start - best.loss))
    }
    let coarse = try SweepTests.sweep(SweepTests.table, RateRange(1e-4, 0.3, count: 3)) {
      $0.steps = 12
    }
    #expect(coarse.best?.lower == coarse.best?.upper)
    #expect(coarse.best?.sentence.contains("every other rate that was tried loses more") == true)
  }

  @Test func `where all diverge, the limit says where to look`() throws {
    let report = try SweepTests.sweep(SweepTests.table, RateRange(20, 40, count: 3))
    let limit = try #require(report.limits.first { $0.place == .start })
    #expect(report.best == nil && report.sentences[0].contains("so try --lr "))
    let text = try #require(report.sentences[0].split(separator: " ").first { $0.contains(":") })
    let range = try #require(RateRange(String(text.hasSuffix(".") ? text.dropLast() : text)))
    #expect(abs(range.upper / limit.rate - 1) < 0.01 && range.lower < range.upper)
  }

  @Test func `a larger batch than there are samples is told in one way`() throws {
    let problem = DiagnosisProblem(SweepTests.table)
    var diagnosis = DiagnosisRequest()
    diagnosis.training.batch = 100
    var training = TrainingRequest(.memory("table"))
    (training.rate, training.steps) = (.number(0.1), 3)
    training.batches = BatchSetup(size: 100)
    let executor = ReferenceExecutor()
    let failures: [any Error] = [
      #expect(throws: (any Error).self) {
        try SweepTests.sweep(SweepTests.table, RateRange(0.1, 1, count: 2)) { $0.batch = 100 }
      },
      #expect(throws: (any Error).self) {
        try Diagnosis.train(
          problem, request: training, TrainingSurroundings(executor: executor))
      },
      #expect(throws: (any Error).self) {
        try diagnose(problem, request: diagnosis, executor: executor)
      },
    ].compactMap { $0 }
    #expect(failures.count == 3 && Set(failures.map { "\($0)" }).count == 1)
    #expect("\(failures[0])".contains("give at most 40"))
    // Nothing is built before it is checked.
    #expect(throws: DiagnosisFailure.self) {
      try SweepTests.sweep(SweepTests.table, RateRange(0.1, 1, count: 2)) { $0.batch = .max }
    }
  }

  @Test(arguments: ["momentum", "adamw"])
  func `its runs are those of train`(name: String) throws {
    var request = TrainingRequest(.memory("table"))
    request.optimizer = try TrainingMethod(name, [:])
    request.epochs = 3
    request.batches = BatchSetup(size: 5)
    request.batches?.sampling = .replacement
    request.schedule = try ScheduleSetting("cosine", [:])
    request.warmUp = 0.25
    request.rules.clipNorm = 0.4
    request.rules.weightDecay = 0.3
    request.heldOut = .share(0.25)
    let report = try SweepTests.sweep(SweepTests.table, RateRange(0.01, 0.1, count: 2)) {
      $0.optimizer = try! OptimizerSetting(name)
      $0.epochs = 3
      $0.batch = 5
      $0.sampling = .replacement
      $0.schedule = request.schedule
      $0.warmUp = request.warmUp
      $0.rules = request.rules
      $0.heldOut = request.heldOut
    }
    for rate in report.rates {
      request.rate = .number(rate.rate)
      let result = try Diagnosis.train(
        DiagnosisProblem(SweepTests.table), request: request,
        TrainingSurroundings(executor: ReferenceExecutor()))
      #expect(abs(rate.mean! / result.report.after.loss! - 1) < 1e-12)
      #expect(abs(rate.heldOut! / result.report.heldOut!.after.loss! - 1) < 1e-12)
    }
    #expect(report.method.contains("weight decay 0.3"))
    #expect(report.sentences.contains { $0.hasPrefix("The held-out loss is lowest at ") })
  }

  @Test func `what was run before an interrupt is told`() throws {
    var request = SweepRequest(.memory("table"), rates: RateRange(0.01, 0.3, count: 8))
    request.steps = 50
    let steps = Mutex(0)
    let context = RunContext(
      progress: { if $0.stage.hasPrefix("training") { steps.withLock { $0 += 1 } } },
      isCancelled: { steps.withLock { $0 } >= 20 })
    let report = try measureSweep(
      of: DiagnosisProblem(SweepTests.table), request: request, executor: ReferenceExecutor(),
      context: context)
    #expect(report.rates.count == 8 && report.steps == 20 && report.limits.isEmpty)
    #expect(report.sentences.contains { $0.contains("had taken 20 of 50 steps") })
    #expect(!report.sentences.contains { $0.contains("widen") })
    // After 20 steps, each loss is that before the last one: of all samples, the same as of 19 steps.
    request.steps = 19
    let shorter = try measureSweep(
      of: DiagnosisProblem(SweepTests.table), request: request, executor: ReferenceExecutor())
    for (one, other) in zip(report.rates, shorter.rates) {
      #expect(abs(one.mean! - other.mean!) <= 1e-12 * other.mean!)
    }
  }
}

/// That the rate of `--lr auto` was run, and that its words are true of the runs.
@Suite struct AutoRateWordsTests {
  private func auto(
    _ table: TabularProblem, _ optimizer: any Optimizer, batches: Batches? = nil, steps: Int,
    context: RunContext = RunContext()
  ) throws -> AutoRateAnswer {
    let problem = DiagnosisProblem(table)
    let loss: any Loss<Double> = try problem.loss(
      executor: ReferenceExecutor(), memory: 1 << 30, context: RunContext())
    return try chooseRate(
      loss, optimizer, from: problem.start, batches: batches, steps: steps, context: context)
  }

  @Test(arguments: ["gd", "momentum", "adam", "lion", "soap", "muon"], [1, 5, 30])
  func `the rate named is the best that was run`(name: String, steps: Int) throws {
    let table = SweepTests.table
    guard
      case .rate(let auto) = try auto(table, OptimizerSetting(name).make(), steps: steps)
    else { return }
    let losses = auto.candidates.compactMap { candidate in
      candidate.loss.map { (candidate.rate, $0) }
    }
    let least = try #require(losses.map(\.1).min())
    let named = try #require(losses.first { $0.0 == auto.rate }?.1)
    #expect(named - least <= 1e-6 * least)
    #expect(losses.contains { $0.0 == auto.lower } && losses.contains { $0.0 == auto.upper })
    // On all samples the short run is the run itself.
    var request = TrainingRequest(.memory("table"))
    request.optimizer = try TrainingMethod(name, [:])
    (request.rate, request.steps) = (.number(auto.rate), steps)
    let loss = try Diagnosis.train(
      DiagnosisProblem(table), request: request,
      TrainingSurroundings(executor: ReferenceExecutor())
    ).report.after.loss
    #expect(abs(loss! / named - 1) < 1e-9)
    let start = DiagnosisProblem(table).start
    let first: any Loss<Double> = try DiagnosisProblem(table).loss(
      executor: ReferenceExecutor(), memory: 1 << 30, context: RunContext())
    let way = try first.value(at: start) - named
    for (rate, value) in losses where auto.lower <= rate && rate <= auto.upper {
      #expect(value - named <= 0.01 * way + 1e-12)
    }
  }

  @Test func `of equal losses the middle is named, below the limit`() throws {
    guard case .rate(let auto) = try auto(SweepTests.table, GradientDescent(), steps: 20_000)
    else {
      Issue.record("no rate")
      return
    }
    let limit = try #require(auto.limit)
    #expect(auto.rate < limit)
    let named = try #require(auto.candidates.first { $0.rate == auto.rate }?.loss)
    let tied = auto.candidates.filter { $0.rate < limit && $0.loss! - named <= 1e-6 * named }
    let place = try #require(tied.firstIndex { $0.rate == auto.rate })
    #expect(tied.count > 2 && place == (tied.count - 1) / 2)
    #expect(auto.sentence.contains("the least to rounding"))
  }

  @Test func `what noise gives no support for is refused`() throws {
    // Each row twice, with opposite targets but for a thousandth of what the feature explains: there is next to
    // nothing to come down, and the batches' gradients are far larger than the whole one.
    var generator = SeededGenerator(seed: 8)
    var (features, target): ([Double], [Double]) = ([], [])
    for _ in 0..<30 {
      let (x, noise) = (generator.normal(), generator.normal())
      features += [x, x]
      target += [1e-3 * x + noise, 1e-3 * x - noise]
    }
    let table = TestTable.problem(
      features, columns: 1, target: .numeric(target), model: .linear)
    let answer = try auto(table, Momentum(), batches: Batches(size: 3, seed: 3), steps: 60)
    guard case .refused(let reason) = answer else {
      Issue.record("\(answer)")
      return
    }
    let reasons = [
      "other orders of the batches change that", "lowered the loss", "still falling",
    ]
    #expect(reasons.contains { reason.contains($0) }, "\(reason)")
  }

  @Test func `what the runs speak against is not expected`() throws {
    var known = (inside: 0, outside: 0)
    for seed in 1...4 as ClosedRange<UInt64> {
      let table = TestTable.linear(50, scales: [1, 3], noise: 1, seed: seed)
      for steps in [10, 200] {
        guard
          case .rate(let auto) = try auto(
            table, Momentum(), batches: Batches(size: 5, seed: 1), steps: steps),
          let expected = auto.expected
        else { continue }
        let rates = auto.candidates.map(\.rate)
        let isInside =
          rates.last { $0 < auto.lower } ?? 0 < expected
          && expected < rates.first { $0 > auto.upper } ?? .infinity
        #expect(auto.sentence.contains("was expected, and the runs agree") == isInside)
        #expect(auto.sentence.contains("the runs speak against it") == !isInside)
        if isInside { known.inside += 1 } else { known.outside += 1 }
      }
    }
    #expect(known.inside + known.outside > 3)
  }

  @Test func `among batches the rate is confirmed in further orders`() throws {
    var vertices = 0
    for seed in 1...6 as ClosedRange<UInt64> {
      let table = TestTable.linear(50, scales: [1, 2], noise: 1, seed: seed)
      guard
        case .rate(let auto) = try auto(
          table, Momentum(), batches: Batches(size: 5, seed: 1), steps: 40)
      else { continue }
      #expect(
        auto.sentence.contains("that were run in 6 orders and never ended above the start")
          || auto.sentence.contains("to rounding"), "\(auto.sentence)")
      #expect(auto.candidates.contains { $0.rate == auto.rate })
      // All but the vertex are the limit times powers of two.
      let steps = log2(auto.rate / auto.limit!)
      if abs(steps - steps.rounded()) > 1e-6 { vertices += 1 }
    }
    #expect(vertices > 0)
  }

  @Test func `an interrupt tells the best so far`() throws {
    let steps = Mutex(0)
    let context = RunContext(
      progress: { if $0.stage.contains("short run") { steps.withLock { $0 += 1 } } },
      isCancelled: { steps.withLock { $0 } > 40 })
    let failure = #expect(throws: DiagnosisFailure.self) {
      try auto(SweepTests.table, GradientDescent(), steps: 40, context: context)
    }
    #expect(failure?.kind == .interrupted)
    #expect("\(failure!)".contains("ended lowest after 40 steps"), "\(failure!)")
  }
}
