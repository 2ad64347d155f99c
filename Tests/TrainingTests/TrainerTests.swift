import Curvature
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

@Suite struct TrainerTests {
  /// Halves the rate after every pass whose loss it was told, and asks for what is measured every 3 steps.
  private struct Halving: Schedule {
    let name = "halving"
    let phrase = "halving"
    let measurement: ScheduleMeasurement? = .sharpness(every: 3)
    var memory: [Double] = [1]
    mutating func rate(_ moment: ScheduleMoment) -> Double {
      if case .sharpness(let value)? = moment.measured { memory[0] = 1 / value }
      return moment.rate * memory[0]
    }
  }

  private struct Norm: Tracker {
    let name = "norm"
    let phrase = "the norm of the parameters"
    let hyperparameters: [String: Double] = [:]
    let period = 2
    func check<Scalar>(
      _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
    ) throws -> [TrackedValue] {
      memory.numbers["checks", default: 0] += 1
      return [TrackedValue("norm", norm(moment.point.map { Double($0) }))]
    }
  }

  /// Alarms at one step.
  private struct Once: RunGuard {
    var memory: [Double] = []
    func observe(
      step: Int, report: StepReport, rate: Double, tracked: [TrackedValue]
    ) -> GuardAlarm? {
      step == 2 && tracked.map(\.name) == ["norm"] ? GuardAlarm("step 2", rateFactor: 0.5) : nil
    }
  }

  private func trainer(_ action: GuardAction, steps: Int = 6) throws -> Trainer<Double> {
    let problem = Regression()
    return Trainer(
      try TrainingRun(problem.objective(), GradientDescent(), rate: 9, from: problem.start),
      rate: 0.2, steps: steps, schedule: Halving(), trackers: [Norm()], watch: Once(),
      action: action, measure: { measurement, run in .sharpness(Double(run.stepCount + 1)) })
  }

  private func rates(_ events: [TrainingEvent]) -> [Double] {
    events.compactMap { if case .step(let record) = $0 { record.rate } else { nil } }
  }

  @Test func tellsWhatHappens() throws {
    var events: [TrainingEvent] = []
    let trainer = try trainer(.lowerRate)
    let ending = try trainer.train { events.append($0) }
    #expect(ending.reason == .finished && trainer.run.stepCount == 6)
    let halved = 0.2 * (1.0 / 4) * 0.5
    #expect(rates(events) == [0.2, 0.2, 0.2, halved, halved, halved])
    let kinds = events.map { event -> String in
      switch event {
      case .started(let step, let count, let pass): "started \(step) \(count) \(pass)"
      case .noted(let note): "noted \(note.step)"
      case .evaluated(let evaluation): "evaluated \(evaluation.step)"
      case .kept(let step, _): "kept \(step)"
      case .step(let record): "step \(record.step)"
      case .tracked(let record): "tracked \(record.step)"
      case .alarm(let step, _): "alarm \(step)"
      case .ended(let step, _): "ended \(step)"
      }
    }
    #expect(
      kinds == [
        "started 0 6 1", "tracked 0", "step 0", "step 1", "tracked 2", "step 2", "alarm 2",
        "step 3", "tracked 4",
        "step 4", "step 5", "ended 6",
      ])
    #expect(trainer.memories == [memory(3)])
  }

  private func memory(_ checks: Double) -> TrackerMemory {
    var memory = TrackerMemory()
    memory.numbers["checks"] = checks
    return memory
  }

  @Test func anAlarmStopsOrOnlyWarns() throws {
    let stopped = try trainer(.stop)
    #expect(try stopped.train() == TrainingEnding(.alarm, "step 2"))
    #expect(stopped.run.stepCount == 3)
    var events: [TrainingEvent] = []
    #expect(try trainer(.warn).train { events.append($0) }.reason == .finished)
    let quarter = 0.2 * (1.0 / 4)
    #expect(Array(rates(events)[3...]) == [quarter, quarter, quarter])
  }

  @Test func endsWhenItIsInterrupted() throws {
    let trainer = try trainer(.off)
    let context = RunContext(isCancelled: { true })
    let ending = try trainer.train(context)
    #expect(ending.reason == .interrupted && trainer.run.stepCount == 0)
  }
}

/// Which samples the steps of a run take.
@Suite struct BatchOrderTests {
  private func passes(_ batches: Batches, samples: Int, steps: Int) -> [[Int]] {
    var order = BatchOrder(sampleCount: samples, batches)
    return (0..<steps).map { Array(order.samples(of: $0)) }
  }

  @Test func shuffledPassesTakeEachSampleOnce() {
    let batches = Batches(size: 3, seed: 5)
    let drawn = passes(batches, samples: 10, steps: 8)
    #expect(batches.stepsPerPass(10) == 4)
    #expect(drawn.map(\.count) == [3, 3, 3, 1, 3, 3, 3, 1])
    #expect(drawn[0..<4].flatMap { $0 }.sorted() == Array(0..<10))
    #expect(drawn[4..<8].flatMap { $0 }.sorted() == Array(0..<10))
    #expect(drawn[0..<4].flatMap { $0 } != drawn[4..<8].flatMap { $0 })
  }

  @Test func theLastBatchCanBeDropped() {
    let batches = Batches(size: 3, seed: 5, last: .dropped)
    let drawn = passes(batches, samples: 10, steps: 6)
    #expect(batches.stepsPerPass(10) == 3)
    #expect(drawn.allSatisfy { $0.count == 3 })
    #expect(Set(drawn[0..<3].flatMap { $0 }).count == 9)
  }

  @Test func replacementDrawsEachBatchByItself() {
    let batches = Batches(size: 4, seed: 5, sampling: .replacement)
    let drawn = passes(batches, samples: 3, steps: 400)
    #expect(drawn.allSatisfy { $0.count == 4 && Set($0).isSubset(of: [0, 1, 2]) })
    // A third each, within five standard deviations of 1,600 draws.
    for sample in 0..<3 {
      let share = Double(drawn.joined().count { $0 == sample }) / 1600
      #expect(abs(share - 1.0 / 3) < 5 * (2.0 / 9 / 1600).squareRoot())
    }
    var order = BatchOrder(sampleCount: 3, batches)
    #expect(Array(order.samples(of: 7)) == drawn[7])
  }
}
