import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Sweeps over learning rates, and the rate chosen before a run, on losses whose limits are known otherwise.
@Suite struct SweepTests {
  static let table = TestTable.linear(40, scales: [1, 2, 0.5], seed: 4)

  /// The largest eigenvalue of `A'A / n` with `A = [X 1]`, by the power method.
  static func sharpness(_ table: TabularProblem) -> Double {
    let (n, d) = (table.sampleCount, table.featureCount)
    let rows = (0..<n).map { Array(table.features[$0 * d..<($0 + 1) * d]) + [1] }
    var vector = [Double](repeating: 1, count: d + 1)
    var value = 0.0
    for _ in 0..<2000 {
      var next = [Double](repeating: 0, count: d + 1)
      for row in rows {
        let product = zip(row, vector).reduce(0) { $0 + $1.0 * $1.1 } / Double(n)
        for index in next.indices { next[index] += product * row[index] }
      }
      value = next.reduce(0) { $0 + $1 * $1 }.squareRoot()
      vector = next.map { $0 / value }
    }
    return value
  }

  static func sweep(
    _ table: TabularProblem, _ range: RateRange, _ change: (inout SweepRequest) -> Void = { _ in }
  ) throws -> SweepReport {
    var request = SweepRequest(.memory("table"), rates: range)
    change(&request)
    return try measureSweep(
      of: DiagnosisProblem(table), request: request, executor: ReferenceExecutor())
  }

  @Test func `runs diverge from the predicted limit on`() throws {
    let report = try Self.sweep(Self.table, RateRange(0.01, 4, count: 40))
    let limit = 2 / Self.sharpness(Self.table)
    let (stable, diverged) = try (
      #require(report.boundary.stable), #require(report.boundary.diverged)
    )
    #expect(stable < limit && limit < diverged && diverged / stable < 1.2)
    #expect(report.limits.map(\.place) == [.start, .end])
    for place in report.limits { #expect(abs(place.rate / limit - 1) < 2e-3) }
    let best = try #require(report.best)
    #expect(best.lower <= best.rate && best.rate <= best.upper && best.rate < limit)
    #expect(
      report.rates.allSatisfy { $0.isDiverged || $0.mean! >= best.loss * (1 - 1e-6) })
    #expect(report.lanesPerChunk == 40)
    let json = try report.json()
    #expect(try JSONDecoder().decode(SweepReport.self, from: Data(json.utf8)) == report)
  }

  @Test func `seeds give an interval`() throws {
    let report = try Self.sweep(
      TestTable.classes(
        60, features: 3, count: 3, seed: 2, model: .mlp(hidden: [4], activation: .tanh)),
      RateRange(1e-3, 3, count: 8)
    ) {
      $0.batch = 8
      $0.epochs = 3
      $0.seeds = 4
      $0.optimizer = try! OptimizerSetting("adam")
      $0.rangeTest = true
    }
    #expect(report.steps == 24 && report.rates.allSatisfy { $0.losses.count == 4 })
    // Starts and batches differ from seed to seed.
    #expect(report.rates.allSatisfy { Set($0.losses).count == 4 })
    let best = try #require(report.best)
    #expect(best.sentence.contains("4 seeds"))
    // Adam has no limit before its first step.
    #expect(report.limits.map(\.place) == [.end] && report.limits[0].isPreconditioned)
    #expect(report.rangeTest?.rates.first == 1e-3)
  }

  @Test func `the same run again is no seed`() {
    #expect(throws: DiagnosisFailure.self) {
      try Self.sweep(Self.table, RateRange(0.01, 1, count: 3)) { $0.seeds = 2 }
    }
  }

  @Test func `requests come back from JSON, and odd ones are refused`() throws {
    var request = SweepRequest(.memory("m"), rates: RateRange(1e-4, 10, count: 64))
    request.batch = 32
    request.seeds = 5
    request.auto = true
    request.sampling = .replacement
    request.warmUp = 0.1
    request.rules.clipNorm = 2
    request.heldOut = .share(0.2)
    let data = try JSONEncoder().encode(request)
    #expect(try JSONDecoder().decode(SweepRequest.self, from: data) == request)
    for change: (inout SweepRequest) -> Void in [
      { $0.rates.lower = 0 }, { $0.rates.upper = 1e-5 }, { $0.rates.count = 1 }, { $0.seeds = 0 },
      { $0.batch = 0 }, { $0.batch = nil }, { $0.warmUp = 0 }, { $0.rules.clipNorm = -1 },
      {
        $0.steps = 3
        $0.epochs = 2
      },
    ] {
      var odd = request
      change(&odd)
      #expect(throws: RequestError.self) { try odd.check() }
    }
    #expect(RateRange("1e-4:10:64") == RateRange(1e-4, 10, count: 64))
    #expect(RateRange("1:2")?.count == 24 && RateRange("1") == nil && RateRange("1:2:3:4") == nil)
    let rates = RateRange(0.01, 1, count: 3).rates
    #expect(rates[0] == 0.01 && abs(rates[1] - 0.1) < 1e-15 && rates[2] == 1)
  }
}

@Suite struct AutoRateTests {
  private func choose(
    _ loss: any Loss<Double>, _ optimizer: any Optimizer, from start: [Double],
    batches: Batches? = nil, schedule: any Schedule = Constant(), steps: Int
  ) throws -> AutoRateAnswer {
    try chooseRate(loss, optimizer, from: start, batches: batches, schedule: schedule, steps: steps)
  }

