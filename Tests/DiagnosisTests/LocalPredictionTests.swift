import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Losses that are no quadratics, near their minimum: the quadratic model must still count steps.
@Suite struct LocalPredictionTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let problem: TabularProblem
    /// How far off the prediction may be, relative to the measured count.
    var tolerance = 0.1
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
        problem: try! TestTable.wine(.softmax, standardised: true, l2: 1e-3), tolerance: 0.3),
      Row(name: "mlp:1, taught", problem: taught(hidden: 1, seed: 1, l2: 1e-2)),
      Row(name: "mlp:2, taught", problem: taught(hidden: 2, seed: 1, l2: 1e-2)),
      Row(name: "mlp:1, classes", problem: clouds([1], seed: 1)),
      Row(name: "mlp:2, classes", problem: clouds([2], seed: 1)),
      Row(name: "mlp:2, classes of seed 2", problem: clouds([2], seed: 2)),
      Row(name: "mlp:4, taught", problem: taught(hidden: 4, seed: 2, l2: 1e-2)),
    ]

  /// Descent at `1 / upperBound` until the gradient norm is a thousandth, and the curvature there.
  struct Arrival {
    let session: DiagnosisSession<Double>
    let point: [Double]
    let survey: CurvatureSurvey<Double>

    init(_ problem: TabularProblem) throws {
      let session = try DiagnosisSession<Double>(
        problem, .test(), ReferenceExecutor(), progress: { _ in }, isCancelled: { false })
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
    let predicted = try #require(
      arrival.survey.model.forecast(rate: rate).iterations(toGradientFraction: 0.1))
    let run = try TrainingRun(
      arrival.session.objective, GradientDescent(), rate: rate, from: arrival.point)
    let norm = try run.step().gradientNorm
    while try run.step().gradientNorm > 0.1 * norm, run.stepCount < 10_000 {}
    let measured = run.stepCount - 1
    #expect(
      abs(Double(predicted - measured)) <= row.tolerance * Double(measured),
      "\(row.name): \(predicted) | \(measured)")
  }

  /// Where some curvature is still negative, the quadratic falls without end: no number is better
  /// than a wrong one.
  @Test func `no count on an indefinite Hessian`() throws {
    let arrival = try Arrival(Self.taught(hidden: 1, seed: 2, l2: 1e-2))
    #expect(arrival.survey.curvature.isIndefinite)
    let forecast = arrival.survey.model.forecast(rate: 1 / arrival.survey.upperBound)
    #expect(forecast.iterations(toGradientFraction: 0.1) == nil)
  }
}
