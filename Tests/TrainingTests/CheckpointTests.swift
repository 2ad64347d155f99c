import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// A trainer that is stopped at any step and taken up from the bytes of its checkpoint goes on bit for bit.
@Suite struct CheckpointTests {
  /// Lowers the rate where the losses it is told do not fall, and counts what it was asked.
  private struct Falling: Schedule {
    let name = "falling"
    let phrase = "falling"
    let measurement: ScheduleMeasurement? = .sharpness(every: 2)
    var memory: [Double] = [1, .infinity, 0]
    mutating func rate(_ moment: ScheduleMoment) -> Double {
      if case .sharpness(let value)? = moment.measured { memory[2] += value }
      return moment.rate * memory[0] / (1 + 0.001 * memory[2])
    }
    mutating func observe(loss: Double) {
      if loss > memory[1] { memory[0] *= 0.7 }
      memory[1] = loss
    }
  }

  /// Keeps a vector and how often it looked.
  private struct Drift: Tracker {
    let name = "drift"
    let phrase = "how far the parameters went since the last check"
    let hyperparameters: [String: Double] = [:]
    let period = 2
    func check<Scalar>(
      _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
    ) throws -> [TrackedValue] {
      let now = moment.point.map { Double($0) }
      let before = memory.vectors["before"] ?? now
      memory.vectors["before"] = now
      memory.numbers["looks", default: 0] += 1
      return [
        TrackedValue("drift", norm(zip(now, before).map { $0 - $1 }), threshold: 0.05)
      ]
    }
  }

  /// Alarms whenever the drift passes its threshold a second time.
  private struct Second: RunGuard {
    var memory: [Double] = [0]
    mutating func observe(
      step: Int, report: StepReport, rate: Double, tracked: [TrackedValue]
    ) -> GuardAlarm? {
      guard tracked.contains(where: { $0.value > $0.threshold ?? .infinity }) else { return nil }
      memory[0] += 1
      return memory[0] >= 2 ? GuardAlarm("drift \(memory[0])", rateFactor: 0.9) : nil
    }
  }

  private final class Box { var bytes: Data? }

  // Unchecked: it stays on one thread.
  private final class Count: @unchecked Sendable { var value = 0 }

  private static let steps = 9
  static let methods = TrainingMethod.names

  private func trainer<Scalar: LinearMapScalar>(
    _ name: String, _ batches: Batches?, from kept: TrainerState<Scalar>? = nil,
    into box: Box, every period: Int
  ) throws -> Trainer<Scalar> {
    let problem = Regression()
    let loss: Objective<Scalar> = try problem.objective()
    let start = problem.start.map { Scalar($0) }
    let run: any TrainingSteps<Scalar>
    let isMethod: Bool
    switch try TrainingMethod(name) {
    case .optimizer(let setting):
      isMethod = false
      var rules = StepRules()
      rules.clipNorm = 0.5
      rules.weightDecay = 0.01
      run =
        try kept.map { try TrainingRun(resuming: $0.run, of: loss, rules: rules) }
        ?? TrainingRun(
          loss, setting.make(), rate: 0.1, from: start,
          gradients: batches.map { .batches($0) } ?? .allSamples, rules: rules)
    case .method(let setting):
      isMethod = true
      run =
        try kept.map { try setting.make().resume($0.run, of: loss) }
        ?? setting.make().start(loss, from: start)
    }
    let trainer = Trainer(
      run, rate: isMethod ? 1 : 0.1, steps: Self.steps,
      stepsPerPass: batches?.stepsPerPass(7) ?? 1, schedule: Falling(), trackers: [Drift()],
      watch: Second(), action: .lowerRate, seed: 4,
      evaluator: TrainingEvaluator(every: 3) { point in
        let value = try loss.value(at: point)
        // Falls, and rises again.
        return (DataReading(loss: value), DataReading(loss: abs(value - 0.9)))
      }, patience: 2,
      keeping: CheckpointKeeping(every: period) { state in
        let checkpoint = Checkpoint(fingerprint: "f", request: "{}", state: state)
        box.bytes = try checkpoint.bytes()
        return "\(state.run.stepCount)"
      },
      remembering: { _, run, memory in
        memory.numbers["looks", default: 0] += 1
        memory.vectors["point"] = run.parameters.map { Double($0) }
        return .sharpness(memory.numbers["looks"]!)
      })
    if let kept { trainer.restore(kept) }
    return trainer
  }

