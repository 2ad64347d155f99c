import Curvature
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// A rate for each layer, and L-BFGS.
@Suite struct NewRemedyTests {
  private func report(
    _ problem: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    try diagnose(problem, request: .test(change), executor: ReferenceExecutor())
  }

  private static let network = TestTable.classes(
    60, features: 4, count: 3, seed: 3, model: .mlp(hidden: [8], activation: .tanh))

  @Test func `rates per layer keep the whole matrix just below its limit`() throws {
    let report = try report(Self.network) {
      $0.resources.precision = .float64
      $0.trials.maxIterations = 150
    }
    let item = try #require(report.prescription(.ratesPerLayer))
    let measured = try #require(item.measured)
    #expect(!measured.diverged && measured.lossAtEnd! < report.problem.loss!)
    #expect(item.predicted.iterations == nil && item.note?.contains("no theory") == true)
    let rate = try #require(item.predicted.rate)
    let course = try #require(item.course)
    // The matrix written out by products, scaled by the roots of the rates, its largest eigenvalue by powers.
    let table = Self.network
    let objective = try Objective<Double>(
      table.definition, data: table.data(.float64), executor: ReferenceExecutor())
    let point: [Double] = table.start()
    let map = try objective.hessian(at: point)
    let factors = table.definition.parameters.flatMap { parameter -> [Double] in
      let own = course.rates.first {
        $0.parameters.split(separator: ",").contains { $0 == parameter.name }
      }
      return [Double](repeating: own?.factor ?? 1, count: parameter.shape.count)
    }
    #expect(course.rates.count == 1 && course.rates[0].factor.map { $0 < 1 } == true)
    var x = point.indices.map { 1 + 0.1 * Double($0 % 7) }
    var value = 0.0
    for _ in 0..<400 {
      let scaled = zip(x, factors).map { $0 * $1.squareRoot() }
      let product = zip(try map(scaled), factors).map { $0 * $1.squareRoot() }
      let norm = product.reduce(0) { $0 + $1 * $1 }.squareRoot()
      value = norm
      x = product.map { $0 / norm }
    }
    #expect(rate * value < 2 && rate * value > 1.8)
    // Each layer for itself is below its own limit.
    for layer in report.layers {
      let factor =
        course.rates.first { $0.parameters.contains(layer.parameters[0]) }?.factor ?? 1
      #expect(rate * factor * layer.sharpness < 2)
    }
  }

  @Test func `L-BFGS on a table reaches the minimum, its work counted in gradients`() throws {
    let report = try report(TestTable.linear(60, scales: [3, 1, 0.2], seed: 4))
    let item = try #require(report.prescription(.lbfgs))
    let measured = try #require(item.measured)
    let steps = try #require(measured.iterations)
    #expect(measured.reached && steps > 2 && steps < 30)
    let work = try #require(measured.gradientEquivalents)
    #expect(work >= Double(steps) && work < 4 * Double(steps) + 4)
    #expect(item.predicted.iterations == nil && item.note == "no theory foretells its steps")
    #expect(item.course?.optimizer.name == "lbfgs" && item.course?.steps == steps)
  }

  @Test func `without a table L-BFGS takes over from an optimizer`() throws {
    let table = Self.network
    var problem = DiagnosisProblem(table)
    problem.table = nil
    let report = try diagnose(
      problem, request: .test { $0.trials.maxIterations = 120 }, executor: ReferenceExecutor())
    let item = try #require(report.prescription(.lbfgs))
    #expect(item.change.contains("Adam at") && item.change.contains("from where it stalls"))
    let course = try #require(item.course)
    #expect(course.then?.name == "lbfgs" && course.optimizer.name == "adam" && course.steps == 120)
    let measured = try #require(item.measured)
    let adam = try #require(report.prescription(.adam)?.measured)
    #expect(try #require(measured.lossAtEnd) < adam.lossAtEnd! * 1.5)
    #expect(measured.gradientEquivalents! > 100)
  }

  @Test func `the sharpness is not followed where the loss has no finite minimum`() throws {
    let table = TestTable.classes(
      60, features: 4, count: 2, spread: 0.05, seed: 3,
      model: .mlp(hidden: [8], activation: .tanh))
    let report = try report(table) { $0.trials.maxIterations = 100 }
    if let item = report.prescription(.followSharpness) {
      #expect(item.change.contains(", at last "))
      #expect(report.finding("no-finite-minimum") == nil)
    }
    let other = try self.report(Self.network) { $0.trials.maxIterations = 120 }
    #expect(try #require(other.prescription(.followSharpness)).change.contains(", at last "))
  }
}
