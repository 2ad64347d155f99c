import Curvature
import Foundation
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// That a loss has no minimum is said before anything is predicted, and not said of others.
@Suite struct FiniteMinimumTests {
  /// Two columns of integers: a line separates the classes; it passes through rows of both; the classes
  /// overlap.
  static let complete: ([Double], [Int32]) = (
    [1, 0, 2, 1, 3, -1, -1, 1, -2, 0, -3, 2], [0, 0, 0, 1, 1, 1]
  )
  static let partial: ([Double], [Int32]) = (
    [0, 0, 0, 0, 2, 1, 3, -1, -2, 0, -3, 2, 1, 1], [0, 1, 0, 0, 1, 1, 0]
  )
  static let overlapping: ([Double], [Int32]) = (
    [1, 0, 2, 1, -3, -1, -1, 1, 2, 0, -3, 2, 0, 2, 0, -2, 0, 2, 0, -2],
    [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]
  )

  static func problem(
    _ table: ([Double], [Int32]), classes: Int = 2, model: ModelChoice = .softmax, l2: Double = 0,
    scale: Double = 1
  ) -> TabularProblem {
    let features = table.0.enumerated().map { $0 % 2 == 0 ? $1 * scale : $1 }
    return TestTable.problem(
      features, columns: 2, target: .classes(table.1, count: classes), model: model, l2: l2)
  }

  static func report(
    _ problem: TabularProblem, trials: Bool = false,
    _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    try diagnose(
      problem,
      request: .test {
        $0.trials = trials
        $0.maxIterations = 300
        change(&$0)
      }, executor: ReferenceExecutor())
  }

  private func expectNoCounts(_ report: DiagnosisReport) {
    #expect(report.finding("no-finite-minimum") != nil)
    #expect(report.prediction.iterations == nil && report.prediction.curve.isEmpty)
    #expect(!report.prescriptions.isEmpty)
    #expect(report.prescriptions.allSatisfy { $0.predicted.iterations == nil })
  }

  @Test(arguments: [1, 1e8, 1e-6])
  func `separable classes have no counts, with trials or without`(scale: Double) throws {
    for table in [Self.complete, Self.partial] {
      for trials in [false, true] {
        let report = try Self.report(Self.problem(table, scale: scale), trials: trials)
        expectNoCounts(report)
        #expect(report.finding("no-finite-minimum")?.sentence.contains("--l2 1e-3") == true)
      }
    }
    let given = try Self.report(Self.problem(Self.complete, scale: scale)) {
      $0.optimizer = try! OptimizerSetting("momentum")
      $0.rate = 1e-3 / (1 + scale * scale)
    }
    expectNoCounts(given)
    let evidence = given.finding("rate-far-below")?.evidence ?? [:]
    #expect(evidence["iterations"] ?? .missing == .missing)
  }

  @Test func `classes that overlap or a penalty leave the counts`() throws {
    for problem in [
      Self.problem(Self.overlapping), Self.problem(Self.complete, l2: 1e-2),
      Self.problem(Self.partial, l2: 1e-2),
    ] {
      let report = try Self.report(problem)
      #expect(report.finding("no-finite-minimum") == nil)
      #expect(report.prescriptions.contains { $0.predicted.iterations != nil })
      #expect(report.prediction.iterations != nil)
    }
    let run = try Self.report(Self.problem(Self.overlapping), trials: true)
    #expect(run.finding("no-finite-minimum") == nil)
  }

  /// The loss at biases that sink: lower at every step of the way, penalty or not.
  @Test func `a class without rows has no minimum even under a penalty`() throws {
    for l2 in [0, 1e-2] {
      let problem = Self.problem(Self.overlapping, classes: 3, l2: l2)
      let report = try Self.report(problem)
      expectNoCounts(report)
      let finding = try #require(report.finding("no-finite-minimum"))
      #expect(finding.sentence.contains("a class has no row"))
      #expect(!finding.sentence.contains("--l2"))
      let objective = try Objective<Double>(
        problem.definition, data: problem.data(ElementType.float64), executor: ReferenceExecutor())
      var point: [Double] = problem.start()
      var last = try objective.value(at: point)
      for _ in 0..<5 {
        point[8] -= 2
        let value = try objective.value(at: point)
        #expect(value < last)
        last = value
      }
    }
  }

