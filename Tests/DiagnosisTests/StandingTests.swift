import Curvature
import Foundation
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// The step of a caller's own optimizer, judged with its state and its groups.
@Suite struct StandingTests {
  private static let curvatures = [8.0, 3, 1, 0.5]

  /// `1/2 sum h_i x_i^2` in two tensors.
  private static let bowl = LossClosures(
    parameters: [.init("a.weight", [2]), .init("b.weight", [2])],
    value: { zip(curvatures, $0).reduce(0) { $0 + $1.0 * $1.1 * $1.1 / 2 } },
    valueAndGradient: { point in
      (
        zip(curvatures, point).reduce(0) { $0 + $1.0 * $1.1 * $1.1 / 2 },
        zip(curvatures, point).map { $0 * $1 }
      )
    },
    hessianProduct: { _, direction in zip(curvatures, direction).map { $0 * $1 } })

  private func report(
    _ optimizer: String, rate: Double = 0.01, _ standing: OptimizerStanding?,
    loss: any ExternalLoss = bowl, trials: Bool = false, steps: Int? = nil
  ) throws -> DiagnosisReport {
    var problem = DiagnosisProblem(name: "bowl", loss: loss, start: [1, -2, 3, 4])
    problem.standing = standing
    var request = DiagnosisRequest()
    request.training.optimizer = try OptimizerSetting(optimizer)
    request.training.rate = rate
    request.resources.precision = .float64
    request.trials.areRun = trials
    request.trials.maxIterations = steps
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  private func isLimit(_ report: DiagnosisReport, _ exact: Double) -> Bool {
    report.learningRate.stabilityLimit.map { $0 <= exact * (1 + 1e-12) && $0 > 0.99 * exact }
      ?? false
  }

  @Test func adamsLimitIsThatOfItsMoments() throws {
    let v = [4.0, 0.25, 9, 1]
    let standing = OptimizerStanding(
      updates: 30, tensors: ["m": [0.1, 0, 0, 0.2], "v": v])
    func power(_ base: Double) -> Double { (0..<30).reduce(1.0) { power, _ in power * base } }
    let (first, second) = (1 - power(0.9), 1 - power(0.999))
    let divisor = v.map { first * (($0 / second).squareRoot() + 1e-8) }
    let exact = 38 / zip(Self.curvatures, divisor).map { $0 / $1 }.max()!
    let found = try report("adam", standing)
    #expect(isLimit(found, exact))
    let answer = try #require(found.first)
    #expect(answer.stabilityLimit.map { $0 <= exact && $0 > 0.99 * exact } == true)
    #expect(answer.sentence.contains("along the steps of this optimizer"))
    #expect(!found.findings.contains { $0.id == "limit-unknown" })
    let above = try report("adam", rate: 1.02 * exact, standing)
    #expect(above.learningRate.verdict == Verdict.unstable)
  }

  @Test func ratesOfGroupsSetTheLimitTogether() throws {
    let standing = OptimizerStanding(rateFactors: [0.1, 1])
    let found = try report("gd", standing)
    #expect(isLimit(found, 2 / 1.0))
    #expect(found.learningRate.optimizer == "gradient descent with the rates of your groups")
    let held = try report("gd", OptimizerStanding(rateFactors: [0, 1]))
    #expect(isLimit(held, 2 / 1.0))
    let alike = try report("gd", OptimizerStanding(rateFactors: [1, 1]))
    #expect(isLimit(alike, 2 / 8.0) && alike.learningRate.optimizer == "gradient descent")
  }

  /// The rule's own decay is that of one group.
  @Test func decaysOfGroupsAreNamed() throws {
    let groups = OptimizerStanding(rateFactors: [0.1, 1], decays: [0.1, 0])
    let found = try report("adamw", rate: 0.005, groups, trials: true, steps: 12)
    let own = try #require(found.prescriptions.first { $0.id == "as-given" })
    #expect(
      own.change
        == "as you have it: AdamW with weight decay 0.1 and 0 by group and the rates of your groups "
        + "at 0.005, the rate of this step, held")
    let alike = try report("adamw", OptimizerStanding(decays: [0.2, 0.2]), trials: true, steps: 5)
    #expect(
      alike.prescriptions.first { $0.id == "as-given" }?.change
        .contains("AdamW with weight decay 0.2 at 0.01") == true)
  }

  /// At the minimum of the bowl, with nothing and with next to nothing left to gain.
  @Test(arguments: [(0.0, true), (0.0, false), (1e-5, true), (1e-5, false)])
  func theMinimumIsNotTrained(_ offset: Double, trials: Bool) throws {
    let bowl = LossClosures(
      parameters: [.init("a", [4])],
      value: { zip(Self.curvatures, $0).reduce(3) { $0 + $1.0 * $1.1 * $1.1 / 2 } },
      valueAndGradient: { point in
        (
          zip(Self.curvatures, point).reduce(3) { $0 + $1.0 * $1.1 * $1.1 / 2 },
          zip(Self.curvatures, point).map { $0 * $1 }
        )
      },
      hessianProduct: { _, direction in zip(Self.curvatures, direction).map { $0 * $1 } })
    var request = DiagnosisRequest()
    request.training.rate = 0.1
    request.resources.precision = .float64
    request.trials.areRun = trials
    for (place, hasArrived) in [(offset, true), (1.0, false)] {
      let found = try diagnose(
        DiagnosisProblem(name: "bowl", loss: bowl, start: [place, 0, 0, 0]), request: request,
        executor: ReferenceExecutor())
      #expect(found.advice.why.sentence.hasPrefix("Training has arrived") == hasArrived)
      #expect((found.advice.action == nil) == hasArrived)
    }
  }

  @Test func aFreshOptimizerIsToldWithoutFlags() throws {
    for name in ["adam", "rmsprop"] {
      let found = try report(name, OptimizerStanding(), trials: true)
      let unknown = try #require(found.findings.first { $0.id == "limit-unknown" })
      #expect(unknown.sentence.contains("diagnose again after some steps, with its state"))
      let sentences =
        found.findings.map(\.sentence) + found.advice.notes + [found.advice.rate?.sentence ?? ""]
      #expect(sentences.allSatisfy { !$0.contains("--") })
    }
  }

  @Test func aStateThatDoesNotFitIsRefused() {
    for (standing, words) in [
      (OptimizerStanding(updates: 1, tensors: ["v": [1]]), "'v' of adam has 1 numbers"),
      (OptimizerStanding(updates: 1, tensors: ["w": [1, 1, 1, 1]]), "adam keeps no 'w', but m, v"),
      (OptimizerStanding(updates: 1, tensors: ["v": [1, 1, .nan, 1]]), "not finite"),
      (OptimizerStanding(rateFactors: [1]), "for each of the 2 parameters"),
    ] {
      #expect {
        _ = try report("adam", standing)
      } throws: {
        ($0 as? DiagnosisFailure)?.kind == .usage && "\($0)".contains(words)
      }
    }
  }

  /// The trial of what the caller has goes on from its velocity.
  @Test func momentumGoesOnFromItsVelocity() throws {
    let velocity = [5.0, -3, 2, 1]
    let found = try report(
      "momentum", rate: 0.05, OptimizerStanding(updates: 7, tensors: ["velocity": velocity]),
      trials: true, steps: 12)
    let own = try #require(found.prescriptions.first { $0.id == "as-given" }?.measured)
    var (x, v) = ([1.0, -2, 3, 4], velocity)
    for _ in 0..<(own.stepsRun ?? 0) {
      v = zip(v, zip(Self.curvatures, x)).map { 0.9 * $0 + $1.0 * $1.1 }
      x = zip(x, v).map { $0 - 0.05 * $1 }
    }
    #expect(own.stepsRun == 12)
    let known = try Self.bowl.value(at: ExternalPoint(x))
    #expect(abs(try #require(own.lossAtEnd) - known) <= 1e-9 * abs(known) + 1e-300)
  }

  @Test func thePenaltyIsPartOfTheLoss() throws {
    let loss = PenalisedLoss(Self.bowl, coefficients: [2, 0])
    let found = try report("gd", nil, loss: loss)
    #expect(abs(found.problem.loss! - (4 + 6 + 4.5 + 4 + 5)) < 1e-12)
    #expect(abs(found.curvature.largest.value! - 10) < 1e-12)
    var gradient = [Double](repeating: 0, count: 4)
    _ = try gradient.withUnsafeMutableBufferPointer {
      try loss.valueAndGradient(at: ExternalPoint([1.0, -2, 3, 4]), into: $0)
    }
    #expect(gradient == [10, -10, 3, 2])
  }

  @Test func sentencesOfACallerNameNoFlags() {
    for (sentence, words) in [
      ("With --effort 10 every run goes on.", "With an effort of 10 every run goes on."),
      ("A penalty such as --l2 1e-3 helps.", "A penalty such as a weight decay of 1e-3 helps."),
      ("known; use --precision float64 to see.", "known; use float64 to see."),
      ("leave it out with --drop.", "leave it out with drop."),
      ("a - b -- c", "a - b -- c"),
    ] { #expect(CallersWords.inCall(sentence) == words) }
  }
}
