import Foundation
import TensorPrograms
import Testing

@testable import Diagnosis

/// A loss that is finished beside coefficients that are not: what the report says of them is what training by
/// hand comes to.
@Suite struct UnfinishedCoefficientsTests {
  /// Two columns that differ by a hundredth of their spread, in units of their own.
  private static func twins(difference: Double = 0.01, l2: Double = 0) -> TabularProblem {
    var generator = SeededGenerator(seed: 21)
    var (x, y): ([Double], [Double]) = ([], [])
    for _ in 0..<60 {
      let (a, b) = (generator.normal(), generator.normal())
      x += [30 * a + 200, 0.5 * (a + difference * b) - 4]
      y.append(2 * a + 20 * difference * b + 0.01 * generator.normal() + 1)
    }
    return TestTable.problem(x, columns: 2, target: .numeric(y), model: .linear, l2: l2)
  }

  /// The least squares of two centred columns by Cramer's rule, in the columns' units.
  private static func solution(_ problem: TabularProblem) -> [Double] {
    let n = problem.sampleCount
    func centred(_ values: [Double]) -> [Double] {
      let mean = values.reduce(0, +) / Double(n)
      return values.map { $0 - mean }
    }
    let a = centred((0..<n).map { problem.features[2 * $0] })
    let b = centred((0..<n).map { problem.features[2 * $0 + 1] })
    let y = centred(problem.numericTarget)
    func dot(_ u: [Double], _ v: [Double]) -> Double {
      zip(u, v).reduce(0) { $0 + $1.0 * $1.1 } / Double(n)
    }
    let (p, q, r) = (dot(a, a) + problem.l2, dot(a, b), dot(b, b) + problem.l2)
    let determinant = p * r - q * q
    return [
      (r * dot(a, y) - q * dot(b, y)) / determinant, (p * dot(b, y) - q * dot(a, y)) / determinant,
    ]
  }

  /// So many steps of plain descent from zero on standardised columns, back in the columns' units.
  private static func descent(_ problem: TabularProblem, rate: Double, steps: Int) -> [Double] {
    let n = problem.sampleCount
    let x = TestTable.standardised(problem.features, columns: 2)
    var w = [0.0, 0, 0]
    for _ in 0..<steps {
      var gradient = [0.0, 0, 0]
      for row in 0..<n {
        let error = x[2 * row] * w[0] + x[2 * row + 1] * w[1] + w[2] - problem.numericTarget[row]
        gradient[0] += error * x[2 * row] / Double(n)
        gradient[1] += error * x[2 * row + 1] / Double(n)
        gradient[2] += error / Double(n)
      }
      for index in w.indices { w[index] -= rate * gradient[index] }
    }
    return (0..<2).map { column in
      let values = (0..<n).map { problem.features[2 * $0 + column] }
      let mean = values.reduce(0, +) / Double(n)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
      return w[column] / variance.squareRoot()
    }
  }

  private func report(
    _ problem: TabularProblem, tolerance: Double = 1e-2, trials: Bool
  ) throws -> DiagnosisReport {
    try diagnose(
      problem,
      request: .test {
        $0.trials.tolerance = tolerance
        $0.trials.areRun = trials
        $0.trials.maxIterations = 2000
      }, executor: ReferenceExecutor())
  }

  private func number(_ finding: Finding, _ key: String) -> Double? {
    if case .number(let value)? = finding.evidence[key] { value } else { nil }
  }

  @Test func `what theory says is where descent comes to`() throws {
    let problem = Self.twins()
    let report = try report(problem, trials: false)
    let finding = try #require(report.finding("coefficients-unfinished"))
    #expect(finding.evidence["prescription"] == .text("standardise-features"))
    guard case .integer(let steps)? = finding.evidence["steps"] else {
      Issue.record("no steps")
      return
    }
    let rate = try #require(report.prescription(.standardiseFeatures)?.predicted.rate)
    let reached = Self.descent(problem, rate: rate, steps: steps)
    let exact = Self.solution(problem)
    let worst = (0..<2).max {
      abs(reached[$0] / exact[$0] - 1) < abs(reached[$1] / exact[$1] - 1)
    }!
    #expect(finding.evidence["worstColumn"] == .text("x\(worst)"))
    #expect(close(number(finding, "worstMinimiser")!, exact[worst], 1e-8))
    #expect(close(number(finding, "worstCoefficient")!, reached[worst], 1e-8))
    let off = hypot(reached[0] - exact[0], reached[1] - exact[1]) / hypot(exact[0], exact[1])
    #expect(close(number(finding, "relativeError")!, off, 1e-8) && off > 0.5)
    #expect(report.advice.notes.contains(finding.sentence))
    #expect(finding.sentence.contains("would still be"))
    // Enough steps are enough: those less than half are not.
    guard case .integer(let enough)? = finding.evidence["stepsToOnePercent"] else {
      Issue.record("no number of steps that is enough")
      return
    }
    func error(_ steps: Int) -> Double {
      let w = Self.descent(problem, rate: rate, steps: steps)
      return hypot(w[0] - exact[0], w[1] - exact[1]) / hypot(exact[0], exact[1])
    }
    #expect(error(enough) < 0.011 && error(enough / 2) > 0.05)
  }

