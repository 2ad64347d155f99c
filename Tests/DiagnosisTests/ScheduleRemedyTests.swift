import Curvature
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Remedies whose rate changes on the way.
@Suite struct ScheduleRemedyTests {
  private func report(
    _ problem: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    try diagnose(problem, request: .test(change), executor: ReferenceExecutor())
  }

  @Test func `cycles on a quadratic take as many steps as predicted, and as descent by hand`()
    throws
  {
    let problem = TestTable.linear(50, scales: [0.5, 1, 2], seed: 8)
    let report = try report(problem) { $0.trials.maxIterations = 20_000 }
    let item = try #require(report.prescription(.cyclicalRate))
    let steps = try #require(item.predicted.iterations)
    #expect(steps > 40 && item.measured?.iterations == steps)
    let limit = try #require(report.learningRate.stabilityLimit)
    let top = try #require(item.predicted.rate)
    #expect(top < limit && top > 0.9 * limit)
    // Rates up and down between a quarter and the whole, by hand.
    let objective = try Objective<Double>(
      problem.definition, data: problem.data(.float64), executor: ReferenceExecutor())
    var x: [Double] = problem.start()
    let reference = try #require(report.finding("reference-loss")?.evidence["loss"])
    guard case .number(let minimum) = reference else {
      Issue.record("no number")
      return
    }
    let first = try objective.value(at: x) - minimum
    var taken = 0
    while try objective.value(at: x) - minimum > 1e-6 * first, taken < 20_000 {
      let place = Double(taken % 40)
      let height = place <= 20 ? place / 20 : 2 - place / 20
      let slope = try objective.valueAndGradient(at: x).gradient
      x = zip(x, slope).map { $0 - top * (0.25 + 0.75 * height) * $1 }
      taken += 1
    }
    #expect(abs(taken - steps) <= 1)
    #expect(report.prescription(.followSharpness) == nil)
    #expect(report.prescription(.adamWWithSchedule) == nil)
  }

  @Test func `on a network all three are run, and say what they did`() throws {
    let problem = TestTable.classes(
      60, features: 4, count: 3, seed: 3, model: .mlp(hidden: [8], activation: .tanh))
    let report = try report(problem) { $0.trials.maxIterations = 200 }
    for kind in [Prescription.Kind.cyclicalRate, .followSharpness, .adamWWithSchedule] {
      let item = try #require(report.prescription(kind), "\(kind.rawValue)")
      let measured = try #require(item.measured)
      #expect(!measured.diverged && measured.stepsRun == 200)
      #expect(try #require(measured.lossAtEnd) < (try #require(report.problem.loss)))
    }
    let follow = try #require(report.prescription(.followSharpness))
    #expect(follow.change.hasPrefix("gradient descent at 0.95 of the stability limit"))
    // The look at the sharpness is part of its work.
    #expect(try #require(follow.measured?.gradientEquivalents) > 210)
    let adam = try #require(report.prescription(.adam)?.measured?.rate)
    let scheduled = try #require(report.prescription(.adamWWithSchedule))
    #expect(scheduled.measured?.rate == adam)
    #expect(scheduled.change.contains("200 steps and then along a cosine"))
  }

  @Test func `a given optimizer with a limit of the Hessian is kept`() throws {
    let problem = TestTable.classes(
      40, features: 3, count: 2, seed: 3, model: .mlp(hidden: [4], activation: .tanh))
    let momentum = try OptimizerSetting("momentum", ["momentum": 0.5])
    let report = try report(problem) {
      $0.training.optimizer = momentum
      $0.training.rate = 0.1
      $0.trials.maxIterations = 60
    }
    for kind in [Prescription.Kind.cyclicalRate, .followSharpness] {
      let item = try #require(report.prescription(kind))
      #expect(item.change.hasPrefix("heavy-ball momentum 0.5 at "))
      let limit = try #require(report.learningRate.stabilityLimit)
      #expect(try #require(item.predicted.rate) < limit)
    }
  }
}
