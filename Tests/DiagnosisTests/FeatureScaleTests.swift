import TensorPrograms
import Testing

@testable import Diagnosis

/// Bad scaling is found, the guilty columns are named, and standardising is worth what is claimed.
@Suite struct FeatureScaleTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let problem: TabularProblem
    /// Largest first.
    let guilty: [String]
    /// The true other extreme; nil where another test looks at it.
    var smallest: String?
    let tolerance: Double
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(
      name: "raw wine",
      problem: try! TestTable.wine(.linear, standardised: false, numeric: true),
      guilty: ["proline", "magnesium"], tolerance: 1e-2),
    Row(
      name: "one large column",
      problem: TestTable.linear(
        60, scales: [1, 1000, 1.5, 0.7], seed: 51),
      guilty: ["x1"], tolerance: 1e-3),
    Row(
      name: "a large and a small column",
      problem: TestTable.linear(
        50, scales: [1, 2, 0.005, 1, 400], means: [0, 1, 0, -1, 100], seed: 52),
      guilty: ["x4"], smallest: "x2", tolerance: 1e-3),
  ]

  @Test(arguments: rows)
  func `bad scales are found and mended`(row: Row) throws {
    let report = try diagnose(
      row.problem,
      request: .test {
        $0.trials.tolerance = row.tolerance
        $0.trials.maxIterations = 1200
      }, executor: ReferenceExecutor())
    let finding = try #require(report.finding("ill-conditioned-feature-scales"))
    guard case .list(let names) = finding.evidence["columns"] else {
      Issue.record("no columns in \(finding.evidence)")
      return
    }
    #expect(names == row.guilty)
    if let smallest = row.smallest {
      #expect(finding.evidence["smallestColumn"] == .text(smallest))
    }
    #expect(names.allSatisfy { finding.sentence.contains($0) })
    let standardised = try #require(report.prescription(.standardiseFeatures)?.measured)
    let iterations = try #require(standardised.iterations)
    let raw = try #require(report.prescription(.safeRate)?.measured)
    #expect((raw.iterations ?? 1200) >= 100 * iterations, "\(raw) | \(iterations)")
    #expect(report.curvature.conditionNumber! >= 100)
    // The advice on top is not the raw rate.
    #expect(report.prescriptions.first?.id != Prescription.Kind.safeRate.rawValue)
  }

  /// The named columns are the extremes of the root mean squares, whatever a penalty does to the rest; the
  /// sizes are those of ten measurements of patients, most of them near one another.
  @Test(arguments: [0, 1, 100, 1e3])
  func `the extremes are named under a penalty`(l2: Double) throws {
    let sizes = [50, 1.55, 26.7, 95.7, 192, 119, 51.4, 4.27, 4.67, 92]
    var problem = TestTable.linear(
      80, scales: sizes.map { 0.25 * $0 }, means: sizes.map { 0.97 * $0 }, seed: 31)
    problem.l2 = l2
    let report = try diagnose(
      problem, request: .test { $0.trials.areRun = false }, executor: ReferenceExecutor())
    let finding = try #require(report.finding("ill-conditioned-feature-scales"))
    let scaling = FeatureScaling(problem)
    let largest = scaling.sizes.indices.max { scaling.sizes[$0] < scaling.sizes[$1] }!
    let smallest = scaling.sizes.indices.min { scaling.sizes[$0] < scaling.sizes[$1] }!
    #expect(largest == 4 && smallest == 1)
    guard case .list(let names) = finding.evidence["columns"] else {
      Issue.record("no columns in \(finding.evidence)")
      return
    }
    #expect(names.first == "x4")
    #expect(finding.evidence["smallestColumn"] == .text("x1"))
    #expect(finding.sentence.contains("x4") && finding.sentence.contains("x1"))
  }

  @Test func `standardised wine is not accused`() throws {
    let report = try diagnose(
      TestTable.wine(.linear, standardised: true, numeric: true),
      request: .test { $0.trials.areRun = false }, executor: ReferenceExecutor())
    #expect(report.finding("ill-conditioned-feature-scales") == nil)
    #expect(report.finding("ill-conditioned") != nil)
    #expect(report.prescription(.standardiseFeatures) == nil)
  }

  /// The figures of a column do not depend on its unit, however extreme.
  @Test(arguments: [1e-300, 1e-160, 1, 1e150, 1e300])
  func `means and deviations neither overflow nor vanish`(unit: Double) {
    let values = [1.0, 2, 4, 9].map { $0 * unit }
    let problem = TestTable.problem(
      values, columns: 1, target: .numeric([1, 2, 3, 4]), model: .linear)
    let scaling = FeatureScaling(problem)
    #expect(scaling.constantColumns.isEmpty)
    #expect(close(scaling.means[0], 4 * unit, 1e-14))
    #expect(close(scaling.deviations[0], 9.5.squareRoot() * unit, 1e-14))
    #expect(close(scaling.sizes[0], 25.5.squareRoot() * unit, 1e-14))
    let applied = scaling.applied(to: problem).features
    #expect(close(applied[3], 5 / 9.5.squareRoot(), 1e-14))
  }

  @Test(arguments: [0, .leastNonzeroMagnitude, 3.7, 1e300])
  func `a column that does not vary is constant`(value: Double) {
    let problem = TestTable.problem(
      .init(repeating: value, count: 7), columns: 1,
      target: .numeric(.init(repeating: 1, count: 7)),
      model: .linear)
    #expect(FeatureScaling(problem).constantColumns == [0])
  }
}
