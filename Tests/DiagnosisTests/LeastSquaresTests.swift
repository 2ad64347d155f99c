import Curvature
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// The whole engine on linear least squares, against a dense eigensolver on `X'X/n`.
@Suite struct LeastSquaresTests {
  /// Eigenvalues of `[X 1]'[X 1]/n`, and its condition number from the singular values of `[X 1]`.
  struct Oracle {
    let eigenvalues: [Double]
    let conditionNumber: Double?

    init(_ problem: TabularProblem) throws {
      let (n, d) = (problem.sampleCount, problem.featureCount + 1)
      var design = [Double](repeating: 1, count: n * d)
      for row in 0..<n {
        for column in 0..<d - 1 {
          design[column * n + row] = problem.features[row * (d - 1) + column]
        }
      }
      var gram = [Double](repeating: 0, count: d * d)
      for i in 0..<d {
        for j in 0..<d {
          gram[i * d + j] =
            (0..<n).reduce(0) { $0 + design[i * n + $1] * design[j * n + $1] } / Double(n)
        }
      }
      eigenvalues = try SymmetricEigensystem(columnMajor: gram, dimension: d).values
      let values = try SingularValues(columnMajor: design, rows: n, columns: d)
      conditionNumber = n >= d ? values.conditionNumber.map { $0 * $0 } : nil
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let problem: TabularProblem
    var testDescription: String { name }
  }

  static let tables: [Row] =
    [
      Row(
        name: "50 x 1, tiny",
        problem: TestTable.linear(50, scales: [1e-3], seed: 1)),
      Row(
        name: "40 x 3, round",
        problem: TestTable.linear(40, scales: [1, 1.2, 0.8], seed: 2)),
      Row(
        name: "60 x 5, 1e-2 to 1e2",
        problem: TestTable.linear(60, scales: [0.01, 0.1, 1, 10, 100], seed: 3)),
      Row(
        name: "80 x 4, offset",
        problem: TestTable.linear(
          80, scales: [1, 2, 3, 4], means: [10, -20, 30, 1000], seed: 4)),
      Row(
        name: "30 x 2, condition number 1e10",
        problem: TestTable.linear(30, scales: [1e-3, 100], seed: 5)),
      Row(
        name: "100 x 12, 1e-3 to 1e2",
        problem: TestTable.linear(
          100, scales: (0..<12).map { 1e-3 * [1, 30, 1000, 1e5][$0 % 4] }, seed: 6)),
      Row(
        name: "25 x 8, 1e3 everywhere",
        problem: TestTable.linear(25, scales: .init(repeating: 1e3, count: 8), seed: 7)),
      Row(
        name: "120 x 40",
        problem: TestTable.linear(120, scales: .init(repeating: 1, count: 40), seed: 8)),
    ]
    + [false, true].map { standardised in
      Row(
        name: "wine \(standardised ? "standardised" : "raw")",
        problem: try! TestTable.wine(.linear, standardised: standardised, numeric: true))
    }

  @Test(arguments: tables)
  func `eigenvalues are those of a dense solver`(row: Row) throws {
    let report = try diagnose(
      row.problem, request: .test { $0.trials.areRun = false }, executor: ReferenceExecutor())
    let oracle = try Oracle(row.problem)
    let (smallest, largest) = (oracle.eigenvalues.first!, oracle.eigenvalues.last!)
    let curvature = report.curvature
    #expect(abs(try #require(curvature.largest.value) - largest) <= 1e-8 * largest)
    #expect(abs(try #require(curvature.smallest.value) - smallest) <= 1e-8 * largest)
    #expect(try #require(curvature.largest.upperBound) >= largest)
    #expect(try #require(curvature.largest.upperBound) <= 1.01 * largest)
    let kappa = try #require(oracle.conditionNumber)
    let measured = try #require(curvature.conditionNumber)
    #expect(
      abs(measured - kappa) <= max(1e-6, 1e-13 * kappa) * kappa,
      "\(measured) instead of \(kappa)")
    #expect(!curvature.indefinite)
    let limit = try #require(report.learningRate.stabilityLimit)
    #expect(limit <= 2 / largest && limit >= 1.98 / largest)
  }

  @Test func `condition numbers of wine as published`() throws {
    for (standardised, published) in [(false, 4.5886892e8), (true, 45.520838)] {
      let report = try diagnose(
        TestTable.wine(.linear, standardised: standardised, numeric: true),
        request: .test { $0.trials.areRun = false }, executor: ReferenceExecutor())
      #expect(close(try #require(report.curvature.conditionNumber), published, 1e-6))
    }
  }

