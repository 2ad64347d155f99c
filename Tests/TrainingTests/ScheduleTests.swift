import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// What every schedule of the catalogue has to keep, with and without a warm-up, and known values.
@Suite struct ScheduleTests {
  /// What a measuring schedule could be told at a step, and losses on the way.
  private func moment(
    _ schedule: any Schedule, _ step: Int, of count: Int, rate: Double = 0.3
  ) -> ScheduleMoment {
    var moment = ScheduleMoment(step: step, stepCount: count, rate: rate)
    if let measurement = schedule.measurement, step % measurement.period == 0 {
      var generator = SeededGenerator(seed: UInt64(step))
      let value = generator.nextUniform()
      // Now and then what a run that goes wrong gives.
      let odd: Double? = step % 7 == 3 ? [.nan, 0, -1, .infinity][step % 4] : nil
      moment.measured =
        switch measurement {
        case .sharpness: .sharpness(odd ?? 1 + value)
        case .directionalCurvature:
          .directionalCurvature(slope: odd ?? -1 - value, curvature: odd ?? 3 - value)
        case .criticalRate: .criticalRate(odd ?? 0.5 + value)
        }
    }
    return moment
  }

  private func rates(_ made: any Schedule, _ count: Int) -> [Double] {
    var schedule = made
    return (0..<count).map { step in
      let rate = schedule.rate(moment(schedule, step, of: count))
      schedule.observe(loss: step % 5 == 4 ? .nan : 1 / Double(1 + min(step, 20)))
      return rate
    }
  }

  static let plans: [SchedulePlan] = ScheduleCatalogue.all.flatMap { entry in
    [nil, 0.1, 4, 1000].map { warmUp in
      guard let setting = try? ScheduleSetting(entry.name) else {
        preconditionFailure("\(entry.name) has defaults")
      }
      return SchedulePlan(setting, warmUp: warmUp)
    }
  }

  @Test(arguments: plans)
  func ratesAreFiniteAndNeverNegative(_ plan: SchedulePlan) {
    for count in [1, 2, 3, 4, 5, 7, 10, 97, 1000] {
      let found = rates(plan.make(), count)
      #expect(found.allSatisfy { $0.isFinite && $0 >= 0 }, "\(count) steps: \(found)")
      #expect(found == rates(plan.make(), count))
      #expect(found.contains { $0 > 0 })
    }
  }

  @Test(arguments: plans)
  func goesOnFromItsMemoryAtEveryStep(_ plan: SchedulePlan) throws {
    let count = 60
    var whole = plan.make()
    for step in 0..<count {
      // As a checkpoint keeps it.
      let kept = try JSONDecoder().decode([Double].self, from: JSONEncoder().encode(whole.memory))
      var resumed = plan.make()
      resumed.memory = kept
      for later in step..<min(count, step + 30) {
        if later > step { continue }
        #expect(resumed.memory == whole.memory)
      }
      var branch = whole
      for later in step..<min(count, step + 12) {
        let moment = moment(branch, later, of: count)
        #expect(branch.rate(moment) == resumed.rate(moment))
        branch.observe(loss: Double(later % 4))
        resumed.observe(loss: Double(later % 4))
      }
      _ = whole.rate(moment(whole, step, of: count))
      whole.observe(loss: Double(step % 4))
    }
  }

