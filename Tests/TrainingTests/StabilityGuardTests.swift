import Curvature
import Foundation
import OnnxBackend
import TensorPrograms
import Testing

@testable import Training

@Suite struct StabilityGuardTests {
  private struct OneCycle: Schedule {
    let name = "one-cycle"
    let phrase = "up and down"
    func rate(_ moment: ScheduleMoment) -> Double {
      let share = Double(moment.step) / Double(moment.stepCount)
      return moment.rate
        * (share < 0.3 ? 0.04 + 3.2 * share : 0.5 * (1 + cos(.pi * (share - 0.3) / 0.7)))
    }
  }

  private struct WarmUp: Schedule {
    let name = "warm-up"
    let phrase = "warm-up"
    func rate(_ moment: ScheduleMoment) -> Double {
      moment.rate * min(1, Double(moment.step + 1) / 100)
    }
  }

  /// Far above the limit for the second half.
  private struct Jump: Schedule {
    let name = "jump"
    let phrase = "jump"
    let factor: Double
    func rate(_ moment: ScheduleMoment) -> Double {
      moment.rate * (moment.step < moment.stepCount / 2 ? 1 : factor)
    }
  }

  /// Ten runs whose sharpness sits at the limit of the rate.
  @Test func leavesRunsAtTheEdgeOfStabilityAlone() throws {
    let executor = try OnnxExecutor()
    let gd = GradientDescent()
    let runs: [(SmallNetwork, any Optimizer, Double)] =
      [1, 2, 3].flatMap { seed in
        [
          (.chebyshev(seed: seed), gd, 0.2), (.chebyshev(seed: seed), gd, 0.4),
          (.regression(100, [5, 20, 1], .tanh, noise: 0.3, seed: seed), gd, 0.3),
        ] as [(SmallNetwork, any Optimizer, Double)]
      } + [(.chebyshev(seed: 2), Adam(), 0.01)]
    for (index, (network, optimizer, rate)) in runs.enumerated() {
      let run = try GuardedRun(
        network, optimizer, rate: rate, steps: 2000, action: .lowerRate, executor: executor)
      let plateau = run.plateau(from: 1500)
      #expect(run.alarms.isEmpty, "run \(index): \(run.alarms)")
      #expect(run.rates.allSatisfy { $0 == rate }, "run \(index)")
      #expect(abs(plateau.mean - 1) < 0.1, "run \(index): \(plateau)")
      #expect(run.losses.last! < run.losses[0] / 5, "run \(index)")
    }
  }

  /// Noise of batches, and rates that rise on purpose.
  @Test func leavesNoisyAndScheduledRunsAlone() throws {
    let executor = try OnnxExecutor()
    let (gd, momentum) = (GradientDescent(), Momentum(beta: 0.9))
    for seed: UInt64 in [1, 2] {
      let tanh = SmallNetwork.classes(480, [8, 16, 4], .tanh, noise: 0.2, seed: seed)
      let relu = SmallNetwork.classes(480, [8, 16, 4], .relu, noise: 0.2, seed: seed)
      let numbers = SmallNetwork.regression(400, [5, 20, 1], .tanh, noise: 0.5, seed: seed)
      let runs: [(String, SmallNetwork, any Optimizer, Double, any Schedule, Int?)] = [
        ("batches of 16", tanh, gd, 0.5, Constant(), 16),
        ("batches of 8", relu, momentum, 0.05, Constant(), 8),
        ("batches of 4", numbers, gd, 0.1, Constant(), 4),
        ("Adam", relu, Adam(), 0.01, Constant(), 16),
        ("one cycle", relu, momentum, 0.1, OneCycle(), 16),
        ("one cycle on all samples", .chebyshev(seed: seed), gd, 0.5, OneCycle(), nil),
        ("warm-up", .chebyshev(seed: seed), gd, 0.4, WarmUp(), nil),
      ]
      for (name, network, optimizer, rate, schedule, batch) in runs {
        let run = try GuardedRun(
          network, optimizer, rate: rate, steps: 1500, schedule: schedule, batch: batch,
          action: .stop, executor: executor)
        #expect(run.alarms.isEmpty, "\(name), seed \(seed): \(run.alarms)")
        #expect(run.ending.reason == .finished, "\(name), seed \(seed)")
      }
    }
  }

