import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Testing

@testable import Diagnosis

/// One logit, models without a bias, summed losses and targets that could be read either way, against
/// matrices written out here.
@Suite struct TableModelTests {
  static func report(
    _ problem: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    try diagnose(
      problem,
      request: .test {
        $0.trials.areRun = false
        change(&$0)
      }, executor: ReferenceExecutor())
  }

  /// Eigenvalues of `sum_i w_i z_i z_i'` for rows `z_i` of the features, with a one behind them or not.
  static func eigenvalues(
    _ problem: TabularProblem, hasOne: Bool = true, weights: (Int) -> Double
  ) throws -> [Double] {
    let d = problem.featureCount + (hasOne ? 1 : 0)
    var matrix = [Double](repeating: 0, count: d * d)
    for sample in 0..<problem.sampleCount {
      let z = row(problem, sample) + (hasOne ? [1] : [])
      for i in 0..<d { for j in 0..<d { matrix[i * d + j] += weights(sample) * z[i] * z[j] } }
    }
    return try SymmetricEigensystem(columnMajor: matrix, dimension: d).values
  }

  static func row(_ problem: TabularProblem, _ sample: Int) -> [Double] {
    let d = problem.featureCount
    return Array(problem.features[sample * d..<(sample + 1) * d])
  }

  static func clouds(_ model: ModelChoice, intercept: Bool = true) -> TabularProblem {
    var problem = TestTable.classes(60, features: 3, count: 2, seed: 5, model: model)
    if model == .logistic { problem.loss = .binary }
    problem.hasIntercept = intercept
    return problem
  }

  @Test func `one logit has half the curvature of two classes' softmax`() throws {
    let logistic = try Self.report(Self.clouds(.logistic))
    let softmax = try Self.report(Self.clouds(.softmax))
    #expect(logistic.problem.parameters == 4 && softmax.problem.parameters == 8)
    #expect(abs(try #require(logistic.problem.loss) - log(2)) < 1e-14)
    // p (1 - p) is a quarter for every row at zero weights.
    let top = try Self.eigenvalues(Self.clouds(.logistic)) { _ in 0.25 / 60 }.last!
    let value = try #require(logistic.curvature.largest.value)
    #expect(abs(value - top) < 1e-12 * top)
    #expect(abs(try #require(softmax.curvature.largest.value) - 2 * top) < 1e-11 * top)
    let limit = try #require(logistic.learningRate.stabilityLimit)
    #expect(abs(limit - 2 / top) < 1e-6 * limit)
  }

