import Curvature
import LinearMaps
import OnnxBackend
import TensorPrograms
import Testing

@testable import Training

/// Rates, decay and clipping beside the update of each optimizer of the catalogue.
@Suite struct CatalogueRulesTests {
  static let names = OptimizerCatalogue.all.map(\.name)
  private static let problem = Regression()

  private func trained(
    _ name: String, steps: Int, rate: Double = 0.1, _ set: (inout StepRules) -> Void
  ) throws -> [Double] {
    var rules = StepRules()
    set(&rules)
    let run = try TrainingRun(
      Self.problem.objective(), OptimizerSetting(name).make(), rate: rate, from: Self.problem.start,
      rules: rules)
    for _ in 0..<steps { try run.step() }
    return run.parameters
  }

  @Test(arguments: names)
  func aFactorOfZeroLeavesAParameterWhereItWas(_ name: String) throws {
    let moved = try trained(name, steps: 4) {
      $0.rateFactors = [.scalar(1), .scalar(0), .tensor([0, 1])]
    }
    let start = Self.problem.start
    #expect(Array(moved[6..<9]) == Array(start[6..<9]))
    for index in [0, 1, 2, 3, 4, 5, 9] { #expect(moved[index] != start[index], "entry \(index)") }
  }

  /// A step from the same point with the same gradient; SOAP's first moves nothing.
  @Test(arguments: names)
  func decayMovesOnlyWhatItsMaskNames(_ name: String) throws {
    let steps = name == "soap" ? 2 : 1
    let bare = try trained(name, steps: steps) { $0.weightDecay = 0 }
    let decayed = try trained(name, steps: steps) {
      $0.weightDecay = 0.5
      $0.decays = [true, false, false]
    }
    #expect(Array(decayed[6...]) == Array(bare[6...]))
    for index in 0..<6 { #expect(decayed[index] != bare[index], "entry \(index)") }
    // Towards zero.
    for index in 0..<6 {
      #expect((decayed[index] - bare[index]) * Self.problem.start[index] < 0)
    }
  }

  @Test(arguments: names)
  func aFactorEverywhereIsAnotherRate(_ name: String) throws {
    let factors = try trained(name, steps: 5) {
      $0.rateFactors = [.scalar(0.25), .scalar(0.25), .tensor([0.25, 0.25])]
    }
    let rate = try trained(name, steps: 5, rate: 0.025) { _ in }
    #expect(relativeDistance(factors, rate) < 1e-12)
    #expect(try relativeDistance(factors, trained(name, steps: 5) { _ in }) > 1e-9)
  }

  // MARK: Float32

  /// Gradients of 1e25, whose squares are beyond float32.
  @Test func clippingByNormHoldsWhatHasNoSquare() throws {
    let definition = LossDefinition(parameters: [.init("x", [4])]) { p, _ in (p[0] * 1e25).sum() }
    let loss = try Objective<Float>(definition, data: [], executor: ReferenceExecutor())
    var rules = StepRules()
    rules.clipNorm = 1
    let run = try TrainingRun(
      loss, GradientDescent(), rate: 0.5, from: [Float](repeating: 0, count: 4), rules: rules)
    let report = try run.step()
    #expect(close(report.gradientNorm, 2e25, 1e-6))
    for value in run.parameters { #expect(close(Double(value), -0.25, 1e-6)) }
    rules.clipNorm = nil
    rules.clipValue = 2
    let held = try TrainingRun(
      loss, GradientDescent(), rate: 0.5, from: [Float](repeating: 0, count: 4), rules: rules)
    #expect(try held.step().gradientNorm.isFinite && held.parameters == [-1, -1, -1, -1])
    let still = try TrainingRun(
      loss, GradientDescent(), rate: 0, from: [Float](repeating: 0, count: 4), rules: rules)
    try still.step()
    #expect(still.parameters == [0, 0, 0, 0])
  }

  /// `1 - beta^t` of a beta near 1, beside the run in double precision.
  @Test(arguments: [0.999, 0.9999, 0.999_999, 0.999_999_99])
  func correctionsKeepTheirDigits(_ beta: Double) throws {
    let executors: [any Executor] = [ReferenceExecutor(), try OnnxExecutor()]
    for executor in executors {
      func moves<Scalar: LinearMapScalar>(_: Scalar.Type) throws -> [Double] {
        let start = Self.problem.start.map { Scalar($0) }
        let run = try TrainingRun(
          Self.problem.objective(executor: executor), Adam(beta2: beta), rate: 1, from: start)
        try run.step()
        return zip(run.parameters, start).map { Double($0) - Double($1) }
      }
      let (single, double) = (try moves(Float.self), try moves(Double.self))
      #expect(relativeDistance(single, double) < 2e-6, "\(executor.name): \(single) \(double)")
    }
  }

  // MARK: What a step takes

  @Test func probesAreCounted() throws {
    func counts(_ name: String, _ values: [String: Double]) throws -> (Int, Int) {
      let run = try TrainingRun(
        Self.problem.objective() as Objective<Double>, OptimizerSetting(name, values).make(),
        rate: 0.01, from: Self.problem.start)
      let reports = try (0..<5).map { _ in try run.step() }
      return (
        reports.reduce(0) { $0 + $1.gradients }, reports.reduce(0) { $0 + $1.products }
      )
    }
    #expect(try counts("adahessian", [:]) == (5, 5))
    #expect(try counts("sophia-h", ["every": 2]) == (5, 3))
    #expect(try counts("sophia-g", ["every": 2]) == (8, 0))
    #expect(try counts("adam", [:]) == (5, 0))
  }

  // MARK: Muon's scale

  /// A matrix that its model transposes takes the transposed step.
  @Test func muonKnowsWhichAxisIsTheOutputs() throws {
    let slopes = (0..<8).map { 1 + Double($0 * $0 % 5) }
    func moved(_ shape: Shape, _ slopes: [Double], isOutputsFirst: Bool) throws -> [Double] {
      var parameter = LossDefinition.Parameter("w", shape)
      parameter.isOutputsFirst = isOutputsFirst
      let definition = LossDefinition(parameters: [parameter]) { p, _ in
        (p[0] * p[0].builder.constant(Tensor(slopes, type: TensorType(.float64, shape)))).sum()
      }
      let loss = try Objective<Double>(definition, data: [], executor: ReferenceExecutor())
      let run = try TrainingRun(
        loss, OptimizerSetting("muon").make(), rate: 1, from: [Double](repeating: 0, count: 8))
      try run.step()
      return run.parameters
    }
    func transposed(_ values: [Double]) -> [Double] {
      (0..<8).map { values[$0 % 4 * 2 + $0 / 4] }
    }
    // Four inputs, two outputs.
    let forward = try moved([4, 2], slopes, isOutputsFirst: false)
    let backward = try moved([2, 4], transposed(slopes), isOutputsFirst: true)
    #expect(relativeDistance(backward, transposed(forward)) < 1e-12)
    let unknown = try moved([2, 4], transposed(slopes), isOutputsFirst: false)
    #expect(relativeDistance(unknown, backward.map { $0 * 2.0.squareRoot() }) < 1e-12)
  }
}
