import Curvature
import Foundation
import TensorPrograms
import Testing

@testable import Diagnosis

/// A target far from one in size is named, and what training on it standardised is worth is run, in the
/// target's own units.
@Suite struct TargetScaleTests {
  private static let network = ModelChoice.mlp(hidden: [5], activation: .tanh)

  /// `y = x^4` at 31 places: some hundred thousand, as the outputs of no network start.
  private static func quartic(
    _ model: ModelChoice, unit: Double = 1, l2: Double = 0, loss: ModelLoss = .halfSquaredError
  ) -> TabularProblem {
    let x = (-15...15).map { 2 * Double($0) }
    var problem = TestTable.problem(
      x, columns: 1, target: .numeric(x.map { unit * $0 * $0 * $0 * $0 }), model: model, l2: l2)
    problem.loss = loss
    return problem
  }

  private static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    return (mean, variance.squareRoot())
  }

  private func report(
    _ problem: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    try diagnose(
      problem,
      request: .test {
        $0.resources.precision = .float64
        $0.trials.maxIterations = 400
        change(&$0)
      }, executor: ReferenceExecutor())
  }

  private func number(_ finding: Finding, _ key: String) -> Double? {
    if case .number(let value)? = finding.evidence[key] { value } else { nil }
  }

  @Test func `a huge target is named and its remedies are run together`() throws {
    let problem = Self.quartic(Self.network)
    // Beside the steps that Adam's rates are chosen by.
    let report = try report(problem) { $0.trials.maxIterations = 1200 }
    let finding = try #require(report.finding("target-scale"))
    let (mean, deviation) = Self.moments(problem.numericTarget)
    #expect(close(number(finding, "mean")!, mean, 1e-12))
    #expect(close(number(finding, "standardDeviation")!, deviation, 1e-12))
    #expect(close(number(finding, "lossAtBestConstant")!, deviation * deviation / 2, 1e-12))
    #expect(report.prescription(.standardiseTarget)?.measured != nil)
    #expect(report.prescription(.standardiseAndAdam)?.measured != nil)
    // Neither Adam nor standardised inputs get anywhere by themselves; together with the target they do.
    let all = try #require(report.prescription(.standardiseAllAndAdam)?.measured?.lossAtEqualWork)
    #expect(all < 0.2 * deviation * deviation / 2)
    let others: [Prescription.Kind] = [
      .safeRate, .fastestRate, .adam, .standardiseFeatures, .standardiseAndAdam,
    ]
    for kind in others {
      let loss = try #require(report.prescription(kind)?.measured?.lossAtEqualWork)
      #expect(loss > 3 * all, "\(kind.rawValue) \(loss) | \(all)")
    }
    let alone = try #require(report.prescription(.standardiseTarget)?.measured?.lossAtEqualWork)
    let best = min(all, alone)
    #expect(close(number(finding, "bestLoss")!, best, 1e-12))
    #expect(close(number(finding, "rSquared")!, 1 - 2 * best / (deviation * deviation), 1e-9))
  }

  /// In units of a power of two, which no rounding tells apart, training comes to the same.
  @Test func `losses are in the target's units`() throws {
    let (one, other) = (
      try report(Self.quartic(Self.network)), try report(Self.quartic(Self.network, unit: 1024))
    )
    for kind in [Prescription.Kind.standardiseAllAndAdam, .standardiseTarget] {
      let first = try #require(one.prescription(kind)?.measured?.loss)
      let second = try #require(other.prescription(kind)?.measured?.loss)
      #expect(close(second, 0x1p20 * first, 1e-12), "\(kind.rawValue) \(first) \(second)")
    }
  }

  /// The network by hand, its outputs turned back, against the loss that the rescaled problem tells.
  @Test(arguments: [ModelLoss.halfSquaredError, .meanSquaredError], [0, 0.3])
  func `a loss on the scaled target is that of the outputs turned back`(
    loss: ModelLoss, l2: Double
  ) throws {
    let problem = Self.quartic(Self.network, l2: l2, loss: loss)
    let start = try StartedProblem<Double>(
      DiagnosisProblem(problem), .test(), ReferenceExecutor(), context: RunContext())
    let measured = try Measurements(start)
    let target = try #require(measured.targetScaling)
    let rescaled = try #require(try measured.rescaled(inputs: false, target: target))
    let (mean, deviation) = Self.moments(problem.numericTarget)
    let w = rescaled.start
    var squares = 0.0
    for (x, y) in zip(problem.features, problem.numericTarget) {
      var output = w[15]
      for unit in 0..<5 { output += w[10 + unit] * tanh(w[unit] * x + w[5 + unit]) }
      let error: Double = mean + deviation * output - y
      squares += error * error / Double(problem.sampleCount)
    }
    var weights = 0.0
    for index in [0, 1, 2, 3, 4, 10, 11, 12, 13, 14] { weights += w[index] * w[index] }
    let expected =
      squares * (loss.name == ModelLoss.meanSquaredError.name ? 1 : 0.5) + l2 / 2 * weights
    let told = try rescaled.objective.value(at: rescaled.start) * rescaled.lossFactor
    #expect(close(told, expected, 1e-10))
  }

  /// Least squares is the same function on either target: the same start, and Adam's way is what differs.
  @Test(arguments: [0, 0.5])
  func `a linear model starts where it started`(l2: Double) throws {
    let problem = Self.quartic(.linear, l2: l2)
    let start = try StartedProblem<Double>(
      DiagnosisProblem(problem), .test(), ReferenceExecutor(), context: RunContext())
    let measured = try Measurements(start)
    for inputs in [false, true] {
      let rescaled = try #require(
        try measured.rescaled(inputs: inputs, target: measured.targetScaling))
      #expect(rescaled.isExact)
      let loss = try rescaled.objective.value(at: rescaled.start) * rescaled.lossFactor
      #expect(close(loss, start.loss, 1e-10))
    }
    let report = try report(problem) { $0.trials.tolerance = 1e-3 }
    #expect(report.finding("target-scale") != nil)
    // Plain descent takes the same course on either.
    #expect(report.prescription(.standardiseTarget) == nil)
    let adam = try #require(report.prescription(.adam)?.measured)
    let scaled = try #require(report.prescription(.standardiseAllAndAdam)?.measured)
    #expect(scaled.reached && !adam.reached)
  }

  /// Losses that are added up are told beside that of the best constant over all samples.
  @Test func `losses that are added up have the same error and share`() throws {
    var problem = Self.quartic(Self.network)
    let mean = try #require(try report(problem).finding("target-scale"))
    problem.reduction = .sum
    let report = try report(problem)
    let sum = try #require(report.finding("target-scale"))
    let (_, deviation) = Self.moments(problem.numericTarget)
    let constant = Double(problem.sampleCount) * deviation * deviation / 2
    #expect(close(number(sum, "errorAtPoint")!, number(mean, "errorAtPoint")!, 1e-9))
    #expect(close(number(sum, "lossAtBestConstant")!, constant, 1e-12))
    #expect(close(number(sum, "rSquared")!, 1 - number(sum, "bestLoss")! / constant, 1e-9))
  }

  /// Some rows stand for all, whose losses are added up.
  @Test func `some rows stand for the sum over all`() {
    var problem = Self.quartic(.linear)
    problem.reduction = .sum
    #expect(problem.rows(at: [0, 3, 9]).lossWeight == Double(problem.sampleCount))
    #expect(problem.rows(at: [0, 3, 9]).rows(at: [1]).lossWeight == Double(problem.sampleCount))
    problem.reduction = .mean
    #expect(problem.rows(at: [0, 3, 9]).lossWeight == 1)
  }

  @Test func `targets of the size of one, classes and fitted networks are not accused`() throws {
    let table = TestTable.linear(40, scales: [1, 1, 1], seed: 7)
    for model in [ModelChoice.linear, Self.network] {
      var problem = table
      problem.model = model
      let report = try report(problem) { $0.trials.areRun = false }
      #expect(report.finding("target-scale") == nil)
    }
    let classes = try report(TestTable.classes(40, features: 3, count: 2, seed: 3)) {
      $0.trials.areRun = false
    }
    #expect(classes.finding("target-scale") == nil)
    // A network whose outputs have the target's size already.
    let x = (0..<20).map { Double($0) / 10 - 1 }
    let fitted = DiagnosisProblem(
      name: "line",
      definition: LossDefinition(
        parameters: [.init("w", [1, 1]), .init("b", [1], isBias: true)],
        model: { p, data in data[0].matmul(p[0]) + p[1] },
        loss: { ModelLoss.halfSquaredError.apply($0, $1[1]) }),
      data: [
        Tensor(x, shape: [20, 1]), Tensor(x.map { 1000 * $0 + 5000 }, shape: [20, 1]),
      ], start: [990, 5000], lossName: "half-squared-error")
    var request = DiagnosisRequest()
    request.trials.areRun = false
    let near = try diagnose(fitted, request: request, executor: ReferenceExecutor())
    #expect(near.finding("target-scale") == nil)
    var far = fitted
    far.start = [0, 0]
    let away = try diagnose(far, request: request, executor: ReferenceExecutor())
    #expect(away.finding("target-scale") != nil)
  }
}