  /// With more hidden units than rows the last layer can tell any rows apart; with the same row in
  /// both classes none can.
  @Test func `a network is judged by the features of its last layer`() throws {
    for activation in [ModelChoice.Activation.tanh, .relu, .gelu] {
      let model = ModelChoice.mlp(hidden: [40], activation: activation)
      let report = try Self.report(Self.problem(Self.overlapping, model: model))
      #expect(report.finding("no-finite-minimum") == nil)
      let apart = (Self.complete.0 + [5, 5, -5, 4], Self.complete.1 + [1, 0])
      expectNoCounts(try Self.report(Self.problem(apart, model: model)))
      let penalised = try Self.report(Self.problem(apart, model: model, l2: 1e-3))
      #expect(penalised.finding("no-finite-minimum") == nil)
    }
  }

  @Test func `the bundled wine table is separable`() throws {
    for standardised in [false, true] {
      let report = try Self.report(TestTable.wine(.softmax, standardised: standardised))
      expectNoCounts(report)
      #expect(
        report.finding("no-finite-minimum")?.sentence
          .contains("the classes can be told apart without error") == true)
    }
  }

  /// Logits against 0 and 1: as softmax of two classes, and each output by itself.
  @Test func `the binary loss is judged too`() throws {
    func report(_ rows: [Double], _ targets: [[Int32]]) throws -> DiagnosisReport {
      let (n, outputs) = (rows.count / 2, targets.count)
      var parameters = ParameterSet(seed: 1)
      parameters.dense("head", inputs: 2, outputs: outputs)
      let target = (0..<n).flatMap { row in targets.map { Double($0[row]) } }
      let problem = try DiagnosisProblem(
        "logits", parameters: parameters, inputs: [Tensor(rows, shape: [n, 2])],
        target: Tensor(target, shape: [n, outputs]), loss: .binary
      ) { p, x in x[0].dense(p["head"]) }
      var request = DiagnosisRequest()
      request.precision = .float64
      request.trials = false
      return try diagnose(problem, request: request, executor: ReferenceExecutor())
    }
    func reason(_ report: DiagnosisReport) -> String? {
      report.finding("no-finite-minimum")?.sentence
    }
    let (apart, labels) = Self.complete
    expectNoCounts(try report(apart, [labels]))
    let overlap = try report(Self.overlapping.0, [Self.overlapping.1])
    #expect(reason(overlap) == nil && overlap.prediction.iterations != nil)
    #expect(try reason(report(Self.partial.0, [Self.partial.1]))?.contains("some rows") == true)
    // Two outputs: one separable, the other not.
    let mixed = (0..<10).map { Int32($0 % 2) }
    let first = (0..<10).map { Int32(Self.overlapping.0[2 * $0] > 0.5 ? 1 : 0) }
    #expect(try reason(report(Self.overlapping.0, [first, Self.overlapping.1])) != nil)
    #expect(
      try reason(report(Self.overlapping.0, [[Int32](repeating: 0, count: 10), mixed]))?
        .contains("a class has no sample") == true)
  }

  /// A head without a bias, tied to the features, or behind another operation is not taken for one with.
  @Test func `the last layer is recognised only where it is one`() throws {
    let x = Tensor([1.0, 2, 3, 4, 5, 6], shape: [3, 2])
    let parameters = [
      LossDefinition.Parameter("w", [2, 2]), LossDefinition.Parameter("b", [2], isBias: true),
    ]
    func head(_ model: @escaping LossDefinition.Function) throws -> LinearHead? {
      try LossDefinition(parameters: parameters, model: model) { outputs, _ in outputs.sum() }
        .linearHead(
          [x], at: [1, 2, 3, 4, 0, 0] as [Double], executor: ReferenceExecutor(), maxNumbers: 100)
    }
    let plain = try #require(try head { $1[0].matmul($0[0]) + $0[1] })
    #expect(plain.features == x.doubles && plain.width == 2 && plain.rows == 3)
    #expect(plain.outputs == 2 && plain.bias == 1)
    let bare = try #require(try head { $1[0].tanh().matmul($0[0].transposed([1, 0])) })
    #expect(bare.bias == nil && bare.features == x.doubles.map { Foundation.tanh($0) })
    #expect(try head { $1[0].matmul($0[0]).tanh() } == nil)
    #expect(try head { $1[0].matmul($0[0]).matmul($0[0]) + $0[1] } == nil)
    #expect(try head { ($1[0] + $0[1]).matmul($0[0]) + $0[1] } == nil)
    #expect(try head { $1[0].matmul($0[0].square()) + $0[1] } == nil)
  }
}
