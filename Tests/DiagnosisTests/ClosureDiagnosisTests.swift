import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Losses whose values and derivatives somebody else computes, diagnosed.
@Suite struct ClosureDiagnosisTests {
  private func report(
    _ problem: DiagnosisProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    change(&request)
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  // MARK: Rosenbrock

  private var rosenbrock: DiagnosisProblem {
    DiagnosisProblem(name: "rosenbrock", loss: Rosenbrock.closures, start: Rosenbrock.start)
  }

  @Test func rosenbrockByClosures() throws {
    let report = try report(rosenbrock) {
      $0.training.rate = 1e-3
      $0.resources.effort = 10
    }
    let known = Rosenbrock.eigenvalues(Rosenbrock.start)
    #expect(report.directions.count == 2)
    for (direction, value) in zip(report.directions, known) {
      #expect(close(direction.eigenvalue, value, 1e-12))
    }
    #expect(close(report.curvature.largest.value!, known[0], 1e-12))
    #expect(close(report.curvature.conditionNumber!, known[0] / known[1], 1e-10))
    #expect(!report.curvature.indefinite && report.curvature.gaussNewtonConditionNumber == nil)
    #expect(report.curvature.largestOnLargerSample == nil)
    #expect(close(report.learningRate.stabilityLimit!, 2 / known[0], 1e-12))
    #expect(close(report.problem.loss!, 24.2, 1e-12))
    #expect(close(report.problem.gradientNorm!, (215.6 * 215.6 + 88 * 88).squareRoot(), 1e-12))
    #expect(report.problem.parameters == 2 && report.problem.samples == 1)
    #expect(report.problem.name == "rosenbrock" && report.problem.features == nil)
    // Every trial ran, and what reached the minimum did so by the loss itself, whose least value is 0.
    #expect(report.prescriptions.allSatisfy { $0.measured != nil })
    let newton = try #require(report.prescriptions.first { $0.id == "newton-cg" })
    #expect(newton.measured!.reached && newton.measured!.loss! < 24.2e-6)
    for prescription in report.prescriptions where prescription.measured!.reached {
      #expect(prescription.measured!.loss! <= 24.2e-6)
    }
    let given = try #require(report.prescriptions.first { $0.id == "as-given" }?.measured)
    let steps = try #require(given.iterations)
    // Descent by hand needs as many.
    var x = Rosenbrock.start
    for _ in 0..<steps - 1 {
      x = zip(x, Rosenbrock.gradient(x)).map { $0 - 1e-3 * $1 }
    }
    #expect(Rosenbrock.value(x) > 24.2e-6 * (1 - 1e-9))
    x = zip(x, Rosenbrock.gradient(x)).map { $0 - 1e-3 * $1 }
    #expect(Rosenbrock.value(x) <= 24.2e-6 * (1 + 1e-9))
  }

  /// Where the Hessian curves downwards, and after steps of an optimizer.
  @Test func rosenbrockElsewhere() throws {
    let start = [0.0, 1.0]
    let report = try report(
      DiagnosisProblem(name: "rosenbrock", loss: Rosenbrock.closures, start: start)
    ) { $0.trials.areRun = false }
    #expect(report.curvature.indefinite)
    #expect(close(report.directions.last!.eigenvalue, 2 - 400, 1e-12))
    var x = Rosenbrock.start
    for _ in 0..<20 { x = zip(x, Rosenbrock.gradient(x)).map { $0 - 1e-3 * $1 } }
    let later = try self.report(rosenbrock) {
      $0.training.rate = 1e-3
      $0.training.steps = 20
      $0.trials.areRun = false
    }
    #expect(close(later.problem.loss!, Rosenbrock.value(x), 1e-10))
    #expect(close(later.curvature.largest.value!, Rosenbrock.eigenvalues(x)[0], 1e-10))
  }

  @Test func aFailingClosureFailsTheDiagnosis() throws {
    struct Elsewhere: Error {}
    var closures = Rosenbrock.closures
    closures.hessianProduct = { _, _ in throw Elsewhere() }
    let problem = DiagnosisProblem(name: "lost", loss: closures, start: Rosenbrock.start)
    #expect(throws: Elsewhere.self) { try report(problem) }
    closures.hessianProduct = { _, _ in [.nan, 0] }
    let broken = try report(
      DiagnosisProblem(name: "broken", loss: closures, start: Rosenbrock.start))
    #expect(broken.findings.map(\.id) == ["non-finite"])
  }

  // MARK: A network whose closures call its traced objective

  /// One thread at a time asks it.
  private final class Shared: @unchecked Sendable {
    let objective: Objective<Double>
    init(_ objective: Objective<Double>) { self.objective = objective }
  }

  private func network() throws -> (traced: DiagnosisProblem, closures: DiagnosisProblem) {
    var generator = SeededGenerator(seed: 8)
    let x = (0..<20 * 3).map { _ in generator.normal() }
    let y = (0..<20).map { (sample: Int) -> Double in
      sin(x[3 * sample]) + 0.5 * x[3 * sample + 1] * x[3 * sample + 2]
    }
    var parameters = ParameterSet(seed: 2, .leCun)
    parameters.dense("hidden", inputs: 3, outputs: 4)
    parameters.dense("output", inputs: 4, outputs: 1)
    let definition = LossDefinition(
      parameters: parameters.definitions,
      model: { p, data in
        (data[0].matmul(p[0].transposed()) + p[1]).tanh().matmul(p[2].transposed()) + p[3]
      },
      loss: { f, data in (f - data[1]).square().mean() * 0.5 },
      penalty: { p in (p[0].square().sum() + p[2].square().sum()) * 0.005 })
    let data = [Tensor(x, shape: [20, 3]), Tensor(y, shape: [20, 1])]
    let shared = Shared(
      try Objective<Double>(definition, data: data, executor: ReferenceExecutor()))
    let closures = LossClosures(
      parameters: definition.parameters, value: { try shared.objective.value(at: $0) },
      valueAndGradient: { try shared.objective.valueAndGradient(at: $0) },
      hessianProduct: { try shared.objective.hessian(at: $0)($1) },
      gaussNewtonProduct: {
        try shared.objective.curvature(CurvatureKind.gaussNewton, at: $0)($1)
      },
      sampleCount: 20, gradientOperations: try shared.objective.gradientOperations())
    return (
      DiagnosisProblem(
        name: "network", definition: definition, data: data, start: parameters.start),
      DiagnosisProblem(name: "network", loss: closures, start: parameters.start)
    )
  }

  @Test(arguments: ["gd", "momentum", "adam"])
  func networkBothWays(_ optimizer: String) throws {
    let (traced, closures) = try network()
    func change(_ request: inout DiagnosisRequest) {
      request.training.rate = optimizer == "adam" ? 0.01 : 0.2
      request.training.optimizer = try! OptimizerSetting(optimizer)
      request.training.steps = 3
      request.trials.maxIterations = 300
    }
    let (one, other) = (try report(traced, change), try report(closures, change))
    func agree(_ a: Double?, _ b: Double?, _ tolerance: Double = 1e-8) -> Bool {
      guard let a, let b else { return a == nil && b == nil }
      return close(a, b, tolerance)
    }
    #expect(one.problem == other.problem)
    let (left, right) = (one.curvature, other.curvature)
    #expect(agree(left.largest.value, right.largest.value))
    #expect(agree(left.largest.upperBound, right.largest.upperBound))
    #expect(agree(left.smallest.value, right.smallest.value))
    #expect(agree(left.conditionNumber, right.conditionNumber))
    #expect(agree(left.gaussNewtonConditionNumber, right.gaussNewtonConditionNumber, 1e-6))
    #expect(left.gaussNewtonConditionNumber != nil)
    #expect(left.operatorApplications == right.operatorApplications)
    // Groups of samples are what only programs have.
    #expect(left.largestOnLargerSample != nil && right.largestOnLargerSample == nil)
    #expect(agree(one.learningRate.stabilityLimit, other.learningRate.stabilityLimit))
    #expect(one.directions.count == other.directions.count && !one.directions.isEmpty)
    for (a, b) in zip(one.directions, other.directions) {
      #expect(abs(a.eigenvalue - b.eigenvalue) <= 1e-9 * left.largest.value!)
      #expect(a.regime == b.regime)
    }
    #expect(one.layers.map(\.layer) == other.layers.map(\.layer) && one.layers.count == 2)
    for (a, b) in zip(one.layers, other.layers) { #expect(agree(a.sharpness, b.sharpness, 1e-6)) }
    #expect(one.prediction.iterations == other.prediction.iterations)
    let found = Set(one.findings.map(\.id)).subtracting(["sample-too-small"])
    #expect(found == Set(other.findings.map(\.id)) && found.count >= 4)
    #expect(one.prescriptions.count == other.prescriptions.count)
    for a in one.prescriptions {
      let b = try #require(other.prescriptions.first { $0.id == a.id })
      #expect(agree(a.predicted.rate, b.predicted.rate, 1e-6), "\(a.id)")
      #expect(a.predicted.iterations == b.predicted.iterations, "\(a.id)")
      let (ran, also) = (try #require(a.measured), try #require(b.measured))
      #expect(ran.reached == also.reached && ran.stepsRun == also.stepsRun, "\(a.id)")
      #expect(agree(ran.loss, also.loss, 1e-6), "\(a.id): \(ran.loss ?? 0), \(also.loss ?? 0)")
    }
  }
}
