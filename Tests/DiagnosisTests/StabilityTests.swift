import Curvature
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// What the stability limit promises, tried.
@Suite struct StabilityTests {
  static let quadratics: [(String, TabularProblem)] = [
    ("round", TestTable.linear(40, scales: [1, 1.2, 0.8], seed: 31)),
    ("stretched", TestTable.linear(50, scales: [0.1, 1, 10], means: [0, 5, 0], seed: 32)),
    ("many columns", TestTable.linear(60, scales: .init(repeating: 2, count: 20), seed: 33)),
    (
      "mse with a penalty",
      {
        var problem = TestTable.linear(30, scales: [0.5, 2], seed: 34)
        problem.loss = .meanSquaredError
        problem.l2 = 0.1
        return problem
      }()
    ),
    ("wine", try! TestTable.wine(.linear, standardised: true, numeric: true)),
  ]

  @Test(arguments: quadratics.indices)
  func `a quadratic converges just below the limit and diverges just above`(index: Int) throws {
    let (name, problem) = Self.quadratics[index]
    func report(_ rate: Double?) throws -> DiagnosisReport {
      try diagnose(
        problem,
        request: .test {
          $0.training.rate = rate
          $0.trials.areRun = false
        }, executor: ReferenceExecutor())
    }
    let limit = try 2 / #require(report(nil).curvature.largest.value)
    let below = try report(0.99 * limit)
    #expect(below.learningRate.verdict == .oscillating, "\(name)")
    #expect(below.finding("rate-oscillates") != nil && below.finding("rate-above-limit") == nil)
    let above = try report(1.01 * limit)
    #expect(above.learningRate.verdict == .unstable, "\(name)")
    #expect(above.finding("rate-above-limit") != nil)
    #expect(above.prediction.iterations == nil)

    let objective = try Objective<Double>(
      problem.definition, data: problem.data(.float64), executor: ReferenceExecutor())
    let start: [Double] = problem.start()
    func losses(_ rate: Double, steps: Int) throws -> [Double] {
      let run = try TrainingRun(objective, GradientDescent(), rate: rate, from: start)
      return try (0...steps).map { _ in try run.step().loss }
    }
    let descending = try losses(0.99 * limit, steps: 600)
    let minimum = try NewtonCG(minimizing: objective, from: start).path.last!.loss
    // Every mode shrinks: the loss never rises, and the sharpest mode's share is gone.
    #expect(zip(descending, descending.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) })
    #expect(descending[600] - minimum < 0.5 * (descending[0] - minimum))
    let ascending = try losses(1.01 * limit, steps: 1200)
    #expect(ascending[1200] > 100 * ascending[0], "\(name): \(ascending[0]) \(ascending[1200])")
  }

  static let others: [(String, TabularProblem)] = [
    ("softmax", TestTable.classes(60, features: 4, count: 3, seed: 41)),
    (
      "tanh",
      TestTable.classes(
        40, features: 3, count: 3, seed: 42, model: .mlp(hidden: [8], activation: .tanh))
    ),
    (
      "gelu, two layers",
      TestTable.classes(
        40, features: 3, count: 2, seed: 43, model: .mlp(hidden: [6, 5], activation: .gelu))
    ),
    (
      "relu",
      TestTable.classes(
        40, features: 3, count: 3, seed: 44, model: .mlp(hidden: [8], activation: .relu))
    ),
    (
      "tanh, squared error",
      {
        var problem = TestTable.linear(40, scales: [1, 1, 2], seed: 45)
        problem.model = .mlp(hidden: [8], activation: .tanh)
        return problem
      }()
    ),
  ]

  /// The difference of two steps of descent from points a little apart along the sharpest direction.
  @Test(arguments: others.indices, [0, 30])
  func `the growth of a step along the sharpest direction`(index: Int, steps: Int) throws {
    let (name, problem) = Self.others[index]
    let session = try StartedProblem<Double>(
      DiagnosisProblem(problem),
      .test {
        $0.training.steps = steps
        $0.training.rate = steps > 0 ? 0.1 : nil
      }, ReferenceExecutor())
    let survey = try CurvatureSurvey(
      of: session.objective.hessian(at: session.point), gradient: session.gradient, seed: 0)
    let direction = survey.sharpest
    let size = 1e-6
    func afterStep(_ offset: Double, _ rate: Double) throws -> Double {
      var point = session.point
      Double.axpy(point.count, offset, direction, &point)
      let run = try TrainingRun(session.objective, GradientDescent(), rate: rate, from: point)
      try run.step()
      return zip(run.parameters, direction).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for product in [0.3, 1.7, 2.5] {
      let rate = product / survey.largest
      let growth = try (afterStep(size, rate) - afterStep(-size, rate)) / (2 * size)
      #expect(
        abs(abs(growth) - abs(1 - product)) <= 0.01 * abs(1 - product),
        "\(name) after \(steps) steps: \(growth) instead of \(1 - product)")
    }
  }
}
