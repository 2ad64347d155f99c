import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Columns that are standardised before anything is measured or trained.
@Suite struct StandardisedTests {
  /// A column that does not vary between two that differ in size.
  private static func table(rows: Int = 30, intercept: Bool = true) -> TabularProblem {
    var generator = SeededGenerator(seed: 5)
    var features: [Double] = []
    var target: [Double] = []
    for _ in 0..<rows {
      let (a, b) = (generator.normal(), generator.normal())
      features += [40 + 300 * a, 7, 0.02 * b]
      target.append(2 * a - b + 0.5 + 0.1 * generator.normal())
    }
    var problem = TabularProblem(
      name: "t", targetName: "y", features: features, featureNames: ["a", "seven", "b"],
      target: .numeric(target), model: .linear, loss: .halfSquaredError)
    problem.hasIntercept = intercept
    return problem
  }

  private func column(_ table: TabularProblem, _ index: Int) -> [Double] {
    (0..<table.sampleCount).map { table.features[$0 * table.featureCount + index] }
  }

  private func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (mean, (squares / Double(values.count)).squareRoot())
  }

  @Test func `columns have mean 0 and deviation 1, and one that does not vary is 0`() {
    let problem = Self.table().standardised()
    for index in [0, 2] {
      let (mean, deviation) = moments(column(problem, index))
      #expect(abs(mean) < 1e-12 && abs(deviation - 1) < 1e-12)
    }
    #expect(column(problem, 1).allSatisfy { $0 == 0 })
    #expect(problem.readings.last?.id == "standardised")
    #expect(
      problem.readings.last?.sentence.hasSuffix("`seven` does not vary and is left at 0.") == true)
    // Without a bias nothing is subtracted, and the constant is a column like others.
    let scaled = Self.table(intercept: false)
    let given = column(scaled, 0)
    let size = (given.reduce(0) { $0 + $1 * $1 } / Double(given.count)).squareRoot()
    let changed = column(scaled.standardised(), 0)
    #expect(zip(changed, given).allSatisfy { abs($0 - $1 / size) < 1e-12 })
    #expect(column(scaled.standardised(), 1).allSatisfy { abs($0 - 1) < 1e-12 })
  }

  private func request(steps: Int, rate: Double, _ kind: TableRequest) -> TrainingRequest {
    var request = TrainingRequest(.table(kind))
    request.rate = .number(rate)
    request.steps = steps
    return request
  }

  private var standardised: TableRequest {
    var table = TableRequest(file: "t.csv", target: "y")
    table.standardised = true
    return table
  }

  private func train(
    _ problem: TabularProblem, heldOut: TabularProblem? = nil, _ request: TrainingRequest
  ) throws -> TrainingResult {
    try Diagnosis.train(
      DiagnosisProblem(problem), heldOut: heldOut.map { DiagnosisProblem($0) }, request: request,
      TrainingSurroundings(executor: ReferenceExecutor()))
  }

  @Test(arguments: [0, 0.1]) func `parameters of the columns as given make the same predictions`(
    l2: Double
  ) throws {
    var problem = Self.table()
    problem.l2 = l2
    var other = Self.table(rows: 12)
    other.l2 = l2
    other.features = other.features.map { $0 * 1.5 }
    var request = request(steps: 60, rate: 0.5, standardised)
    request.heldOut = .file("h.csv")
    let result = try train(problem, heldOut: other, request)
    #expect(result.ofGivenColumns.map(\.name) == ["weights", "bias"])
    let (weights, bias) = (result.ofGivenColumns[0].values, result.ofGivenColumns[1].values[0])
    func loss(_ table: TabularProblem) -> Double {
      let squares = (0..<table.sampleCount).reduce(0.0) { total, row in
        let output = (0..<3).reduce(bias) { $0 + table.features[3 * row + $1] * weights[$1] }
        let error = output - table.numericTarget[row]
        return total + error * error / 2
      }
      return squares / Double(table.sampleCount)
        + weights.reduce(0) { $0 + l2 / 2 * $1 * $1 }
    }
    // The held-out rows by the means and deviations of those that are trained on.
    let report = result.report
    #expect(abs(try #require(report.after.loss) - loss(problem)) < 1e-9 * loss(problem))
    #expect(
      abs(try #require(report.heldOut?.after.loss) - loss(other)) < 1e-9 * loss(other))
    let known = try #require(report.standardisation)
    #expect(known.constant == ["seven"] && known.rows == 30)
    let first = moments(column(problem, 0))
    #expect(abs(known.means[0] - first.mean) < 1e-10 * abs(first.mean))
    #expect(abs(known.deviations[0] - first.deviation) < 1e-10 * first.deviation)
    #expect(report.problem.readings?.contains { $0.id == "standardised" } == true)
  }

  /// Powers of two tell by their sum which rows it is of.
  @Test func `a share that is held out does not count`() throws {
    let rows = 20
    let powers = (0..<rows).map { Double(1 << $0) }
    let problem = TabularProblem(
      name: "t", targetName: "y", features: powers, featureNames: ["a"],
      target: .numeric(powers.map { $0 / 1000 }), model: .linear, loss: .halfSquaredError)
    var request = request(steps: 3, rate: 0.1, standardised)
    request.heldOut = .share(0.25)
    let known = try #require(try train(problem, request).report.standardisation)
    #expect(known.rows == 15)
    let sum = Int((known.means[0] * 15).rounded())
    let members = (0..<rows).filter { sum >> $0 & 1 == 1 }
    #expect(members.count == 15)
    let deviation = moments(members.map { powers[$0] }).deviation
    #expect(abs(known.deviations[0] - deviation) < 1e-9 * deviation)
  }

  @Test func `a diagnosis agrees with the trial that standardises`() throws {
    let problem = TestTable.linear(50, scales: [1, 2, 0.005, 1, 400], seed: 52)
    let raw = try diagnose(
      problem, request: .test { $0.trials.tolerance = 1e-3 }, executor: ReferenceExecutor())
    let trial = try #require(raw.prescription(.standardiseFeatures))
    let (rate, measured) = (try #require(trial.predicted.rate), try #require(trial.measured))
    let standardised = try diagnose(
      problem.standardised(),
      request: .test {
        $0.trials.tolerance = 1e-3
        $0.training.rate = rate
      }, executor: ReferenceExecutor())
    let given = try #require(standardised.prescription(.asGiven)?.measured)
    #expect(given.iterations == measured.iterations && measured.iterations != nil)
    let condition = try #require(standardised.curvature.conditionNumber)
    #expect(abs(condition - (try #require(trial.predicted.conditionNumber))) < 1e-6 * condition)
    #expect(standardised.prescription(.standardiseFeatures) == nil)
  }
}
