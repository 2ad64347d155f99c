import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// The watch of a loop that somebody else runs, beside a trainer's of the same run.
@Suite struct LoopWatchTests {
  /// Plain descent by hand, watched.
  private func loop(
    _ watch: LoopWatch, _ loss: Objective<Double>, from start: [Double], rates: [Double],
    rule: StepRule = .gradientDescent
  ) throws -> (losses: [Double], alarms: [(step: Int, alarm: GuardAlarm)]) {
    var x = start
    var kept: [Int: [Double]] = [:]
    var losses: [Double] = []
    var alarms: [(step: Int, alarm: GuardAlarm)] = []
    for (step, rate) in rates.enumerated() {
      let (value, gradient) = try loss.valueAndGradient(at: x)
      let used = rate * watch.rateFactor
      for index in x.indices { x[index] -= used * gradient[index] }
      losses.append(value)
      if let alarm = try watch.observe(loss: value, rate: used) {
        alarms.append((step, alarm))
        if alarm.goesBack, let point = watch.pointStep.flatMap({ kept[$0] }) { x = point }
      }
      let next = (step + 1 < rates.count ? rates[step + 1] : rate) * watch.rateFactor
      if watch.wantsCheck(rate: next) {
        try watch.check(
          TrackingMoment(
            at: x, sample: loss, rate: next, seed: 0,
            stepper: TrackingMoment.Stepper(rule: rule)))
      }
      if let steps = watch.keepPoint() {
        kept = kept.filter { steps.contains($0.key) }
        kept[watch.stepCount] = x
      }
    }
    return (losses, alarms)
  }

  @Test func seesWhatATrainerSees() throws {
    let network = SmallNetwork.chebyshev(seed: 1)
    let loss: Objective<Double> = try network.objective(ReferenceExecutor())
    let rates = [Double](repeating: 0.4, count: 120)
    var layers: [TrackedValue] = []
    let watch = LoopWatch(
      trackers: try ["sharpness", "layers"].map {
        try TrackerSetting($0, ["period": 20]).make()
      }, action: .warn, period: 20
    ) { if case .tracked(let record) = $0 { layers += record.values } }
    let seen = try loop(watch, loss, from: network.start.map { Double($0) }, rates: rates)
    let run = try TrainingRun(
      loss, GradientDescent(), rate: 0.4, from: network.start.map { Double($0) })
    let trainer = Trainer(
      run, rate: 0.4, steps: 120,
      trackers: try ["sharpness", "layers"].map {
        try TrackerSetting($0, ["period": 20]).make()
      }, watch: StabilityGuard(.warn, period: 20), action: .warn)
    var expected: [Int: [TrackedValue]] = [:]
    _ = try trainer.train {
      if case .tracked(let record) = $0 { expected[record.step, default: []] += record.values }
    }
    #expect(seen.alarms.isEmpty && watch.stepCount == 120)
    let speed = layers.filter { $0.name == "update-to-weight" }
    let theirs = expected[100]?.first { $0.name == "update-to-weight" }
    let ours = watch.history.tracked.first { $0.name == "update-to-weight" }
    #expect(!speed.isEmpty && abs(ours!.last - theirs!.value) < 1e-9)
    let sharpness = try #require(watch.history.tracked.first { $0.name == "sharpness" })
    let last = try #require(trainer.history.tracked.first { $0.name == "sharpness" })
    // Looks at other steps mix in other noise; both are within their residuals.
    #expect(abs(sharpness.last - last.last) < 0.25 * last.last)
    #expect(sharpness.threshold == 5)
  }

  /// A rate that doubles asks for a check at once, and the alarm comes while the loss is in its band.
  @Test func foretellsALossThatLeavesItsBand() throws {
    let loss = try Objective<Double>(
      LossDefinition(parameters: [.init("w", [2])]) { w, _ in
        // Curvatures of 1 and 0.01.
        ((w[0] * w[0].builder.constant(Tensor([1.0, 0.1], shape: [2]))).square()).sum() * 0.5
      }, data: [], executor: ReferenceExecutor())
    let rates = (0..<100).map { $0 < 43 ? 1.9 : 3.6 }
    func watched(_ action: GuardAction) throws -> (
      LoopWatch, [Double], [(step: Int, alarm: GuardAlarm)]
    ) {
      let watch = LoopWatch(
        trackers: [try TrackerSetting("sharpness", ["period": 20]).make()], action: action,
        period: 20)
      let (losses, alarms) = try loop(watch, loss, from: [1, 1], rates: rates)
      return (watch, losses, alarms)
    }
    let (_, losses, alarms) = try watched(.warn)
    let first = try #require(alarms.first)
    let left = try #require(losses.indices.first { losses[$0] > 10 * losses[0] })
    #expect(first.step > 43 && first.step < left)
    #expect(first.alarm.sentence.contains("rates above 2 are unstable"))
    let (watch, saved, lowered) = try watched(.lowerRate)
    #expect(!lowered.isEmpty && watch.rateFactor <= 0.5)
    #expect(saved.last! < losses[0] && saved.last!.isFinite)
  }

  @Test func goesOnFromItsState() throws {
    let make = {
      LoopWatch(
        trackers: [try TrackerSetting("sharpness", ["period": 10]).make()], action: .warn,
        period: 10)
    }
    let network = SmallNetwork.chebyshev(seed: 1)
    let loss: Objective<Double> = try network.objective(ReferenceExecutor())
    let watch = try make()
    _ = try loop(
      watch, loss, from: network.start.map { Double($0) },
      rates: [Double](repeating: 0.2, count: 25))
    let other = try make()
    #expect(try other.restore(watch.state))
    #expect(other.stepCount == 25 && other.history == watch.history)
    #expect(other.stepsToCheck == 5 && watch.stepsToCheck == 5)
    let wrong = LoopWatch(trackers: [], action: .warn, period: 10)
    #expect(try !wrong.restore(watch.state))
  }
}