  /// Whatever the advice is, Adam too, the sentence is about the point that its run came to: a loss that is
  /// finished has a gap of the tolerance, and `gap = (w - w*)' H (w - w*) / 2`.
  @Test func `after a run it is of that run`() throws {
    let problem = Self.twins()
    let report = try report(problem, trials: true)
    let finding = try #require(report.finding("coefficients-unfinished"))
    let advised = try #require(report.advice.action?.prescription)
    #expect(finding.evidence["prescription"] == .text(advised))
    let item = try #require(report.prescriptions.first { $0.id == advised }?.measured)
    let steps = try #require(item.iterations)
    #expect(finding.evidence["steps"] == .integer(steps))
    #expect(finding.sentence.contains("are still"))
    let exact = Self.solution(problem)
    guard case .text(let name)? = finding.evidence["worstColumn"] else {
      Issue.record("no column")
      return
    }
    #expect(close(number(finding, "worstMinimiser")!, exact[name == "x0" ? 0 : 1], 1e-8))
    #expect(number(finding, "relativeError")! > 0.5)
  }

  /// The point of a run is taken where it arrived, in the variables that it trained.
  @Test func `the arrival of descent is where the steps lead`() throws {
    let problem = Self.twins()
    let start = try StartedProblem<Double>(
      DiagnosisProblem(problem), .test { $0.trials.tolerance = 1e-2 }, ReferenceExecutor())
    let measured = try Measurements(start)
    let outcome = try measured.remedies()
    for kind in [Prescription.Kind.standardiseFeatures, .momentum] {
      let item = try #require(outcome.prescriptions.first { $0.id == kind.rawValue })
      let steps = try #require(item.measured?.iterations)
      let run = try #require(
        measured.unfinished(item, after: steps, at: outcome.arrivalPoints[kind.rawValue]))
      let theory = try #require(measured.unfinished(item, after: steps, at: nil))
      #expect(close(run.error, theory.error, 1e-6), "\(kind.rawValue)")
      #expect(close(run.share!, theory.share!, 1e-6), "\(kind.rawValue)")
    }
    // Adam's point is that of its loss.
    let scaled = try #require(
      outcome.prescriptions.first { $0.id == Prescription.Kind.standardiseAndAdam.rawValue })
    let point = try #require(outcome.arrivalPoints[scaled.id])
    let run = try #require(scaled.measured)
    let steps = try #require(run.iterations)
    let left = try #require(measured.unfinished(scaled, after: steps, at: point))
    let x = TestTable.standardised(problem.features, columns: 2)
    var loss = 0.0
    for row in 0..<problem.sampleCount {
      let output: Double = x[2 * row] * point[0] + x[2 * row + 1] * point[1] + point[2]
      let error = output - problem.numericTarget[row]
      loss += error * error / Double(2 * problem.sampleCount)
    }
    let told = try #require(run.loss)
    #expect(close(loss, told, 1e-9))
    #expect(left.error > 0)
  }

  /// Where nearly all of the loss is the target's mean, a hundredth of the start's error is many times the
  /// coefficients: the steps that are enough are more than those that were not.
  @Test func `enough steps are more than those that were not`() throws {
    var problem = TestTable.linear(60, scales: [1, 1.3], seed: 3)
    problem.target = .numeric(problem.numericTarget.map { 1e7 + 1e3 * $0 })
    for trials in [false, true] {
      let report = try report(problem, tolerance: 1e-6, trials: trials)
      let finding = try #require(report.finding("coefficients-unfinished"))
      guard case .integer(let steps)? = finding.evidence["steps"],
        case .integer(let enough)? = finding.evidence["stepsToOnePercent"]
      else {
        Issue.record("no steps")
        continue
      }
      #expect(enough > steps)
    }
  }

  @Test func `finished coefficients are not accused`() throws {
    let tame = TestTable.linear(60, scales: [1, 3, 0.5], seed: 8)
    for trials in [false, true] {
      #expect(
        try report(tame, tolerance: 1e-6, trials: trials).finding("coefficients-unfinished") == nil)
      // Where more is asked of the loss, the coefficients get there too.
      #expect(
        try report(Self.twins(), tolerance: 1e-12, trials: trials)
          .finding("coefficients-unfinished") == nil)
    }
  }
}