  /// The warm-up is a line to the first rate of the schedule, which then goes as if its run were the rest.
  @Test(arguments: ScheduleCatalogue.all.map(\.name))
  func warmUpEndsWhereTheScheduleBegins(_ name: String) throws {
    let setting = try ScheduleSetting(name)
    let warm = SchedulePlan(setting, warmUp: 10).make()
    guard warm.measurement == nil else {
      // A constant reading: the line leads to what it makes of it.
      var schedule = warm
      let reading: ScheduleReading =
        switch warm.measurement! {
        case .sharpness: .sharpness(4)
        case .directionalCurvature: .directionalCurvature(slope: -1, curvature: 4)
        case .criticalRate: .criticalRate(0.5)
        }
      let found = (0..<50).map { step in
        schedule.rate(ScheduleMoment(step: step, stepCount: 50, rate: 0.3, measured: reading))
      }
      for step in 0..<10 {
        #expect(close(found[step], found[20] * Double(step + 1) / 11, 1e-14))
      }
      #expect(close(found[10], found[20], 1e-14))
      return
    }
    let (found, bare) = (rates(warm, 50), rates(setting.make(), 40))
    for step in 0..<10 { #expect(close(found[step], bare[0] * Double(step + 1) / 11, 1e-14)) }
    // What counts losses was not told of those of the warm-up.
    if name == "reduce-on-plateau" {
      #expect(found[10] == bare[0])
    } else {
      #expect(Array(found[10...]) == bare)
    }
  }

  /// Smith's policies, by the published code.
  @Test func cyclicalRatesAreThePapers() throws {
    func rate(_ name: String, _ step: Int, _ more: [String: Double] = [:]) throws -> Double {
      let count = 12_000
      var values = more
      values["low"] = 1.0 / 6
      values["half"] = 2000
      if name == "exp-range" { values["fade"] = pow(0.99994, Double(count)) }
      var schedule = try ScheduleCatalogue.entry(name).make(values)
      return schedule.rate(ScheduleMoment(step: step, stepCount: count, rate: 0.006))
    }
    let triangular: [(Int, Double)] = [
      (0, 0.001), (500, 0.00225), (1000, 0.0035), (2000, 0.006), (3000, 0.0035), (4000, 0.001),
      (6000, 0.006),
    ]
    for (step, expected) in triangular {
      #expect(close(try rate("triangular", step), expected, 1e-12))
    }
    #expect(close(try rate("triangular2", 6000), 0.0035, 1e-12))
    #expect(close(try rate("triangular2", 10_000), 0.00225, 1e-12))
    let fading: [(Int, Double)] = [
      (2000, 0.0054345862184085065), (1000, 0.00335440709585463), (6000, 0.004488343954531024),
    ]
    for (step, expected) in fading {
      #expect(close(try rate("exp-range", step), expected, 1e-11))
    }
  }

  /// On `(x - xi_t)^2 / 2` with rates `1 / t` the iterate is the mean of all `xi` so far.
  @Test func inverseTimeMakesRunningMeans() throws {
    var generator = SeededGenerator(seed: 9)
    let draws = (0..<200).map { _ in generator.nextNormal() }
    let loss: Objective<Double> = try quadratic([1])
    let run = try TrainingRun(
      loss, GradientDescent(), rate: 1, from: [5],
      gradients: .closure { point, step in
        (0.5 * (point[0] - draws[step]) * (point[0] - draws[step]), [point[0] - draws[step]])
      })
    let schedule = try ScheduleSetting("inverse-time", ["decay": 2, "length": 2]).make()
    var sum = 0.0
    var largest = 0.0
    let trainer = Trainer(run, rate: 1, steps: 200, schedule: schedule)
    _ = try trainer.train { event in
      guard case .step(let record) = event else { return }
      sum += draws[record.step]
      largest = max(largest, abs(run.parameters[0] - sum / Double(record.step + 1)))
    }
    #expect(largest < 1e-13)
  }

  @Test func plansAreStored() throws {
    for plan in Self.plans {
      let data = try JSONEncoder().encode(plan)
      #expect(try JSONDecoder().decode(SchedulePlan.self, from: data) == plan)
    }
    let short = Data(#"{"schedule": {"name": "cosine", "end": 0.1}, "warmUp": 20}"#.utf8)
    let plan = try JSONDecoder().decode(SchedulePlan.self, from: short)
    #expect(
      plan.phrase
        == "a cosine to 0.1 of the rate over the whole run, after a linear warm-up of 20 steps")
    #expect(try JSONDecoder().decode(SchedulePlan.self, from: Data("{}".utf8)) == SchedulePlan())
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(SchedulePlan.self, from: Data(#"{"warmUp": -1}"#.utf8))
    }
    #expect(throws: CatalogueError.self) {
      try JSONDecoder().decode(
        SchedulePlan.self, from: Data(#"{"schedule": {"name": "cosin"}}"#.utf8))
    }
    #expect(Set(Self.plans.map(\.phrase)).count == Self.plans.count)
  }
}
