import Curvature
import Foundation
import TensorPrograms
import Testing

@testable import Diagnosis

/// The scales of what a model's first layer reads are measured from the data, and standardising them is run.
@Suite struct InputScaleTests {
  private static let rows = 60

  /// Normal features of these means and deviations, and a target of the size of one that they explain.
  private static func data(
    means: [Double], deviations: [Double], seed: UInt64 = 9
  ) -> (x: [Double], y: [Double]) {
    var generator = SeededGenerator(seed: seed)
    var (x, y): ([Double], [Double]) = ([], [])
    for _ in 0..<rows {
      var sum = 0.0
      for (mean, deviation) in zip(means, deviations) {
        let normal = generator.normal()
        x.append(mean + deviation * normal)
        sum += normal
      }
      y.append(sum / Double(means.count).squareRoot() + 0.1 * generator.normal())
    }
    return (x, y)
  }

  private static func start(_ parameters: [LossDefinition.Parameter]) -> [Double] {
    var generator = SeededGenerator(seed: 4)
    return parameters.flatMap { parameter in
      (0..<parameter.shape.count).map { _ in
        parameter.isBias ? 0 : 0.5 * generator.normal() / Double(parameter.shape[0]).squareRoot()
      }
    }
  }

  /// A network of one hidden layer on two-dimensional inputs.
  private static func network(
    means: [Double], deviations: [Double], prepared: @escaping @Sendable (Traced) -> Traced = { $0 }
  ) -> DiagnosisProblem {
    let (x, y) = data(means: means, deviations: deviations)
    let d = means.count
    let parameters: [LossDefinition.Parameter] = [
      .init("w1", [d, 4]), .init("b1", [4], isBias: true), .init("w2", [4, 1]),
      .init("b2", [1], isBias: true),
    ]
    return DiagnosisProblem(
      name: "network",
      definition: LossDefinition(
        parameters: parameters,
        model: { p, data in
          (prepared(data[0]).matmul(p[0]) + p[1]).tanh().matmul(p[2]) + p[3]
        }, loss: { ModelLoss.halfSquaredError.apply($0, $1[1]) }),
      data: [Tensor(x, shape: [rows, d]), Tensor(y, shape: [rows, 1])], start: start(parameters),
      lossName: "half-squared-error")
  }

  private func report(
    _ problem: DiagnosisProblem, trials: Bool = false
  ) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    request.trials.areRun = trials
    request.trials.maxIterations = 1200
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  private func number(_ finding: Finding, _ key: String) -> Double? {
    if case .number(let value)? = finding.evidence[key] { value } else { nil }
  }

  @Test func `features far apart are named, and standardising them is run`() throws {
    let problem = Self.network(means: [0, 300, 0], deviations: [1, 200, 0.01])
    let report = try report(problem, trials: true)
    let finding = try #require(report.finding("input-scales"))
    #expect(finding.evidence["largestFeature"] == .integer(1))
    #expect(finding.evidence["smallestFeature"] == .integer(2))
    let column = (0..<Self.rows).map { problem.data[0].doubles[3 * $0 + 1] }
    let square = column.reduce(0) { $0 + $1 * $1 } / Double(Self.rows)
    #expect(close(number(finding, "largestRootMeanSquare")!, square.squareRoot(), 1e-12))
    let raw = try #require(number(finding, "rawLoss"))
    let standardised = try #require(number(finding, "standardisedLoss"))
    #expect(standardised < 0.5 * raw)
    #expect(report.advice.why.findings.first == "input-scales")
    let run = try #require(report.prescription(.standardiseInputs)?.measured)
    #expect((run.lossAtEqualWork ?? run.loss) == standardised)
    let both = try #require(report.prescription(.standardiseAndAdam)?.measured)
    #expect((both.lossAtEqualWork ?? both.loss ?? .infinity) < 0.5 * raw)
  }

  /// What standardise-inputs trains: the same parameters on `(x - mean) / deviation`, by hand.
  @Test func `the loss is that of the network on standardised inputs`() throws {
    let problem = Self.network(means: [5, 300], deviations: [1, 200])
    let start = try StartedProblem<Double>(
      problem, DiagnosisRequest(), ReferenceExecutor(), context: RunContext())
    let measured = try Measurements(start)
    let rescaled = try #require(try measured.rescaled(inputs: true, target: nil))
    #expect(rescaled.start == start.point && rescaled.lossFactor == 1)
    let x = TestTable.standardised(problem.data[0].doubles, columns: 2)
    let (y, w) = (problem.data[1].doubles, start.point)
    var squares = 0.0
    for row in 0..<Self.rows {
      var output = w[16]
      for unit in 0..<4 {
        let inner: Double = x[2 * row] * w[unit] + x[2 * row + 1] * w[4 + unit] + w[8 + unit]
        output += w[12 + unit] * tanh(inner)
      }
      squares += (output - y[row]) * (output - y[row])
    }
    let told = try rescaled.objective.value(at: rescaled.start)
    #expect(close(told, squares / Double(2 * Self.rows), 1e-10))
  }

  @Test func `means far off zero are named`() throws {
    let report = try report(Self.network(means: [0, 2.5], deviations: [1, 0.1]))
    let finding = try #require(report.finding("input-scales"))
    #expect(finding.evidence["farthestFeature"] == .integer(1))
    #expect(finding.sentence.contains("standard deviations off zero"))
  }

