import Curvature
import Diagnosis
import Foundation
import TensorPrograms
import Testing
import Training

/// The verdict on a rate knows the limit at this point, what the run at it did, and for how long.
@Suite struct RateRunTests {
  private static func run(_ outcome: RateRun.Outcome) -> RateRun {
    RateRun(outcome: outcome, steps: 100, lossAtStart: 2, lossAtEnd: 1)
  }

  @Test func `a run changes the verdict of a limit that holds at one point`() {
    let (fell, diverged, notLower) = (Self.run(.fell), Self.run(.diverged), Self.run(.notLower))
    #expect(Verdict.unstable.after(fell, isLimitGlobal: false) == .unstableHereSettles)
    #expect(Verdict.unstable.after(fell, isLimitGlobal: true) == .unstable)
    for verdict in [Verdict.slow, .stable, .oscillating, .noStableRate] {
      #expect(verdict.after(diverged, isLimitGlobal: false) == .stableHereDiverged)
      #expect(verdict.after(fell, isLimitGlobal: false) == verdict)
      #expect(verdict.after(notLower, isLimitGlobal: false) == verdict)
      #expect(verdict.after(nil, isLimitGlobal: false) == verdict)
    }
    for run in [diverged, notLower, nil] {
      #expect(Verdict.unstable.after(run, isLimitGlobal: false) == .unstable)
    }
  }

