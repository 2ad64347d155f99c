import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Losses that are no quadratics, on the way to their minimum: steps are foretold within a tenth.
@Suite struct LocalPredictionTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let problem: TabularProblem
    var testDescription: String { name }
  }

  /// The outputs of a tanh network of these hidden units, plus noise, to be fitted by one.
  static func taught(
    samples: Int = 100, hidden: Int, noise: Double = 0.3, seed: UInt64, l2: Double
  ) -> TabularProblem {
    var generator = SeededGenerator(seed: seed)
    let units = (0..<hidden).map { _ in (generator.normal(), generator.normal()) }
    let offsets = units.map { _ in generator.normal() }
    let outputs = units.map { _ in generator.normal() }
    var features: [Double] = []
    var target: [Double] = []
    for _ in 0..<samples {
      let (a, b) = (generator.normal(), generator.normal())
      features += [a, b]
      target.append(
        units.indices.reduce(noise * generator.normal()) {
          $0 + outputs[$1] * tanh(offsets[$1] + units[$1].0 * a + units[$1].1 * b)
        })
    }
    return TestTable.problem(
      features, columns: 2, target: .numeric(target),
      model: .mlp(hidden: [hidden], activation: .tanh), l2: l2)
  }

  static func clouds(_ hidden: [Int], seed: UInt64, l2: Double = 1e-2) -> TabularProblem {
    TestTable.classes(
      100, features: 2, count: 2, spread: 3, seed: seed,
      model: .mlp(hidden: hidden, activation: .tanh), l2: l2)
  }

  static let rows: [Row] =
    ([21, 22, 23] as [UInt64]).map {
      Row(
        name: "softmax of three classes, seed \($0)",
        problem: TestTable.classes(60, features: 3, count: 3, seed: $0, l2: 1e-3))
    }
    + ([21, 22, 23] as [UInt64]).map {
      Row(
        name: "softmax of overlapping classes, seed \($0)",
        problem: TestTable.classes(100, features: 5, count: 2, spread: 3, seed: $0, l2: 1e-3))
    }
    + [
      // Wine's classes do not overlap: the curvature still falls by a sixth on the way.
      Row(
        name: "softmax of wine",
        problem: try! TestTable.wine(.softmax, standardised: true, l2: 1e-3)),
      Row(name: "mlp:1, taught", problem: taught(hidden: 1, seed: 1, l2: 1e-2)),
      Row(name: "mlp:2, taught", problem: taught(hidden: 2, seed: 1, l2: 1e-2)),
      Row(name: "mlp:4, taught", problem: taught(hidden: 4, seed: 2, l2: 1e-2)),
      Row(name: "mlp:1, classes", problem: clouds([1], seed: 1)),
      Row(name: "mlp:2, classes", problem: clouds([2], seed: 1)),
      Row(name: "mlp:2, classes of seed 2", problem: clouds([2], seed: 2)),
      Row(name: "mlp:4, classes", problem: clouds([4], seed: 1)),
      // Some curvature is still negative at the start of these: they pass a saddle first.
      Row(name: "mlp:1, taught, from a saddle", problem: taught(hidden: 1, seed: 2, l2: 1e-2)),
      Row(name: "mlp:4, taught, from a saddle", problem: taught(hidden: 4, seed: 3, l2: 1e-3)),
      Row(name: "mlp:8, taught, from a saddle", problem: taught(hidden: 8, seed: 1, l2: 1e-2)),
      Row(name: "mlp:4,4, a dip beside a saddle", problem: clouds([4, 4], seed: 3, l2: 1e-3)),
      Row(
        name: "mlp:8 of wine, from a saddle",
        problem: try! TestTable.wine(
          .mlp(hidden: [8], activation: .tanh), standardised: true, l2: 1e-3)),
      Row(
        name: "mlp:16,16 of wine, from a saddle",
        problem: try! TestTable.wine(
          .mlp(hidden: [16, 16], activation: .tanh), standardised: true, l2: 1e-3)),
    ]

  /// Descent at `1 / upperBound` until the gradient norm is a thousandth, and the curvature there.
  struct Arrival {
    let session: StartedProblem<Double>
    let point: [Double]
    let survey: CurvatureSurvey<Double>

    init(_ problem: TabularProblem) throws {
      let session = try StartedProblem<Double>(
        DiagnosisProblem(problem), .test(), ReferenceExecutor())
      func survey(_ point: [Double]) throws -> CurvatureSurvey<Double> {
        let (_, gradient) = try session.objective.valueAndGradient(at: point)
        return try CurvatureSurvey(
          of: session.objective.hessian(at: point), gradient: gradient, seed: 0)
      }
      let run = try TrainingRun(
        session.objective, GradientDescent(), rate: 1 / survey(session.point).upperBound,
        from: session.point)
      let first = try run.step().gradientNorm
      while try run.step().gradientNorm > 1e-3 * first, run.stepCount < 5000 {}
      self.session = session
      point = run.parameters
      self.survey = try survey(point)
    }
  }

  @Test(arguments: rows)
  func `steps to a further tenfold decrease of the gradient`(row: Row) throws {
    let arrival = try Arrival(row.problem)
    let rate = 1 / arrival.survey.upperBound
    let forecast = try PiecewiseForecast(
      arrival.session.objective, from: arrival.point, rate: rate, to: .gradientFraction(0.1),
      zeroThreshold: arrival.survey.zeroThreshold)
    let predicted = try #require(forecast.iterations)
    let run = try TrainingRun(
      arrival.session.objective, GradientDescent(), rate: rate, from: arrival.point)
    let norm = try run.step().gradientNorm
    while try run.step().gradientNorm > 0.1 * norm, run.stepCount < 10_000 {}
    let measured = run.stepCount - 1
    #expect(
      abs(Double(predicted - measured)) <= 0.1 * Double(measured),
      "\(row.name): \(predicted) | \(measured)")
  }

  /// One bowl falls without end where some curvature is negative: its count would be a wrong one.
  @Test func `one quadratic has no count on an indefinite Hessian`() throws {
    let arrival = try Arrival(Self.taught(hidden: 1, seed: 2, l2: 1e-2))
    #expect(arrival.survey.curvature.isIndefinite)
    let forecast = arrival.survey.model.forecast(rate: 1 / arrival.survey.upperBound)
    #expect(forecast.iterations(toGradientFraction: 0.1) == nil)
  }

  /// The loss gap is counted to the minimum that the course itself ends in.
  @Test func `steps and losses to a relative gap`() throws {
    let session = try StartedProblem<Double>(
      DiagnosisProblem(TestTable.wine(.softmax, standardised: true, l2: 1e-2)), .test(),
      ReferenceExecutor())
    let (_, gradient) = try session.objective.valueAndGradient(at: session.point)
    let survey = try CurvatureSurvey(
      of: session.objective.hessian(at: session.point), gradient: gradient, seed: 0)
    let rate = 1 / survey.upperBound
    let forecast = try PiecewiseForecast(
      session.objective, from: session.point, rate: rate, to: .relativeGap(1e-6),
      zeroThreshold: survey.zeroThreshold)
    let predicted = try #require(forecast.iterations)
    let run = try TrainingRun(
      session.objective, GradientDescent(), rate: rate, from: session.point)
    var losses: [Double] = []
    while losses.count < 20 * predicted { losses.append(try run.step().loss) }
    let minimum = losses.last!
    func gap(_ step: Int) -> Double { (losses[step] - minimum) / (losses[0] - minimum) }
    let measured = try #require(losses.indices.first { gap($0) <= 1e-6 })
    #expect(abs(predicted - measured) <= max(1, measured / 50), "\(predicted) | \(measured)")
    for step in [1, 10, 100] where step < predicted {
      let foretold = try #require(forecast.relativeGap(after: step))
      #expect(abs(foretold - gap(step)) <= 0.02 * gap(step) + 1e-6, "step \(step)")
    }
  }

  /// Separable classes have no minimum: following the course to a gap comes to no end, and says so.
  @Test func `no count where there is no minimum`() throws {
    let session = try StartedProblem<Double>(
      DiagnosisProblem(TestTable.wine(.softmax, standardised: true)), .test(),
      ReferenceExecutor())
    let forecast = try PiecewiseForecast(
      session.objective, from: session.point, rate: 0.5, to: .relativeGap(1e-6),
      zeroThreshold: 1e-14, maxOperations: 1000 * session.objective.gradientOperations())
    #expect(forecast.iterations == nil)
  }
}
