import Curvature
import TensorPrograms
import Testing

@testable import Diagnosis

/// What a Hessian in floating point cannot tell, against answers that whole numbers give exactly, and
/// minima that nothing certifies. `Scripts/hard-tables` judges hundreds of tables more.
@Suite struct HardTableTests {
  /// Times of a clock in seconds: a mean of 1.7e9 and a spread of some thousand.
  private static let times = (0..<40).map { 1_700_000_000 + 97 * $0 + 13 * ($0 % 7) }

  private static func problem(_ columns: [[Double]], target: [Double]) -> TabularProblem {
    TabularProblem(
      name: "hard", targetName: "y",
      features: target.indices.flatMap { row in columns.map { $0[row] } },
      featureNames: columns.indices.map { "x\($0)" }, target: .numeric(target), model: .linear,
      loss: .halfSquaredError)
  }

  private func report(
    _ problem: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.trials.maxIterations = 300
    change(&request)
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  /// Of `[t 1]'[t 1]/n` the determinant is the variance of `t` and the trace its mean square plus one:
  /// two exact numbers, and a condition number of 1e31 or so from them.
  @Test func clockTimes() throws {
    let times = Self.times
    let n = times.count
    let offsets = times.map { $0 - 1_700_000_000 }
    let (centred, squares) = (offsets.reduce(0, +), offsets.reduce(0) { $0 + $1 * $1 })
    let variance = Double(n * squares - centred * centred) / Double(n * n)
    let trace =
      Double(squares + 2 * centred * 1_700_000_000) / Double(n) + 1.7e9 * 1.7e9 + 1
    let smallest = variance / trace
    let y = times.indices.map { Double(3 * ($0 % 11) - $0) }
    let report = try report(Self.problem([times.map(Double.init)], target: y))
    #expect(close(report.curvature.largest.value!, trace, 1e-14))
    #expect(close(report.curvature.smallest.value!, smallest, 1e-12))
    #expect(close(report.curvature.conditionNumber!, trace / smallest, 1e-12))
    // At one over the sharpness the flat direction, which holds most of the gap, takes some 1e25 steps.
    #expect(report.prediction.iterations == nil)
    #expect(report.prescription(.safeRate)?.measured?.reached == false)
    #expect(report.findings.allSatisfy { $0.id != "well-conditioned" })
    let standardised = try #require(report.prescription(.standardiseFeatures))
    #expect(close(standardised.predicted.conditionNumber!, 1, 1e-9))
    #expect(standardised.measured?.iterations == standardised.predicted.iterations)
  }

  /// A column, its copy and its copy in other units span two directions; the others are flat, standardised
  /// or not, and no count rests on the rounding that tells them apart.
  @Test func copies() throws {
    let a = Self.times.map { Double($0 % 97) }
    let b = Self.times.map { Double($0 % 53) / 8 }
    let y = Self.times.indices.map { Double($0 % 5) }
    let report = try report(
      Self.problem([a, b, a, a.map { 0.3048 * $0 + 7 }], target: y))
    // In doubles 0.3048 a + 7 is rounded: only the exact copy is flat.
    #expect(report.finding("flat-directions")?.evidence["count"] == .integer(1))
    let exact = try self.report(Self.problem([a, b, a, a.map { 4 * $0 + 8 }], target: y))
    #expect(exact.finding("flat-directions")?.evidence["count"] == .integer(2))
    let standardised = try #require(exact.prescription(.standardiseFeatures))
    #expect(standardised.predicted.conditionNumber! < 100)
    #expect(standardised.measured?.reached == true)
    #expect(standardised.measured?.iterations == standardised.predicted.iterations)
  }

  /// Rounded to float32, the clock's ticks merge: another table, and the report says so.
  @Test func float32MakesAnotherTable() throws {
    let y = Self.times.indices.map { Double($0 % 5) }
    let problem = Self.problem([(0..<40).map { Double(1_700_000_000 + 3 * $0) }], target: y)
    let report = try report(problem) { $0.resources.precision = .float32 }
    #expect(report.finding("rounded-table") != nil)
    #expect(try self.report(problem).finding("rounded-table") == nil)
  }

  /// The chained Rosenbrock function has a minimum of its neighbourhood near 4 beside that of 0: no run
  /// ends below what the others are measured against, and none arrives at what is no minimum.
  @Test(arguments: [5, 40, 400])
  func noRunBelowTheReference(steps: Int) throws {
    let n = 6
    let definition = LossDefinition(parameters: [.init("w", [n])]) { p, _ in
      let head = p[0].slice(axis: 0, 0..<n - 1)
      let tail = p[0].slice(axis: 0, 1..<n)
      return (tail - head.square()).square().sum() * 100 + (head - 1).square().sum()
    }
    let problem = DiagnosisProblem(
      name: "valley", definition: definition, data: [], start: [-1.2, 1, -1.2, 1, -1.2, 1])
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    request.trials.maxIterations = steps
    let report = try diagnose(problem, request: request, executor: ReferenceExecutor())
    let reference = try #require(report.finding("reference-loss"))
    guard case .number(let lowest)? = reference.evidence["loss"] else {
      Issue.record("no reference")
      return
    }
    let span = report.problem.loss! - lowest
    for item in report.prescriptions {
      let measured = try #require(item.measured)
      if let loss = measured.loss { #expect(loss >= lowest - 1e-6 * span) }
      if let loss = measured.lossAtEqualWork { #expect(loss >= lowest) }
      if reference.evidence["certified"] == .integer(0) {
        #expect(!measured.reached && measured.relativeGap == nil)
      } else if measured.reached {
        #expect(measured.loss! - lowest <= 1e-6 * span)
      }
    }
  }
}
