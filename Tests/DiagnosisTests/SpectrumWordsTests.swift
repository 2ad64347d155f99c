import Curvature
import Foundation
import LinearMaps
import Presentation
import Reports
import TensorPrograms
import Testing

@testable import Diagnosis

/// What `spectrum` says of estimates, and that its advice can be followed on the command line.
@Suite struct SpectrumWordsTests {
  static let network = ModelChoice.mlp(hidden: [64], activation: .tanh)

  static func report(
    _ problem: TabularProblem, _ change: (inout SpectrumRequest) -> Void
  ) throws -> SpectrumReport {
    try SpectrumSessionTests.measure(problem, change).report
  }

  static func text(_ report: SpectrumReport) -> String {
    report.terminalText(TerminalStyle(colours: false)).split(separator: "\n")
      .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
  }

  /// A sum of outer products, and a linear model's Hessian, cannot curve downwards, whatever an estimate
  /// puts below zero.
  @Test(arguments: [CurvatureKind.gaussNewton, .fisher, .sampledFisher, .empiricalFisher])
  func `nothing below zero`(_ kind: CurvatureKind) throws {
    let problem = try TestTable.wine(Self.network, standardised: true)
    let report = try Self.report(problem) {
      $0.kind = kind
      $0.densityError = 0.1
    }
    let density = try #require(report.density)
    #expect(report.operator.dimension > 1000 && density.distribution.probes > 0)
    #expect(density.negativeShare == 0 && density.negativeCurvatureShare == 0)
    #expect(density.negativeShareInterval == .init(lower: 0, upper: 0))
    #expect(Self.text(report).contains("None of the eigenvalues is below zero."))
  }

  /// The estimate of the Hessian's share moves from seed to seed; the interval holds the truth for each, and
  /// no number stands alone.
  @Test func `the share below zero over seeds`() throws {
    let problem = try TestTable.wine(Self.network, standardised: true)
    for seed in 0..<2 {
      let session = try StartedProblem<Float>(
        DiagnosisProblem(problem), .test { $0.resources.seed = seed }, ReferenceExecutor())
      let solved = try SolvedSpectrum(session.objective.hessian(at: session.point))
      let values = solved.system.values
      let report = try Self.report(problem) {
        $0.resources.seed = seed
        $0.densityError = 0.1
        $0.which = .largest
      }
      let density = try #require(report.density)
      let threshold = try #require(report.zeroThreshold)
      let truth = Double(values.count { $0 < -threshold }) / Double(values.count)
      let interval = density.negativeShareInterval
      #expect(interval.lower <= truth && truth <= interval.upper, "\(interval) \(truth)")
      #expect((density.negativeShare != nil) == (interval.width <= 0.1))
      let text = Self.text(report)
      #expect(
        text.contains("cannot be told: too many lie near it.") == (interval.width >= 0.9), "\(text)"
      )
      #expect(text.contains("but for a chance of 0.01"))
    }
  }

  @Test func `all eigenvalues, all counted`() throws {
    let values = [-3.0, -1, 0, 1, 2, 3]
    var options = SpectralDensity.Options()
    options.splits = [-1e-9]
    let density = try SpectralDensity(of: DiagonalMap(values), options: options)
    let counted = SpectrumReport.Density(
      density, eigenvalues: values, threshold: 1e-9, lowest: -3)
    #expect(counted.negativeShare == 2.0 / 6 && counted.negativeShareInterval.width == 0)
    #expect(abs(counted.negativeCurvatureShare! - 0.4) < 1e-15)
    let certified = SpectrumReport.Density(
      density, eigenvalues: nil, threshold: 1e-9, lowest: -1e-10)
    #expect(certified.negativeShare == 0 && certified.negativeCurvatureShareInterval.upper == 0)
  }

  /// A tolerance out of reach: the sentence counts its own products and names an option that exists.
  @Test func `advice names what there is`() throws {
    var report = SpectrumReport(
      problem: try SpectrumSessionTests.measure(
        TestTable.linear(30, scales: [1, 1, 1], seed: 1)
      ).report.problem,
      operator: .init(kind: .hessian, dimension: 2000, parameters: [], preconditioning: "none"),
      tolerance: 1e-8)
    var options = TopEigenpairs<Double>.Options()
    options.maxApplications = 7
    options.tolerance = 1e-14
    let map = DiagonalMap((0..<2000).map { Double($0 * $0) })
    let top = try TopEigenpairs<Double>(of: map, options: options)
    report.note(top.convergence, of: "eigenvalues", option: "--tolerance")
    #expect(report.advice[0].contains("after 7 products"))
    #expect(report.advice[0].hasSuffix("--tolerance sets what is asked for."))
    var estimator = EstimatorOptions()
    (estimator.maxApplications, estimator.tolerance) = (40, 1e-9)
    let trace = try TraceEstimate(of: map, options: estimator)
    report.note(trace.convergence, of: "trace")
    var low = SmallestEigenpairs<Double>.Options()
    (low.maxApplications, low.basisColumns) = (60, 20)
    report.note(
      try SmallestEigenpairs<Double>(of: map, options: low).convergence, of: "smallest",
      option: "--tolerance")
    #expect(report.advice.count == 3)
    for sentence in report.advice {
      #expect(!sentence.contains("allow") && !sentence.contains("budget"), "\(sentence)")
    }
    let errors: [CurvatureError] = [.noDistribution(.fisher), .noModelOutput(.gaussNewton)]
    for error in errors {
      #expect(!error.description.contains("OutputDistribution"))
      #expect(error.description.contains("ask for the"))
    }
  }

  /// Why directions are flat, by the count of rows.
  @Test func `as many rows as columns`() throws {
    func reason(rows: Int) throws -> String? {
      let problem = TestTable.linear(rows, scales: [1, 1, 1, 1, 1, 1], seed: 2)
      let report = try diagnose(
        problem, request: .test { $0.trials.areRun = false }, executor: ReferenceExecutor())
      guard case .text(let reason)? = report.finding("flat-directions")?.evidence["reason"] else {
        return nil
      }
      return reason
    }
    #expect(try reason(rows: 5) == "there are fewer rows than columns")
    #expect(try reason(rows: 6)?.hasPrefix("there are as many rows as columns") == true)
    #expect(try reason(rows: 7) == nil)
  }
}

/// Random starts are independent of the weights that the same seed draws.
@Suite struct ProbeSeedTests {
  @Test(arguments: [0, 1, 7])
  func `a start is no copy of the weights`(_ seed: Int) throws {
    var problem = try TestTable.wine(SpectrumWordsTests.network, standardised: true)
    problem.seed = seed
    let weights: [Double] = problem.start()
    let n = weights.count
    func cosine(_ generatorSeed: UInt64) -> Double {
      var generator = LinearMaps.SeededGenerator(seed: generatorSeed)
      let start: [Double] = generator.unitSphere(n)
      return abs(Double.dot(n, start, weights)) / Double.nrm2(n, weights)
    }
    #expect(cosine(UInt64(seed)) > 0.5)
    #expect(cosine(Resources.probeSeed(seed)) < 5 / Double(n).squareRoot())
  }
}