  /// Loss gaps of descent on standardised wine after so many steps, relative to the first.
  ///
  /// Computed with NumPy from the spectrum: class index 0, 1, 2 as a number, from zero.
  @Test func `the loss curve of wine as published`() throws {
    let problem = try TestTable.wine(.linear, standardised: true, numeric: true)
    let session = try StartedProblem<Double>(
      DiagnosisProblem(problem), .test(), ReferenceExecutor())
    let survey = try CurvatureSurvey(
      of: session.objective.hessian(at: session.point), gradient: session.gradient, seed: 0)
    let steps = [1, 2, 5, 10, 50, 100, 200]
    let curves: [(Double, [Double])] = [
      (
        0.2125014495,
        [0.41859624, 0.2655223, 0.072061241, 0.013125105, 7.9698795e-4, 8.3975393e-5, 9.8690525e-7]
      ),
      (
        0.4158671457,
        [0.54577532, 0.37155405, 0.22721616, 0.1433101, 0.004239341, 5.2344283e-5, 7.9804875e-9]
      ),
    ]
    for (rate, published) in curves {
      let forecast = survey.model.forecast(rate: rate)
      for (step, gap) in zip(steps, published) {
        #expect(close(try #require(forecast.relativeGap(after: step)), gap, 2e-7), "\(step)")
      }
    }
    // The minimax rate is worse for the first 89 steps.
    let (safe, minimax) = (
      survey.model.forecast(rate: curves[0].0), survey.model.forecast(rate: curves[1].0)
    )
    let overtaken = (1...200).first { minimax.gap(after: $0) < safe.gap(after: $0) }
    #expect(overtaken == 90)
  }

  /// Conditioned so that descent arrives within a few hundred steps.
  static let trials: [(name: String, problem: TabularProblem, tolerance: Double)] = [
    ("round", TestTable.linear(40, scales: [1, 1.2, 0.8], seed: 11), 1e-6),
    ("one column", TestTable.linear(30, scales: [3], means: [1], seed: 12), 1e-8),
    ("kappa 100", TestTable.linear(30, scales: [0.3, 1, 3], seed: 13), 1e-5),
    (
      "offset", TestTable.linear(25, scales: [1, 1], means: [2, -3], noise: 1, seed: 14), 1e-4
    ),
    ("no noise", TestTable.linear(20, scales: [1, 0.5, 2], noise: 0, seed: 15), 1e-6),
    (
      "l2",
      {
        var problem = TestTable.linear(30, scales: [0.5, 2], means: [1, 0], seed: 16)
        problem.l2 = 0.05
        return problem
      }(), 1e-6
    ),
    (
      "mse",
      {
        var problem = TestTable.linear(30, scales: [0.5, 2], seed: 17)
        problem.loss = .meanSquaredError
        return problem
      }(), 1e-6
    ),
  ]

  @Test(arguments: trials.indices)
  func `predicted iterations are the measured ones`(index: Int) throws {
    let (name, problem, tolerance) = Self.trials[index]
    let report = try diagnose(
      problem,
      request: .test {
        $0.trials.tolerance = tolerance
        $0.trials.maxIterations = 3000
        $0.training.rate = 0.5 / (problem.loss.name == ModelLoss.meanSquaredError.name ? 20 : 10)
      }, executor: ReferenceExecutor())
    for kind in [
      Prescription.Kind.asGiven, .safeRate, .fastestRate, .standardiseFeatures, .momentum,
      .diagonalPreconditioner,
    ] {
      let row = try #require(report.prescription(kind), "\(name): \(kind)")
      let measured = try #require(row.measured, "\(name): \(kind)")
      let iterations = try #require(measured.iterations, "\(name): \(kind) \(measured)")
      let predicted = try #require(row.predicted.iterations, "\(name): \(kind)")
      #expect(abs(predicted - iterations) <= 1, "\(name): \(kind) \(predicted) | \(iterations)")
      #expect(measured.reached && !measured.diverged)
      #expect(try #require(measured.relativeGap) <= tolerance)
    }
    #expect(try #require(report.prescription(.newtonCG)?.measured?.iterations) <= 2)
    #expect(report.prediction.iterations == report.prescription(.asGiven)?.predicted.iterations)
  }
}
