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
      let warned = lost.alarms.filter { $0.alarm.sentence.contains("unstable") }
      #expect(lost.alarms.count <= 2 && warned.count == lost.alarms.count, "\(name)")
      let saved = try run(.lowerRate, steps: 1200)
      #expect(saved.ending.reason == .finished, "\(name): \(saved.ending)")
      #expect(
        saved.losses.last!.isFinite && saved.losses.last! < saved.losses[0],
        "\(name): \(saved.losses.last!) after \(saved.losses[0])")
      let alarm = try #require(saved.alarms.first, "\(name)")
      #expect(alarm.alarm.sentence.contains("goes back to step"), "\(alarm)")
      #expect(saved.rates.last! < lost.rates.last!, "\(name)")
    }
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
      if first.wantsPoint(before: step, tracked: tracked) { first.point = [Double(step)] }
      if second?.wantsPoint(before: step, tracked: tracked) == true {
        second?.point = [Double(step)]
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