  /// Runs that diverge without it end finite, below where they began.
  @Test func bringsBackRunsThatDiverge() throws {
    let executor = try OnnxExecutor()
    let (gd, momentum) = (GradientDescent(), Momentum(beta: 0.9))
    let line = SmallNetwork.regression(100, [5, 1], .tanh, noise: 0.3, seed: 1)
    let wide = SmallNetwork.regression(400, [5, 20, 1], .relu, noise: 0.5, seed: 1)
    let runs: [(String, SmallNetwork, any Optimizer, Double, any Schedule, Int?)] = [
      ("three times the limit", .chebyshev(seed: 1), gd, 1, Constant(), nil),
      ("nine times the limit", .chebyshev(seed: 1), gd, 3, Constant(), nil),
      ("a quadratic", line, gd, 3, Constant(), nil),
      ("a quadratic, 230 times the limit", line, gd, 300, Constant(), nil),
      ("momentum", .chebyshev(width: 40, seed: 1), momentum, 0.5, Constant(), nil),
      ("a jump of the rate", .chebyshev(seed: 1), gd, 0.1, Jump(factor: 30), nil),
      ("one and a half times the limit", line, gd, 2, Constant(), nil),
      ("mini-batches", wide, gd, 1, Constant(), 16),
    ]
    for (name, network, optimizer, rate, schedule, batch) in runs {
      func run(_ action: GuardAction, steps: Int) throws -> GuardedRun {
        try GuardedRun(
          network, optimizer, rate: rate, steps: steps, schedule: schedule, batch: batch,
          action: action, executor: executor)
      }
      let lost = try run(.warn, steps: 1200)
      let isLost = lost.ending.reason == .nonFinite || lost.losses.last! > 1e3 * lost.losses[0]
      #expect(isLost, "\(name)")
      let warned = lost.alarms.filter {
        $0.alarm.sentence.contains("unstable") || $0.alarm.sentence.contains("above their band")
      }
      #expect(lost.alarms.count <= 2 && warned.count == lost.alarms.count, "\(name)")
      let saved = try run(.lowerRate, steps: 1200)
      #expect(saved.ending.reason == .finished, "\(name): \(saved.ending)")
      let loss = try network.objective(executor)
      let (start, end) = try (
        loss.value(at: network.start), loss.value(at: saved.parameters)
      )
      #expect(end < start, "\(name): \(end) after \(start)")
      let alarm = try #require(saved.alarms.first, "\(name)")
      #expect(alarm.alarm.sentence.contains("goes back to step"), "\(alarm)")
      #expect(saved.rates.last! < lost.rates.last!, "\(name)")
    }
  }

  /// Below the limit of all samples, and lost: momentum in batches, a jump to a flat region, and optimizers whose
  /// limit nobody knows.
  @Test func losesNoRunThatTheLimitSaysNothingOf() throws {
    let executor = try OnnxExecutor()
    let momentum = Momentum(beta: 0.9)
    let line = SmallNetwork.regression(40, [2, 1], .tanh, noise: 0.1, seed: 1)
    let deep = SmallNetwork.classes(200, [8, 16, 4], .relu, noise: 0, seed: 1)
    let runs: [(String, SmallNetwork, any Optimizer, Double, Int?)] = [
      ("momentum in batches", line, momentum, 1.2, 8),
      ("momentum in batches", line, momentum, 4, 8),
      ("Lion", line, Lion(), 8, nil), ("Polyak", line, Polyak(), 8, nil),
      ("Muon", deep, Muon(), 30, 16), ("a flat region", deep, Adam(), 2, 16),
    ]
    for (name, network, optimizer, rate, batch) in runs {
      func run(_ action: GuardAction) throws -> GuardedRun {
        try GuardedRun(
          network, optimizer, rate: rate, steps: 200, batch: batch, action: action,
          executor: executor)
      }
      let loss = try network.objective(executor)
      let start = try loss.value(at: network.start)
      let (lost, saved) = try (run(.stop), run(.lowerRate))
      #expect(lost.ending.reason == .alarm && lost.losses.count < 100, "\(name): \(lost.ending)")
      #expect(saved.ending.reason == .finished, "\(name)")
      let end = try loss.value(at: saved.parameters)
      #expect(end < start, "\(name): \(end) after \(start), \(saved.alarms)")
      #expect(saved.alarms.allSatisfy { $0.alarm.sentence.contains("back to step") }, "\(name)")
    }
  }

