import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Where the arithmetic ends, a diagnosis says so: no trap, no run without end, no advice on a number that
/// overflowed. `FuzzTests` looks for more of the kind.
@Suite struct ArithmeticLimitTests {
  private func report(
    _ problem: DiagnosisProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    let request = DiagnosisRequest.test {
      $0.trials.maxIterations = 20
      $0.resources.precision = .float64
      change(&$0)
    }
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  private func problem(
    start: [Double], data: [Tensor] = [], _ loss: @escaping @Sendable (Traced) -> Traced
  ) -> DiagnosisProblem {
    DiagnosisProblem(
      name: "own",
      definition: LossDefinition(parameters: [.init("w", [start.count])]) { p, _ in loss(p[0]) },
      data: data, start: start)
  }

  /// The loss is a slope: every eigenvalue is zero and descent never ends, whatever the rate.
  @Test(arguments: [1e-300, 1e-20, 1, 1e20, 1e300])
  func lossWithoutCurvature(rate: Double) throws {
    let report = try report(problem(start: [1, 2, 3]) { $0.sum() }) { $0.training.rate = rate }
    #expect(report.curvature.largest.value == 0 && report.curvature.smallest.value == 0)
    #expect(report.learningRate.stabilityLimit == nil && report.prediction.iterations == nil)
    let finding = try #require(report.finding("flat-directions"))
    #expect(finding.sentence.contains("without end") && finding.evidence["count"] == .integer(3))
  }

  /// Rates at which no step changes a loss that is no quadratic: the count ends where counts end.
  @Test(arguments: [1e-18, 1e-22, 1e-100, .leastNonzeroMagnitude])
  func rateTooSmallToMatter(rate: Double) throws {
    let table = TestTable.classes(20, features: 2, count: 2, seed: 3)
    let request = DiagnosisRequest.test {
      $0.training.rate = rate
      $0.trials.areRun = false
    }
    let report = try diagnose(table, request: request, executor: ReferenceExecutor())
    #expect(report.learningRate.verdict == .slow && report.finding("rate-far-below") != nil)
    #expect(report.prediction.iterations == nil)
    #expect(report.prescription(.asGiven)?.predicted.iterations == nil)
  }

  /// `x^4 + x^2` from 1e3 at rates beyond the limit: descent blows up, with
  /// a gradient on the way whose square no number holds.
  @Test func descentThatBlowsUpIsForetold() throws {
    let quartic = problem(start: [1e3, 1]) { ($0.square().square() + $0.square()).sum() }
    let request = DiagnosisRequest.test()
    let session = try StartedProblem<Double>(
      quartic, request, ReferenceExecutor())
    for rate in [1e-6, 1e-3, 1, 1e50] {
      let forecast = try PiecewiseForecast(
        session.objective, from: [1e3, 1], rate: rate, to: .relativeGap(1e-6), zeroThreshold: 0)
      // Stable at the start below 2 / 12e6.
      #expect(forecast.iterations == nil, "rate \(rate)")
    }
  }

  @Test func squaredGradientBeyondTheLargestNumber() throws {
    let report = try report(problem(start: [1, 1]) { ($0.square() * 1e160).sum() })
    #expect(report.findings.map(\.id) == ["non-finite"])
    #expect(report.findings[0].sentence.contains("squared gradient"))
  }

  @Test func curvatureBeyondTheArithmetic() throws {
    // At the minimum the gradient is zero and says nothing; the Hessian is 1e300.
    let huge = problem(start: [0, 0]) { ($0.square() * 5e299).sum() }
    let report = try report(huge)
    #expect(report.findings.map(\.id) == ["non-finite"])
    let spectrum = SpectrumRequest(of: .test { $0.resources.precision = .float64 })
    #expect {
      try measureSpectrum(of: huge, request: spectrum, executor: ReferenceExecutor())
    } throws: {
      let failure = $0 as? DiagnosisFailure
      return failure?.kind == .badData && failure?.description.contains("overflow") == true
    }
  }

  /// A curvature whose ideal rate overflows counts as none.
  @Test func curvatureBelowTheArithmetic() throws {
    let report = try report(
      problem(start: [1, 1]) { ($0.square() * (.leastNormalMagnitude / 10)).sum() })
    #expect(report.learningRate.stabilityLimit == nil && report.prescriptions.isEmpty)
  }

  // MARK: What made a number not finite

  @Test func parametersThatHoldNaN() throws {
    for steps in [0, 3] {
      let report = try report(problem(start: [1, .nan]) { $0.square().sum() }) {
        $0.training.rate = 0.1
        $0.training.steps = steps
      }
      let finding = try #require(report.finding("non-finite"))
      #expect(finding.sentence.contains("the parameter w holds NaN"), "\(finding.sentence)")
      #expect(!finding.sentence.contains("learning rate"))
    }
  }

  @Test func dataThatHoldInfinity() throws {
    let data = Tensor([1, 2, .infinity] as [Double], shape: [3])
    let problem = DiagnosisProblem(
      name: "own",
      definition: LossDefinition(parameters: [.init("w", [3])]) { p, data in
        (p[0] - data[0]).square().sum()
      }, data: [data], start: [1, 1, 1])
    let finding = try #require(try report(problem).finding("non-finite"))
    #expect(finding.sentence.contains("data array 0") && finding.sentence.contains("sample 2"))
  }

  @Test func lossThatIsNotDefined() throws {
    let finding = try #require(
      try report(problem(start: [-1, 1]) { $0.log().sum() }).finding("non-finite"))
    #expect(finding.sentence.contains("logarithm") && !finding.sentence.contains("learning rate"))
    // Training that leaves the domain is another matter: there the rate is to blame.
    let broken = try report(problem(start: [1, 1]) { -$0.log().sum() + $0.square().sum() * 5 }) {
      $0.training.rate = 10
      $0.training.steps = 5
    }
    #expect(try #require(broken.finding("non-finite")).sentence.contains("Lower the learning rate"))
  }

  /// An all-zero target is fitted at the start: a rate above the limit moves nothing.
  @Test func nothingToTrain() throws {
    var table = TestTable.linear(20, scales: [1, 2], seed: 4)
    table.target = .numeric(.init(repeating: 0, count: 20))
    let report = try report(DiagnosisProblem(table)) { $0.training.rate = 100 }
    #expect(report.problem.loss == 0 && report.learningRate.verdict == .unstable)
    let sentence = try #require(report.finding("rate-above-limit")).sentence
    #expect(sentence.contains("the gradient is zero") && !sentence.contains("diverges"))
  }

  /// What was preconditioned may overflow where loss, gradient and diagonal do not, as in float32 on raw
  /// columns: Newton's method then ends, it does not throw.
  @Test func newtonStepThatOverflows() throws {
    let flat = LossDefinition(parameters: [.init("w", [3])]) { p, _ in
      (p[0] * 1e-3).square().sum() + p[0].sum()
    }
    let objective = try Objective<Float>(flat, data: [], executor: ReferenceExecutor())
    let newton = try NewtonCG(
      minimizing: objective, from: [1, 2, 3], diagonal: [1e-40, 1e-40, 1e-40])
    #expect(newton.ending == .nonFinite)
  }
}