  private func check<Scalar: LinearMapScalar>(
    _ name: String, _ batches: Batches?, _: Scalar.Type
  ) throws {
    let whole: Trainer<Scalar> = try trainer(name, batches, into: Box(), every: 100)
    var rates: [Double] = []
    let ending = try whole.train {
      if case .step(let record) = $0 { rates.append(record.rate) }
    }
    for stop in 0..<whole.run.stepCount {
      let box = Box()
      let first: Trainer<Scalar> = try trainer(name, batches, into: box, every: 1)
      let taken = Count()
      let interrupted = try first.train(RunContext(isCancelled: { taken.value >= stop })) {
        if case .step = $0 { taken.value += 1 }
      }
      #expect(interrupted.reason == .interrupted)
      let kept = try Checkpoint<Scalar>(#require(box.bytes))
      #expect(kept.state.run.stepCount == stop && kept.fingerprint == "f" && kept.request == "{}")
      let second: Trainer<Scalar> = try trainer(
        name, batches, from: kept.state, into: box, every: 2)
      var rest: [Double] = []
      let other = try second.train {
        if case .step(let record) = $0 { rest.append(record.rate) }
      }
      #expect(other == ending, "\(name) stopped at \(stop)")
      #expect(rest == Array(rates[stop...]), "\(name) stopped at \(stop)")
      #expect(second.run.parameters == whole.run.parameters, "\(name) stopped at \(stop)")
      #expect(second.result == whole.result)
      #expect(second.history.resumedAfter == [stop])
      #expect(second.history.evaluations == whole.history.evaluations)
      #expect(second.history.alarms == whole.history.alarms)
      #expect(second.history.tracked == whole.history.tracked)
    }
  }

  @Test(arguments: methods) func goesOnBitForBit(name: String) throws {
    if MethodCatalogue.named(name) == nil {
      try check(name, Batches(size: 3, seed: 5), Double.self)
      try check(name, Batches(size: 2, seed: 5, sampling: .replacement), Float.self)
    }
    try check(name, nil, Double.self)
    try check(name, nil, Float.self)
  }

  private func somewhere() throws -> Data {
    let box = Box()
    let trainer: Trainer<Double> = try trainer("adam", nil, into: box, every: 2)
    _ = try trainer.train()
    return try #require(box.bytes)
  }

  @Test func numbersAreNotRounded() throws {
    var state = try Checkpoint<Double>(somewhere()).state
    let odd: [Double] = [.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, 0.1 + 0.2, .pi]
    state.run.state = odd
    state.run.numbers = odd
    state.memories.schedule = odd
    state.memories.watch = odd
    state.memories.trackers[0].vectors["odd"] = odd
    state.memories.trackers[0].numbers["odd"] = -.infinity
    state.memories.rateFactor = 0.1 + 0.2
    state.memories.lossSum = .leastNonzeroMagnitude
    let back = try Checkpoint<Double>(
      Checkpoint(fingerprint: "", request: "", state: state).bytes()
    ).state
    func bits(_ values: [Double]) -> [UInt64] { values.map(\.bitPattern) }
    #expect(bits(back.run.state) == bits(odd) && bits(back.run.numbers) == bits(odd))
    #expect(bits(back.memories.schedule) == bits(odd))
    #expect(bits(back.memories.watch ?? []) == bits(odd))
    #expect(bits(back.memories.trackers[0].vectors["odd"] ?? []) == bits(odd))
    #expect(back.memories.trackers[0].numbers["odd"] == -.infinity)
    #expect(back.memories.rateFactor == 0.1 + 0.2)
    #expect(back.memories.lossSum == .leastNonzeroMagnitude)
    #expect(back.run.parameters == state.run.parameters)
  }

  @Test func damageIsDetected() throws {
    let bytes = try somewhere()
    #expect(throws: Never.self) { try Checkpoint<Double>(bytes) }
    var generator = SeededGenerator(seed: 11)
    var damaged = (0..<8).map { bytes.prefix($0 * bytes.count / 8) }
    damaged += [bytes.dropLast(), bytes + [0], Data()]
    for _ in 0..<200 {
      var changed = bytes
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      changed[place] ^= UInt8(1 << Int.random(in: 0..<8, using: &generator))
      damaged.append(changed)
    }
    for one in damaged {
      let error = try #require(throws: CheckpointError.self) { try Checkpoint<Double>(one) }
      guard case .damaged = error else {
        Issue.record("\(error)")
        continue
      }
    }
    let error = try #require(throws: CheckpointError.self) { try Checkpoint<Float>(bytes) }
    #expect(error == .foreign("it is in float64, and this run in float32"))
  }

  @Test func aFingerprintTellsThingsApart() {
    func text(_ add: (inout Fingerprint) -> Void) -> String {
      var print = Fingerprint()
      add(&print)
      return print.text
    }
    // The published value of the empty string and of "a".
    #expect(text { _ in } == "cbf29ce484222325")
    #expect(
      text { print in withUnsafeBytes(of: UInt8(ascii: "a")) { print.add($0) } }
        == "af63dc4c8601ec8c")
    let texts = [["ab", "c"], ["a", "bc"]].map { parts in
      text { for part in parts { $0.add(part) } }
    }
    #expect(texts[0] != texts[1])
    #expect(text { $0.add([0.0]) } != text { $0.add([-0.0]) })
  }

  @Test func aRunThatHasEndedOnlySaysSo() throws {
    let box = Box()
    let first: Trainer<Double> = try trainer("gd", nil, into: box, every: 100)
    let ending = try first.train()
    let kept = try Checkpoint<Double>(#require(box.bytes))
    #expect(kept.state.ending == ending)
    let second: Trainer<Double> = try trainer("gd", nil, from: kept.state, into: box, every: 100)
    var events = 0
    #expect(try second.train { _ in events += 1 } == ending)
    #expect(events == 0 && second.result == first.result)
  }

  @Test func aFullPlaceEndsTheRun() throws {
    struct Full: Error {}
    let problem = Regression()
    let trainer = Trainer<Double>(
      try TrainingRun(problem.objective(), GradientDescent(), rate: 0.1, from: problem.start),
      rate: 0.1, steps: 9,
      keeping: CheckpointKeeping(every: 3) { state in
        if state.run.stepCount == 6 { throw Full() }
        return ""
      })
    #expect(throws: Full.self) { try trainer.train() }
    #expect(trainer.run.stepCount == 6)
  }
}