  /// Rates per parameter belong to what is compared with the limit, and the first of two methods is watched.
  @Test func watchesRatesPerParameterAndTheFirstOfTwo() throws {
    let executor = ReferenceExecutor()
    let line = SmallNetwork.regression(60, [3, 1], .tanh, noise: 0.1, seed: 1)
    var rules = StepRules()
    rules.rateFactors = [.scalar(0.9), .scalar(1)]
    let loss = try line.objective(executor)
    let runs: [any TrainingSteps<Double>] = try [
      TrainingRun(loss, GradientDescent(), rate: 3, from: line.start, rules: rules),
      HybridRun(
        HybridPlan(
          GradientDescent(), then: CatalogueSetting<MethodCatalogue>("lbfgs").make()), loss,
        rate: 3, from: line.start),
    ]
    for run in runs {
      let trainer = Trainer(
        run, rate: 3, steps: 200, trackers: [PreconditionedSharpness()],
        watch: StabilityGuard(.lowerRate, period: 50), action: .lowerRate)
      var first: (step: Int, sentence: String)?
      _ = try trainer.train {
        if case .alarm(let step, let alarm) = $0, first == nil { first = (step, alarm.sentence) }
      }
      let alarm = try #require(first)
      #expect(alarm.step < 20 && alarm.sentence.contains("are unstable"), "\(alarm)")
      let end = try loss.value(at: trainer.run.parameters)
      #expect(try end < loss.value(at: line.start))
    }
  }

