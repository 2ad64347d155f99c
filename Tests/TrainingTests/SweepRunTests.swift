import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms
import Testing

@testable import Training

/// Lanes of a sweep against single runs, which other tests hold to updates by hand.
@Suite struct SweepRunTests {
  static let problem = Regression()
  static let rates = [0.003, 0.03, 0.01, 0.025, 0.02, 0.001, 0.005]

  private func starts<Scalar: LinearMapScalar>(_ seed: Int) -> [Scalar] {
    Self.problem.start.enumerated().map { Scalar($1 * (1 + 0.1 * Double((seed + $0) % 3))) }
  }

  /// Each rate from two starts; batches of a seed each.
  private func lanes<Scalar: LinearMapScalar>(_ batches: [Batches?]) -> [SweepLane<Scalar>] {
    batches.enumerated().flatMap { seed, batches in
      Self.rates.map { SweepLane(rate: $0, start: starts(seed), batches: batches) }
    }
  }

  /// The largest relative distance of any lane from the run of its own, and that losses agree as well.
  private func distance<Scalar: LinearMapScalar>(
    _ loss: Objective<Scalar>, _ optimizer: any Optimizer, _ batches: [Batches?],
    rules: StepRules = StepRules(), schedule: any Schedule = Constant(), chunk: Int? = nil,
    steps: Int = 12
  ) throws -> Double {
    let sweep = try SweepRun(
      loss, optimizer, lanes: lanes(batches), rules: rules, lanesPerChunk: chunk)
    var worst = 0.0
    for (lane, course) in try zip(
      sweep.lanes, sweep.train(steps: steps, schedule: schedule))
    {
      let run = try TrainingRun(
        loss, optimizer, rate: lane.rate, from: lane.start,
        gradients: lane.batches.map { .batches($0) } ?? .allSamples, rules: rules)
      var schedule = schedule
      var losses: [Double] = []
      for step in 0..<steps {
        run.rate = schedule.rate(ScheduleMoment(step: step, stepCount: steps, rate: lane.rate))
        losses.append(try run.step().loss)
      }
      #expect(course.brokenAt == nil && course.rate == lane.rate)
      worst = max(
        worst, relativeDistance(course.losses, losses),
        relativeDistance(
          course.parameters.map { Double($0) }, run.parameters.map { Double($0) }))
    }
    return worst
  }

  @Test(arguments: OptimizerCatalogue.all.map(\.name))
  func lanesAreSingleRuns(_ name: String) throws {
    let optimizer = try OptimizerSetting(name).make()
    let loss: Objective<Double> = try Self.problem.objective()
    #expect(try distance(loss, optimizer, [nil]) < 1e-12)
    let batches: [Batches?] = [3, 5].map { Batches(size: 3, seed: $0) }
    #expect(try distance(loss, optimizer, batches) < 1e-12)
    #expect(try distance(loss, optimizer, batches, chunk: 3) < 1e-12)
    let drawn: [Batches?] = [Batches(size: 2, seed: 9, sampling: .replacement)]
    #expect(try distance(loss, optimizer, drawn) < 1e-12)
  }

  @Test func lanesAreSingleRunsOnOnnxRuntime() throws {
    let (double, single) = try (
      Self.problem.objective(executor: OnnxExecutor()) as Objective<Double>,
      Self.problem.objective(executor: OnnxExecutor()) as Objective<Float>
    )
    for optimizer: any Optimizer in [Momentum(), Nesterov(), Adam()] {
      for batches: [Batches?] in [[nil], [Batches(size: 3, seed: 1), nil]] {
        #expect(try distance(double, optimizer, batches) < 1e-12)
        #expect(try distance(single, optimizer, batches) < 2e-5)
      }
    }
  }

  @Test func optimizersOutsideOfTheCatalogueGoToo() throws {
    let loss: Objective<Double> = try Self.problem.objective()
    for (optimizer, _) in OptimizerTests.unlisted {
      let worst = try distance(loss, optimizer, [nil])
      #expect(worst < 1e-12, "\(optimizer.name)")
    }
  }