  private func report(
    _ problem: DiagnosisProblem, rate: Double?,
    _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    request.training.rate = rate
    request.trials.maxIterations = 300
    change(&request)
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  /// `w^6 / 6 - 10 w`: curvature 5 w^4, so that one step from 0.9 lands where it is a thousand times sharper.
  private var steep: DiagnosisProblem {
    DiagnosisProblem(
      name: "steep",
      definition: LossDefinition(parameters: [.init("w", [1])]) { p, data in
        let square = p[0].square()
        return (square * square * square * (1 / 6.0) - p[0] * data[0]).sum()
      }, data: [Tensor([10.0], shape: [1])], start: [0.9])
  }

  @Test func `a run that diverged below the limit takes the verdict back`() throws {
    var w = 0.9
    for _ in 0..<10 { w -= 0.5 * (pow(w, 5) - 10) }
    #expect(!(abs(w) < 1e10), "by hand it diverges: \(w)")
    let report = try report(steep, rate: 0.5)
    #expect(close(report.learningRate.stabilityLimit ?? 0, 2 / (5 * pow(0.9, 4)), 1e-6))
    #expect(report.learningRate.verdict == .stableHereDiverged)
    #expect(report.learningRate.verdictHere != .stableHereDiverged)
    #expect(report.learningRate.restsOn == .limitHereAndRun)
    #expect(report.learningRate.run?.outcome == .diverged)
    #expect(report.findings.first?.id == "rate-diverged")
    let words = try #require(report.advice.rate?.sentence)
    #expect(words.contains("is below the limit, but training diverged when run"), "\(words)")
    #expect(!report.findings.contains { $0.sentence.contains("is safe") })
    #expect(report.prediction.iterations == nil)
    // Without the run there is only the limit here, and it is said so.
    let unrun = try self.report(steep, rate: 0.5) { $0.trials.areRun = false }
    #expect(unrun.learningRate.restsOn == .limitHere && unrun.learningRate.run == nil)
    #expect(unrun.advice.rate?.sentence.contains("(not run)") == true)
  }

  @Test func `a run that settled above the limit takes the verdict back`() throws {
    // (a b - 1)^2 from a start where b is large: the Hessian's largest eigenvalue there is about 2 b^2.
    let start = [0.05, 4.0]
    let loss = { (a: Double, b: Double) in (a * b - 1) * (a * b - 1) }
    let problem = DiagnosisProblem(
      name: "product",
      definition: LossDefinition(parameters: [.init("a", [1]), .init("b", [1])]) { p, data in
        (p[0] * p[1] - data[0]).square().sum()
      }, data: [Tensor([1.0], shape: [1])], start: start)
    let rate = 0.08
    var (a, b) = (start[0], start[1])
    for _ in 0..<300 {
      let slope = 2 * (a * b - 1)
      (a, b) = (a - rate * slope * b, b - rate * slope * a)
    }
    #expect(loss(a, b) < 1e-9, "the oracle settles: \(loss(a, b))")
    let report = try report(problem, rate: rate)
    #expect(report.learningRate.stabilityLimit! < rate)
    #expect(report.learningRate.verdict == .unstableHereSettles)
    #expect(report.learningRate.verdictHere == .unstable)
    // The sharpness that it went to is `2 (a^2 + b^2)` at a minimum.
    let sharpness = try #require(report.learningRate.run?.sharpnessAtEnd)
    #expect(close(sharpness, 2 * (a * a + b * b), 0.05), "\(sharpness)")
    #expect(close(report.learningRate.run!.limitAtEnd!, 2 / sharpness, 1e-12))
    let why = report.advice.why.sentence
    #expect(why.contains("yet when run it settled"), "\(why)")
    let words = try #require(report.advice.rate?.sentence)
    #expect(!words.contains("Stay below") && words.contains("of gradient descent at this point"))
    #expect(report.prediction.iterations == nil)
  }

  /// Where no limit is known, no rate is below it.
  @Test func `a rate is held against no limit that is not known`() throws {
    let saddle = DiagnosisProblem(
      name: "saddle",
      definition: LossDefinition(parameters: [.init("w", [2])]) { p, _ in
        let square = p[0].square()
        return (square * square - square).sum()
      }, data: [Tensor([0.0], shape: [1])], start: [1, 0.1])
    let report = try report(saddle, rate: 0.01) {
      $0.training.optimizer = try! OptimizerSetting("adam")
    }
    #expect(report.learningRate.stabilityLimit == nil)
    #expect(report.learningRate.verdict == .noStableRate)
    let sentence = try #require(report.advice.rate?.sentence)
    #expect(sentence.contains("--at N. Yours, 0.01, is, as any rate, unstable at this point"))
    #expect(!sentence.contains("below"))
    // Nor is the rate that is asked about what to do, where nothing is foretold of it.
    let untried = try self.report(saddle, rate: 0.01) { $0.trials.areRun = false }
    #expect(untried.advice.action?.prescription != Prescription.Kind.asGiven.rawValue)
  }

  /// Far out on the flat side of a sigmoid all rates are small for the curvature there, that of the penalty. One
  /// that throws the loss about is not called too small; nor is a larger one held up that ended higher.
  @Test func `what swings is not too small, and what ended higher is not held up`() throws {
    var table = TestTable.classes(60, features: 2, count: 2, seed: 4, model: .logistic, l2: 1)
    table.features = table.features.map { 60 * $0 }
    table.loss = .binary
    table.reduction = .sum
    let report = try report(DiagnosisProblem(table), rate: 0.002) {
      $0.training.steps = 10
      $0.trials.maxIterations = nil
    }
    let own = try #require(report.prescription(.asGiven)?.measured?.relativeGap)
    let safe = try #require(report.prescription(.safeRate)?.measured?.relativeGap)
    #expect(safe > own, "\(safe) | \(own)")
    #expect(report.learningRate.verdict == .slow && report.learningRate.run?.outcome == .notLower)
    #expect(report.finding("rate-far-below") == nil)
    #expect(!report.advice.why.sentence.contains("too small"))
    // Of a run of one step, which falls, the larger rate's end is all that speaks.
    let short = try self.report(DiagnosisProblem(table), rate: 0.002) {
      $0.training.steps = 10
      $0.trials.maxIterations = 1
    }
    let finding = try #require(short.finding("rate-far-below"))
    let ranks = [Prescription.Kind.asGiven, .safeRate].map { kind in
      short.prescriptions.firstIndex { $0.id == kind.rawValue }!
    }
    #expect((finding.evidence["advisedRate"] == .missing) == (ranks[0] < ranks[1]))
  }

  @Test func `no steps are foretold far above the limit`() throws {
    var random = SeededGenerator(seed: 11)
    let features = (0..<40).map { _ in Double.random(in: -1...1, using: &random) }
    let target = (0..<20).map { features[2 * $0] - 2 * features[2 * $0 + 1] }
    let table = TabularProblem(
      name: "t.csv", targetName: "y", features: features, featureNames: ["a", "b"],
      target: .numeric(target), model: .mlp(hidden: [3], activation: .relu), loss: .halfSquaredError
    )
    let limit = try #require(
      try report(DiagnosisProblem(table), rate: nil) { $0.trials.areRun = false }.learningRate
        .stabilityLimit)
    let report = try report(DiagnosisProblem(table), rate: 7e4 * limit) { $0.trials.areRun = false }
    #expect(report.prediction.iterations == nil && report.prediction.curve.isEmpty)
    #expect(
      report.prescriptions.first { $0.id == "as-given" }.map { $0.predicted.iterations == nil }
        == true)
  }

  /// A root of a square has less curvature away from its minimum: the bowl there counts other steps than a run takes.
  @Test func `sentences take the count of the run, or the forecast that follows the curvature`()
    throws
  {
    let problem = DiagnosisProblem(
      name: "curved",
      definition: LossDefinition(parameters: [.init("w", [1])]) { p, data in
        ((p[0] - data[0]).square() + p[0].scalar(1)).sqrt().sum()
      }, data: [Tensor([0.0], shape: [1])], start: [1.5])
    // w^2 + 1 under a root: curvature (1 + w^2)^(-3/2), 0.17 at 1.5 and 1 at 0.
    let rate = 0.02
    var (w, steps) = (1.5, 0)
    func gap(_ w: Double) -> Double { (w * w + 1).squareRoot() - 1 }
    while gap(w) > 1e-6 * gap(1.5) {
      w -= rate * w / (w * w + 1).squareRoot()
      steps += 1
    }
    let bowl = Int((log(1e-6) / (2 * log(1 - rate * pow(1 + 1.5 * 1.5, -1.5)))).rounded(.up))
    #expect(bowl > 3 * steps, "the start's bowl counts others: \(bowl) for \(steps)")
    for areRun in [true, false] {
      let report = try report(problem, rate: rate) {
        $0.trials.areRun = areRun
        $0.trials.maxIterations = 5000
      }
      let slow = try #require(report.findings.first { $0.id == "rate-far-below" })
      guard case .integer(let count)? = slow.evidence["iterations"] else {
        Issue.record("no count: \(slow.sentence)")
        continue
      }
      #expect(abs(Double(count - steps)) <= 0.02 * Double(steps), "\(count) for \(steps)")
      #expect(
        slow.evidence["iterationsFrom"] == .text(areRun ? "run" : "forecast"))
      #expect(!report.advice.action!.sentence.contains(Self.thousands(bowl)))
    }
  }

  private static func thousands(_ count: Int) -> String {
    count < 1000 ? "\(count)" : "\(count / 1000),\(String(format: "%03d", count % 1000))"
  }

  /// Flat within the rounding of float32 is not flat: the range of the condition number is told, or float64
  /// asked, where nobody chose float32.
  @Test func `a condition number that float32 does not resolve`() throws {
    let curvatures = [1e7, 4e4, 2, 0.5]
    let problem = DiagnosisProblem(
      name: "bowl",
      definition: LossDefinition(parameters: [.init("w", [4])]) { p, data in
        (p[0].square() * data[0]).sum() * 0.5
      }, data: [Tensor(curvatures, shape: [4])], start: [1, 1, 1, 1])
    let rounded = try report(problem, rate: nil) {
      $0.resources.precision = .float32
      $0.trials.areRun = false
    }
    #expect(rounded.curvature.conditionNumber == nil && rounded.curvature.severity == .unresolved)
    let open = try #require(rounded.curvature.conditionNumberOpen)
    #expect(open.unresolved == 2)
    // Largest over the smallest that is known, and over what rounding makes of zero: 8 eps of the largest.
    #expect(close(open.atLeast, 250, 0.01))
    #expect(open.other! > 1e5 && open.other! < 1e7 / 2)
    #expect(!rounded.findings.contains { $0.id == "flat-directions" || $0.id == "ill-conditioned" })
    let words = try #require(rounded.findings.first { $0.id == "condition-number-open" }?.sentence)
    #expect(words.contains("2 of 4 directions") && words.contains("--precision float64 would tell"))
    let exact = try report(problem, rate: nil) {
      $0.resources.precision = nil
      $0.trials.areRun = false
    }
    #expect(exact.problem.precision == "float32" && exact.curvature.precision == "float64")
    #expect(close(exact.curvature.conditionNumber ?? 0, 2e7, 1e-9))
    #expect(exact.curvature.conditionNumberOpen == nil)
    #expect(exact.findings.contains { $0.id == "spectrum-resolved" })
  }
}