  /// A point is kept where the losses from there on were good, and no other.
  @Test func keepsNoPointThatIsLost() {
    var watch = StabilityGuard(.lowerRate, period: 50)
    watch.begin(loss: 1)
    var step = 0
    func take(_ loss: Double) -> GuardAlarm? {
      if watch.wantsPoint(before: step, tracked: []) {
        watch.offer([Double(step)], before: step, tracked: [])
      }
      defer { step += 1 }
      return watch.observe(
        step: step, report: StepReport(loss: loss, gradientNorm: 1), rate: 1, tracked: [])
    }
    for _ in 0..<35 { #expect(take(0.5) == nil) }
    #expect(watch.point == [20] && watch.pointStep == 20)
    // Above the start, yet within the band: the point at 40 is not one to go back to.
    for _ in 35..<45 { #expect(take(3) == nil) }
    var alarm: GuardAlarm?
    while alarm == nil, step < 100 { alarm = take(1e3) }
    #expect(step < 60 && watch.point == [20], "\(step)")
    #expect(alarm?.goesBack == true && alarm!.sentence.contains("goes back to step 20"))
    #expect(watch.end(loss: 0.9) == nil)
    #expect(watch.end(loss: 2)?.goesBack == true && watch.point == [20])
    // A point that its steps proved, and that lies above the start over all samples: the first is left.
    var resumed = StabilityGuard(.lowerRate, period: 50)
    resumed.memory = watch.memory
    for var guardian in [watch, resumed] {
      #expect(guardian.firstStep == 0 && guardian.end(loss: 1.5)?.goesBack == true)
      #expect(guardian.point == [0] && guardian.pointStep == 0 && guardian.end(loss: 1) == nil)
      #expect(guardian.end(loss: 3) == nil)
    }
  }

  /// What was gone back from comes off the optimizer's count of updates, and a resumed run knows it.
  @Test func theOptimizerCountsItsUpdates() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let run = try TrainingRun(loss, Adam(), rate: 0.01, from: problem.start)
    for _ in 0..<3 { try run.step() }
    let kept = run.trainingState
    try run.step()
    let next = run.parameters
    for _ in 0..<4 { try run.step() }
    #expect(run.goBack(parameters: kept.parameters, state: kept.state, updates: 3))
    let resumed = try TrainingRun(resuming: run.trainingState, of: loss)
    try run.step()
    try resumed.step()
    #expect(run.parameters == next && resumed.parameters == next)
    #expect(run.stepCount == 9 && run.updateCount == 4 && resumed.updateCount == 4)
  }

  /// Likewise where another method is to take over.
  @Test func theFirstOfTwoCountsItsUpdates() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let plan = HybridPlan(Adam(), then: try CatalogueSetting<MethodCatalogue>("lbfgs").make())
    let first = try TrainingRun(loss, Adam(), rate: 0.01, from: problem.start)
    let run = try HybridRun(plan, loss, rate: 0.01, from: problem.start)
    for _ in 0..<3 { try first.step() }
    for _ in 0..<8 { try run.step() }
    let optimizer = try #require(run.optimizerRun)
    let kept = first.trainingState
    #expect(optimizer.goBack(parameters: kept.parameters, state: kept.state, updates: 3))
    let resumed = try HybridRun(resuming: run.trainingState, plan, of: loss)
    #expect(resumed.optimizerRun?.updateCount == 3)
    for _ in 0..<4 {
      try first.step()
      try run.step()
      try resumed.step()
    }
    #expect(run.parameters == first.parameters && resumed.parameters == first.parameters)
  }

  @Test func anAlarmEndsTheRunWhereThatIsAsked() throws {
    let run = try GuardedRun(
      .regression(100, [5, 1], .tanh, noise: 0.3, seed: 1), GradientDescent(), rate: 3, steps: 200,
      action: .stop, executor: OnnxExecutor())
    #expect(run.ending.reason == .alarm && run.losses.count < 20)
    let sentence = run.ending.sentence
    #expect(sentence.hasPrefix("At the sharpness 1.5") && sentence.contains("the rate is 3"))
    #expect(sentence.hasSuffix(": the run stops here; start again at a lower rate."), "\(sentence)")
  }

  /// What it remembers makes another guard go on as if it had not been stopped.
  @Test func goesOnFromItsMemory() throws {
    var first = StabilityGuard(.lowerRate, period: 50)
    var alarms: [GuardAlarm?] = []
    var resumed: [GuardAlarm?] = []
    var second: StabilityGuard?
    var loss = 1.0
    for step in 0..<40 {
      loss *= step < 10 ? 0.9 : 3
      let tracked =
        step % 5 == 0 || step > 12
        ? [
          TrackedValue("sharpness", 30, error: 0.1, threshold: 20),
          TrackedValue("loss-along-sharpest", loss / 2),
        ] : []
      if step == 14 {
        second = StabilityGuard(.lowerRate, period: 50)
        second!.memory = first.memory
        #expect(second!.memory == first.memory || first.memory.contains { $0.isNaN })
      }
      if first.wantsPoint(before: step, tracked: tracked) {
        first.offer([Double(step)], before: step, tracked: tracked)
      }
      if second?.wantsPoint(before: step, tracked: tracked) == true {
        second?.offer([Double(step)], before: step, tracked: tracked)
      }
      let report = StepReport(loss: loss, gradientNorm: 1)
      let alarm = first.observe(step: step, report: report, rate: 0.1, tracked: tracked)
      guard second != nil else { continue }
      alarms.append(alarm)
      resumed.append(second!.observe(step: step, report: report, rate: 0.1, tracked: tracked))
    }
    #expect(alarms == resumed && alarms.contains { $0 != nil })
    #expect(second?.point == first.point)
  }
}