  /// Only layers are accused of what they read: these models scale their inputs themselves.
  @Test func `well-scaled inputs and models that scale them are not accused`() throws {
    let tame = Self.network(means: [0, 0.5, -1], deviations: [1, 2, 0.4])
    #expect(try report(tame).finding("input-scales") == nil)
    #expect(try report(tame).prescription(.standardiseInputs) == nil)
    let scaled = Self.network(means: [0, 0], deviations: [300, 200]) { $0 * 0.004 }
    #expect(try report(scaled).finding("input-scales") == nil)
    let wild = Self.network(means: [0, 0], deviations: [300, 200])
    #expect(try report(wild).finding("input-scales") != nil)
  }

  /// A pixel that one sample has is small on average, and no fault of its scale; a column of such numbers is.
  @Test(arguments: [true, false])
  func `rare features are not accused`(isRare: Bool) throws {
    var problem = Self.network(means: [0, 0], deviations: [1, 1])
    var x = problem.data[0].doubles
    for row in 0..<Self.rows {
      x[2 * row + 1] = isRare ? (row == 7 ? 0.05 : 0) : 0.005 * x[2 * row + 1]
    }
    let definition = try #require(problem.definition)
    problem.loss = .traced(
      definition, data: [Tensor(x, shape: [Self.rows, 2]), problem.data[1]])
    #expect((try report(problem).finding("input-scales") == nil) == isRare)
  }

  /// A graph that computes its own loss: its target is no input of a layer.
  @Test func `inputs of a loss without outputs are measured too`() throws {
    let (x, y) = Self.data(means: [0, 0], deviations: [1, 1500])
    let definition = LossDefinition(parameters: [
      .init("w", [2, 1]), .init("b", [1], isBias: true),
    ]) { p, data in
      (data[0].matmul(p[0]) + p[1] - data[1] * 1e-3).square().mean()
    }
    let problem = DiagnosisProblem(
      name: "loss", definition: definition,
      data: [
        Tensor(x, shape: [Self.rows, 2]), Tensor(y.map { 1e3 * $0 }, shape: [Self.rows, 1]),
      ],
      start: [0, 0, 0])
    let report = try report(problem, trials: true)
    let finding = try #require(report.finding("input-scales"))
    #expect(finding.evidence["features"] == .integer(2))
    #expect(finding.evidence["largestFeature"] == .integer(1))
    let standardised = try #require(report.prescription(.standardiseInputs)?.measured)
    #expect(standardised.reached)
    #expect(report.prescription(.safeRate)?.measured?.reached == false)
  }

  /// Two inputs with a layer each: a feature's name says whose it is.
  @Test func `several inputs`() throws {
    let (x, y) = Self.data(means: [0, 0], deviations: [1, 1])
    let (z, _) = Self.data(means: [0, 0, 0], deviations: [1, 1, 400], seed: 3)
    let definition = LossDefinition(
      parameters: [.init("a", [2, 1]), .init("b", [3, 1])],
      model: { p, data in data[0].matmul(p[0]) + data[1].matmul(p[1]) },
      loss: { ModelLoss.halfSquaredError.apply($0, $1[2]) })
    let problem = DiagnosisProblem(
      name: "two", definition: definition,
      data: [
        Tensor(x, shape: [Self.rows, 2]), Tensor(z, shape: [Self.rows, 3]),
        Tensor(y, shape: [Self.rows, 1]),
      ], start: [0, 0, 0, 0, 0], lossName: "half-squared-error")
    let finding = try #require(try report(problem).finding("input-scales"))
    #expect(finding.evidence["features"] == .integer(5))
    #expect(finding.sentence.contains("feature 2 of input 1"))
  }

  /// The features of a convolution are its channels, of a flattened image its pixels.
  @Test(arguments: [true, false])
  func `images`(isConvolution: Bool) throws {
    var generator = SeededGenerator(seed: 5)
    let pixels = (0..<16 * 2 * 9).map { index in
      (index / 9 % 2 == 0 ? 0.1 : 12) * generator.normal()
    }
    var parameters = ParameterSet(seed: 1)
    if isConvolution {
      parameters.convolution("layer", inputs: 2, outputs: 3, window: [3, 3])
    } else {
      parameters.dense("layer", inputs: 18, outputs: 3)
    }
    let labels = (0..<16).map { Int64($0 % 3) }
    let problem = try DiagnosisProblem(
      "images", parameters: parameters, inputs: [Tensor(pixels, shape: [16, 2, 3, 3])],
      target: Tensor(labels, shape: [16]), loss: .crossEntropy
    ) { p, x in
      isConvolution
        ? x[0].convolution(p["layer"], padding: 1).globalAveragePooling()
        : x[0].reshaped([x[0].shape[0], 18]).dense(p["layer"])
    }
    let finding = try #require(try report(problem).finding("input-scales"))
    #expect(finding.evidence["features"] == .integer(isConvolution ? 2 : 18))
    guard case .integer(let largest)? = finding.evidence["largestFeature"] else {
      Issue.record("no feature")
      return
    }
    #expect(isConvolution ? largest == 1 : largest >= 9)
  }
}