  @Test(arguments: [true, false])
  func `one logit after some steps, by hand`(intercept: Bool) throws {
    let problem = Self.clouds(.logistic, intercept: intercept)
    guard case .classes(let labels, _) = problem.target else { return }
    let (n, d) = (problem.sampleCount, problem.featureCount + (intercept ? 1 : 0))
    var w = [Double](repeating: 0, count: d)
    func logit(_ sample: Int) -> Double {
      zip(Self.row(problem, sample) + [1], w).reduce(0) { $0 + $1.0 * $1.1 }
    }
    func probability(_ sample: Int) -> Double { 1 / (1 + exp(-logit(sample))) }
    for _ in 0..<20 {
      var gradient = [Double](repeating: 0, count: d)
      for sample in 0..<n {
        let z = Self.row(problem, sample) + [1]
        for j in 0..<d {
          gradient[j] += (probability(sample) - Double(labels[sample])) * z[j] / Double(n)
        }
      }
      for j in 0..<d { w[j] -= 0.1 * gradient[j] }
    }
    let loss =
      (0..<n).reduce(0.0) { $0 + log(1 + exp(labels[$1] == 1 ? -logit($1) : logit($1))) }
      / Double(n)
    let expected = try Self.eigenvalues(problem, hasOne: intercept) {
      probability($0) * (1 - probability($0)) / Double(n)
    }
    let report = try Self.report(problem) {
      $0.training.rate = 0.1
      $0.training.steps = 20
    }
    #expect(report.problem.parameters == d)
    #expect(abs(try #require(report.problem.loss) - loss) < 1e-13)
    #expect(
      abs(try #require(report.curvature.largest.value) - expected.last!) < 1e-12 * expected.last!)
    #expect(
      abs(try #require(report.curvature.smallest.value) - expected.first!) < 1e-11 * expected.last!)
    // All of a canonical loss are one matrix.
    for kind in [CurvatureKind.gaussNewton, .fisher] {
      let spectrum = try SpectrumSessionTests.measure(problem) {
        $0.training.rate = 0.1
        $0.training.steps = 20
        $0.kind = kind
      }.report
      #expect(abs(spectrum.largest[0].value - expected.last!) < 1e-9 * expected.last!)
    }
  }

  @Test func `a line through the origin, its losses averaged or added up`() throws {
    var problem = TestTable.linear(50, scales: [1, 20, 300], means: [2, 0, 100], seed: 3)
    problem.hasIntercept = false
    let mean = try Self.eigenvalues(problem, hasOne: false) { _ in 1.0 / 50 }
    for (reduction, factor) in [(LossReduction.mean, 1.0), (.sum, 50)] {
      for (loss, scale) in [(ModelLoss.halfSquaredError, 1.0), (.meanSquaredError, 2)] {
        problem.reduction = reduction
        problem.loss = loss
        let report = try Self.report(problem)
        let curvature = report.curvature
        #expect(report.problem.parameters == 3)
        let top = factor * scale * mean.last!
        #expect(abs(try #require(curvature.largest.value) - top) < 1e-10 * top)
        #expect(
          abs(try #require(curvature.smallest.value) - factor * scale * mean.first!) < 1e-9 * top)
        let kappa = mean.last! / mean.first!
        #expect(abs(try #require(curvature.conditionNumber) - kappa) < 1e-7 * kappa)
        let limit = try #require(report.learningRate.stabilityLimit)
        #expect(abs(limit - 2 / top) < 1e-6 * limit)
        // On a larger sample a sum is larger, so no interval is given for it.
        #expect((curvature.largestOnLargerSample == nil) == (reduction == .sum))
      }
    }
  }

  @Test func `a penalty is added once to a sum`() throws {
    var problem = TestTable.linear(30, scales: [1, 1], seed: 4)
    (problem.reduction, problem.l2, problem.hasIntercept) = (.sum, 0.75, false)
    let expected = try Self.eigenvalues(problem, hasOne: false) { _ in 1 }
    let report = try Self.report(problem)
    #expect(abs(try #require(report.curvature.largest.value) - expected.last! - 0.75) < 1e-10)
    #expect(abs(try #require(report.curvature.smallest.value) - expected.first! - 0.75) < 1e-10)
  }

  /// Added up like the losses are: the sum of the outer products of the samples' own gradients.
  @Test func `the empirical Fisher matrix of a sum`() throws {
    var problem = Self.clouds(.logistic)
    func top() throws -> Double {
      try SpectrumSessionTests.measure(problem) { $0.kind = .empiricalFisher }.report.largest[0]
        .value
    }
    let mean = try top()
    // Residuals of one half, squared.
    let expected = try Self.eigenvalues(problem) { _ in 0.25 / 60 }.last!
    #expect(abs(mean - expected) < 1e-9 * expected)
    problem.reduction = .sum
    #expect(abs(try top() - 60 * expected) < 1e-9 * 60 * expected)
  }

  @Test func `no layer of a network has a bias`() throws {
    var problem = TestTable.linear(20, scales: [1, 1], seed: 9)
    problem.model = .mlp(hidden: [5, 4], activation: .tanh)
    problem.hasIntercept = false
    #expect(problem.definition.parameters.map(\.name) == ["weights1", "weights2", "weights3"])
    #expect(problem.definition.parameters.reduce(0) { $0 + $1.shape.count } == 34)
    // Features of zeros give zero then.
    problem.features = problem.features.map { _ in 0 }
    guard case .numeric(let values) = problem.target else { return }
    let loss = try #require(try Self.report(problem).problem.loss)
    #expect(abs(loss - values.reduce(0) { $0 + $1 * $1 } / 40) < 1e-6)
  }

  /// Scaled columns without a bias are another model's; only sizes may change, and predictions stay.
  @Test func `standardising without a bias only scales`() throws {
    var problem = TestTable.linear(40, scales: [1, 1000], means: [5, 0], seed: 12)
    problem.hasIntercept = false
    let report = try diagnose(problem, request: .test(), executor: ReferenceExecutor())
    let remedy = try #require(report.prescription(.standardiseFeatures))
    #expect(remedy.change.contains("divide each column by its root mean square"))
    let sizes = (0..<2).map { column in
      ((0..<40).reduce(0) { $0 + pow(problem.features[2 * $1 + column], 2) } / 40).squareRoot()
    }
    var scaled = problem
    scaled.features = problem.features.enumerated().map { $1 / sizes[$0 % 2] }
    let values = try Self.eigenvalues(scaled, hasOne: false) { _ in 1.0 / 40 }
    let kappa = values.last! / values.first!
    #expect(abs(try #require(remedy.predicted.conditionNumber) - kappa) < 1e-6 * kappa)
  }

  // MARK: Targets read either way

  /// Codes 0 to K-1, or the same numbers as quantities.
  static func both(_ count: Int, asClasses: Bool, l2: Double = 0) -> TabularProblem {
    let classes = TestTable.classes(40, features: 3, count: count, seed: 21, l2: l2)
    guard case .classes(let labels, _) = classes.target, !asClasses else { return classes }
    return TestTable.problem(
      classes.features, columns: 3, target: .numeric(labels.map { Double($0) }), model: .linear,
      l2: l2)
  }

  @Test(arguments: [2, 5], [0, 0.5])
  func `the other reading's sharpness is that of the other model`(count: Int, l2: Double) throws {
    let numbers = try Self.report(Self.both(count, asClasses: false, l2: l2)).curvature.largest
      .value
    let classes = try Self.report(Self.both(count, asClasses: true, l2: l2)).curvature.largest.value
    for asClasses in [true, false] {
      var problem = Self.both(count, asClasses: asClasses, l2: l2)
      #expect(problem.bothReadings(seed: 0) == nil)
      problem.undecidedClasses = count
      let both = try #require(problem.bothReadings(seed: 0))
      #expect(abs(both.asNumbers - numbers!) < 1e-6 * numbers!)
      #expect(abs(both.asClasses - classes!) < 1e-6 * classes!)
    }
  }

  @Test func `opposite verdicts on a rate are said in the first lines`() throws {
    var problem = Self.both(5, asClasses: false)
    problem.undecidedClasses = 5
    problem.readings = [Reading("target-as-numbers", "Numbers.", names: ["y"])]
    let both = try #require(problem.bothReadings(seed: 0))
    for (rate, words) in [
      (1 / both.asNumbers, "Either way the rate"), (4 / both.asNumbers, "opposite verdicts"),
      (100 / both.asNumbers, "Either way the rate"),
    ] {
      let report = try Self.report(problem) { $0.training.rate = rate }
      let sentence = try #require(report.problem.readings?.first?.sentence)
      #expect(sentence.hasPrefix("Numbers. ") && sentence.contains(words), "\(sentence)")
    }
    // Without a rate there is nothing to judge.
    #expect(try Self.report(problem).problem.readings?.first?.sentence == "Numbers.")
  }
}