  private func bowl(_ eigenvalues: [Double]) throws -> Objective<Double> {
    let definition = LossDefinition(parameters: [.init("x", [eigenvalues.count])]) { p, _ in
      let factors = p[0].builder.constant(Tensor(eigenvalues, type: p[0].type))
      return (p[0].square() * factors).sum() * 0.5
    }
    return try Objective(definition, data: [], executor: ReferenceExecutor())
  }

  /// The loss after so many steps of plain descent, in closed form.
  private func loss(_ eigenvalues: [Double], rate: Double, steps: Int) -> Double {
    eigenvalues.reduce(0) { $0 + 0.5 * $1 * pow(1 - rate * $1, 2 * Double(steps)) }
  }

  @Test func `on a bowl the rate is near the best of all`() throws {
    for eigenvalues in [[1.0, 3], [0.02, 0.5, 40], [2, 2.5, 3]] {
      let answer = try choose(
        bowl(eigenvalues), GradientDescent(), from: eigenvalues.map { _ in 1 }, steps: 20)
      guard case .rate(let auto) = answer else {
        Issue.record("\(answer)")
        continue
      }
      let limit = 2 / eigenvalues.max()!
      #expect(abs(auto.limit! / limit - 1) < 1e-6 && auto.noise == nil && auto.steps == 20)
      #expect(auto.lower <= auto.rate && auto.rate <= auto.upper && auto.rate < limit)
      let best = (1...2000).map { loss(eigenvalues, rate: limit * Double($0) / 2000, steps: 20) }
        .min()!
      let start = loss(eigenvalues, rate: 0, steps: 1)
      #expect(loss(eigenvalues, rate: auto.rate, steps: 20) - best < 0.02 * start)
    }
  }

  @Test func `batches have noise, and the same seed gives the same rate`() throws {
    let problem = DiagnosisProblem(TestTable.linear(50, scales: [1, 1], noise: 1, seed: 3))
    let loss: any Loss<Double> = try problem.loss(
      executor: ReferenceExecutor(), memory: 1 << 30, context: RunContext())
    for optimizer: any Optimizer in [Momentum(), Adam()] {
      func answer() throws -> AutoRateAnswer {
        try choose(
          loss, optimizer, from: problem.start, batches: Batches(size: 5, seed: 1), steps: 60)
      }
      guard case .rate(let auto) = try answer() else {
        Issue.record("no rate")
        continue
      }
      #expect(try answer() == .rate(auto))
      let noise = try #require(auto.noise)
      let expected = try #require(auto.expected)
      #expect(noise > 0 && expected == auto.limit! / 2 / (1 + noise))
      #expect(auto.candidates.map(\.rate) == auto.candidates.map(\.rate).sorted())
      #expect(auto.sentence.contains("noise") && auto.orders == 2)
      // No candidate of the short runs is much better than what was chosen between them.
      let least = auto.candidates.compactMap(\.loss).min()!
      let chosen = auto.candidates.min {
        abs(log($0.rate / auto.rate)) < abs(log($1.rate / auto.rate))
      }!
      #expect(chosen.loss! <= 1.5 * least)
    }
  }

  @Test func `the noise is the variance over the squared gradient`() throws {
    // Gradients x - a_i at x = 1 for a = +-3: the mean is 1, the variance 9 for one sample at a time.
    let definition = LossDefinition(parameters: [.init("x", [1])]) { p, data in
      (p[0] - data[0]).square().mean() * 0.5
    }
    let objective = try Objective<Double>(
      definition, data: [Tensor([3.0, -3.0], type: .float64(2, 1))], executor: ReferenceExecutor())
    guard
      case .rate(let auto) = try choose(
        objective, GradientDescent(), from: [1], batches: Batches(size: 1, seed: 1), steps: 10)
    else {
      // Noise may leave no rate that lowers the loss in ten steps: then that is said.
      return
    }
    #expect(abs(auto.noise! - 9) < 1e-12)
  }

  private struct Measuring: Schedule {
    let name = "measuring"
    let phrase = "measuring"
    let measurement: ScheduleMeasurement? = .sharpness(every: 3)
    func rate(_ moment: ScheduleMoment) -> Double { moment.rate }
  }

  @Test func `what no rate can be found for is refused with the reason`() throws {
    func refusal(_ answer: AutoRateAnswer) -> String {
      if case .refused(let reason) = answer { reason } else { "" }
    }
    let bowl = try bowl([1, 3])
    #expect(
      refusal(try choose(bowl, GradientDescent(), from: [0, 0], steps: 9)).contains("is zero"))
    for name in ["prodigy", "polyak"] {
      let optimizer = try OptimizerSetting(name).make()
      #expect(
        refusal(try choose(bowl, optimizer, from: [1, 1], steps: 9)).contains("by itself"),
        "\(name)")
    }
    #expect(
      refusal(try choose(bowl, GradientDescent(), from: [.nan, 0], steps: 9)).contains("not finite")
    )
    #expect(
      refusal(
        try choose(bowl, GradientDescent(), from: [1, 1], schedule: Measuring(), steps: 9)
      ).contains("measuring"))
    let dome = try self.bowl([-1, -3])
    #expect(
      refusal(try choose(dome, GradientDescent(), from: [1, 1], steps: 9)).contains("upwards"))
  }
}