  @Test func rulesGoToo() throws {
    var rules = StepRules()
    rules.clipNorm = 0.5
    rules.weightDecay = 0.1
    rules.rateFactors = [.tensor([1, 2, 3, 4, 5, 6]), .scalar(0.5), .scalar(1)]
    let loss: Objective<Double> = try Self.problem.objective()
    #expect(try distance(loss, Momentum(), [Batches(size: 3, seed: 1)], rules: rules) < 1e-12)
  }

  private struct Halving: Schedule {
    let name = "halving"
    let phrase = "halving"
    func rate(_ moment: ScheduleMoment) -> Double {
      moment.rate / Double(1 << (moment.step / 4))
    }
  }

  @Test func eachLaneHasItsSchedule() throws {
    let loss: Objective<Double> = try Self.problem.objective()
    #expect(
      try distance(loss, GradientDescent(), [Batches(size: 3, seed: 1)], schedule: Halving())
        < 1e-12)
  }

  /// A lane beyond the limit of a quadratic overflows; the others end where they would without it.
  @Test func aLaneThatOverflowsHarmsNoOther() throws {
    let loss: Objective<Float> = try quadratic([1, 4])
    func lanes(_ rates: [Double]) -> [SweepLane<Float>] {
      rates.map { SweepLane(rate: $0, start: [1, 1]) }
    }
    let healthy = try SweepRun(loss, GradientDescent(), lanes: lanes([0.1, 0.2, 0.4]))
      .train(steps: 300)
    let mixed = try SweepRun(loss, GradientDescent(), lanes: lanes([0.1, 3, 0.2, 1.5, 0.4]))
      .train(steps: 300)
    #expect([0, 2, 4].map { mixed[$0].parameters } == healthy.map(\.parameters))
    #expect([0, 2, 4].allSatisfy { mixed[$0].brokenAt == nil && mixed[$0].losses.count == 300 })
    for lane in [1, 3] {
      let course = mixed[lane]
      // The factor of a step is 1 - 4 rate: the loss overflows float32 when its square passes 3.4e38.
      let factor = abs(1 - 4 * course.rate)
      let broken = try #require(course.brokenAt)
      #expect(abs(Double(broken) - 38.5 / log10(factor) / 2) < 3, "\(broken)")
      let isFinite = course.losses.allSatisfy { $0.isFinite }
      let isInPlace = course.parameters.allSatisfy { $0.isFinite }
      #expect(course.losses.count == broken && isFinite && isInPlace)
    }
  }

  @Test func whatCannotBeSharedIsRunLaneByLane() throws {
    let lanes: [SweepLane<Double>] = Self.rates.map { SweepLane(rate: $0, start: starts(0)) }
    let shared = try SweepRun(Self.problem.objective(), Adam(), lanes: lanes)
    #expect(shared.chunks.map(\.count) == [7])
    // By rate, whatever the order of the lanes.
    #expect(shared.chunks[0].map { Self.rates[$0] } == Self.rates.sorted())
    let closures = ClosureLoss<Double>(Self.problem.closures, executor: ReferenceExecutor())
    let alone = try SweepRun(closures, Adam(), lanes: lanes)
    #expect(alone.chunks.map(\.count) == [1, 1, 1, 1, 1, 1, 1])
    let cut = try SweepRun(Self.problem.objective(memoryBudget: 2000), Adam(), lanes: lanes)
    #expect(cut.chunks.count == 7)
    let (a, b, c) = try (shared.train(steps: 9), alone.train(steps: 9), cut.train(steps: 9))
    for lane in lanes.indices {
      #expect(relativeDistance(a[lane].parameters, b[lane].parameters) < 1e-12)
      #expect(relativeDistance(a[lane].parameters, c[lane].parameters) < 1e-12)
    }
  }

  private struct Measuring: Schedule {
    let name = "measuring"
    let phrase = "measuring"
    let measurement: ScheduleMeasurement? = .sharpness(every: 3)
    func rate(_ moment: ScheduleMoment) -> Double { moment.rate }
  }

  @Test func aScheduleThatMeasuresIsRefused() throws {
    let sweep = try SweepRun(
      Self.problem.objective(), Adam(), lanes: [SweepLane<Double>(rate: 1, start: starts(0))])
    let refusal = TrainingError.noSweep("the schedule measuring measures each run on its way")
    #expect(throws: refusal) { try sweep.train(steps: 1, schedule: Measuring()) }
  }
}
