import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// Rates step by step against PyTorch's and optax' schedulers, or a transcription of the paper:
/// `Scripts/schedule-goldens.py`.
@Suite struct ScheduleGoldenTests {
  struct Fixture: Decodable {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
      var source: String
      var schedule: ScheduleSetting
      var rate: Double
      var steps: Int
      var warmUp: Double?
      var losses: [Double]?
      var rates: [Double]
      var testDescription: String { source }
    }
    struct Run: Decodable, Sendable, CustomTestStringConvertible {
      var schedule: ScheduleSetting
      var momentum: Double?
      var rates: [Double]
      var testDescription: String { schedule.name }
    }
    /// `sum_i (curvature_i x_i^2 / 2 + quartic x_i^4 / 4)`.
    struct Problem: Decodable {
      var curvatures: [Double]
      var quartic: Double
      var start: [Double]
    }
    var cases: [Case]
    var problem: Problem
    var measured: [Run]
  }

  static let fixture: Fixture = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/schedules.json")
    guard let data = try? Data(contentsOf: file),
      let fixture = try? JSONDecoder().decode(Fixture.self, from: data)
    else { preconditionFailure("Scripts/schedule-goldens.py writes \(file.path)") }
    return fixture
  }()

  @Test(arguments: fixture.cases)
  func countsAsOthersDo(_ item: Fixture.Case) {
    var schedule = SchedulePlan(item.schedule, warmUp: item.warmUp).make()
    #expect(item.rates.count == item.steps && item.steps >= 100)
    for (step, expected) in item.rates.enumerated() {
      let rate = schedule.rate(ScheduleMoment(step: step, stepCount: item.steps, rate: item.rate))
      if let losses = item.losses { schedule.observe(loss: losses[step]) }
      // Of a rate near 0 that is a difference of larger ones, to 1e-15 of these.
      #expect(
        abs(rate - expected) <= 1e-10 * expected + 1e-15 * item.rate,
        "step \(step): \(rate) and \(expected)")
    }
  }

  @Test func everyScheduleHasAGolden() {
    let names = Set(
      Self.fixture.cases.map(\.schedule.name) + Self.fixture.measured.map(\.schedule.name))
    #expect(names == Set(ScheduleCatalogue.all.map(\.name)))
    let losses = Self.fixture.cases.filter { $0.losses != nil }
    #expect(losses.allSatisfy { Set($0.rates).count >= 3 })
  }

  private func objective() throws -> Objective<Double> {
    let problem = Self.fixture.problem
    let definition = LossDefinition(parameters: [.init("x", [problem.start.count])]) { p, _ in
      let x = p[0]
      let values = x.builder.constant(
        Tensor(problem.curvatures, type: TensorType(.float64, [problem.curvatures.count])))
      return (values * x.square() * 0.5 + x.square().square() * (problem.quartic / 4)).sum()
    }
    return try Objective(definition, data: [], executor: ReferenceExecutor())
  }

  @Test(arguments: fixture.measured)
  func measuresAsThePapersDo(_ item: Fixture.Run) throws {
    let loss = try objective()
    let optimizer: any Optimizer = item.momentum.map { Momentum(beta: $0) } ?? GradientDescent()
    let run = try TrainingRun(loss, optimizer, rate: 0.1, from: Self.fixture.problem.start)
    let measurer = ScheduleMeasurer<Double>(seed: 3)
    let trainer = Trainer(
      run, rate: 0.1, steps: item.rates.count, schedule: item.schedule.make(),
      measure: measurer.measure)
    var rates: [Double] = []
    _ = try trainer.train { if case .step(let record) = $0 { rates.append(record.rate) } }
    #expect(rates.count == item.rates.count)
    // The products along the update are exact; Lanczos and the line search stop at a tolerance.
    let tolerance = item.schedule.name == "curvature-dynamics-aware" ? 1e-10 : 0.01
    for (step, (rate, expected)) in zip(rates, item.rates).enumerated() {
      #expect(abs(rate - expected) <= tolerance * expected, "step \(step): \(rate) \(expected)")
    }
  }
}
