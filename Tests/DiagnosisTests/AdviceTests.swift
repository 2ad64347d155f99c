import Diagnosis
import Foundation
import Presentation
import Reports
import Testing

/// What the terminal text tells people to do.
@Suite struct AdviceTests {
  /// A trial: how much work it took, and whether it got there.
  struct Trial {
    let kind: Prescription.Kind
    let work: Double
    var isReached = true
    var loss = 0.5
    /// Where nothing certifies a minimum.
    var lossAtEqualWork: Double?
  }

  static func report(
    _ trials: [Trial], isCertified: Bool = true, findings: [Finding] = []
  ) -> DiagnosisReport {
    let prescriptions = trials.map { trial in
      Prescription(
        trial.kind, change: "try \(trial.kind.rawValue)",
        measured: .init(
          iterations: trial.isReached ? Int(trial.work) : nil, reached: trial.isReached,
          diverged: false, loss: trial.loss, relativeGap: trial.isReached ? 1e-7 : 0.25,
          gradientEquivalents: trial.work, stepsRun: Int(trial.work),
          lossAtEqualWork: trial.lossAtEqualWork))
    }.ranked()
    return DiagnosisReport(
      problem: .init(
        parameters: 2, samples: 3, features: 1, loss: 1, gradientNorm: 1, seed: 0,
        precision: "float64", executor: "reference"),
      curvature: .init(
        largest: .init(value: 2, residual: 0, upperBound: 2, failureProbability: 0),
        smallest: .init(value: 1, residual: 0), indefinite: false, operatorApplications: 2),
      learningRate: .init(
        LearningRateFacts(.init(largest: 2, upperBound: 2, smallest: 1, zeroThreshold: 0))),
      directions: [], prediction: .init(rate: 0.5, iterations: nil, tolerance: 1e-6),
      findings: findings + [.referenceLoss(0.4, source: "a run", isCertified: isCertified)],
      prescriptions: prescriptions)
  }

  static func text(
    _ trials: [Trial], isCertified: Bool = true, findings: [Finding] = []
  ) -> String {
    let report = report(trials, isCertified: isCertified, findings: findings)
    let words = report.terminalText(TerminalStyle(colours: false, width: 10_000))
    return words.split(separator: "\n").first { $0.hasPrefix("Do ") }.map(String.init) ?? ""
  }

  static let cases: [(trials: [Trial], says: [String])] = [
    // Newton's method is cheaper, but the ordinary change comes first.
    (
      [
        Trial(kind: .newtonCG, work: 25), Trial(kind: .standardiseFeatures, work: 93),
        Trial(kind: .safeRate, work: 200_000, isReached: false),
      ],
      [
        "Try standardise-features: 93 steps when run; the safe rate was not there after 200,000.",
        "Less work still, that of 25 gradients: try newton-cg.",
      ]
    ),
    // More than a hundred times its work: Newton's method leads.
    (
      [
        Trial(kind: .newtonCG, work: 25), Trial(kind: .adam, work: 2501),
        Trial(kind: .safeRate, work: 9000, isReached: false),
      ],
      [
        "Try newton-cg: 25 steps when run",
        "Without products by the Hessian, try adam: 2,501 steps",
      ]
    ),
    // Twice the work of the best is near enough for the simpler change.
    (
      [
        Trial(kind: .standardiseFeatures, work: 30), Trial(kind: .fastestRate, work: 59),
        Trial(kind: .asGiven, work: 70),
      ],
      ["Try fastest-rate: 59 steps when run, against 70 at your rate."]
    ),
    // Nothing got there.
    (
      [Trial(kind: .safeRate, work: 10, isReached: false)],
      ["Try safe-rate came closest: 0.25 of the loss gap is left after 10 steps."]
    ),
  ]

  @Test(arguments: cases.indices)
  func `the advice leads with the simplest change that comes near the best`(index: Int) {
    let text = Self.text(Self.cases[index].trials)
    for words in Self.cases[index].says { #expect(text.contains(words), "\(text)") }
  }

  @Test func `losses at equal work are told where nothing certifies a minimum`() {
    let text = Self.text(
      [
        Trial(
          kind: .standardiseFeatures, work: 40, isReached: false, loss: 0.4, lossAtEqualWork: 0.45),
        Trial(kind: .asGiven, work: 20, isReached: false, loss: 1.09, lossAtEqualWork: 1.08),
      ], isCertified: false)
    #expect(
      text.contains(
        "came lowest: a loss of 0.45 for the work that every run had, against 1.08 at your rate."))
    #expect(!text.contains("gap") && !text.contains("when run"))
  }

  /// Alike for the choice, measured by the way from the start, and many times lower all the same.
  @Test func `only what is as low is hardly lower`() {
    func words(_ lower: Double) -> String {
      Self.text(
        [
          Trial(
            kind: .safeRate, work: 40, isReached: false, loss: 0.005, lossAtEqualWork: 0.005),
          Trial(
            kind: .adam, work: 20, isReached: false, loss: lower, lossAtEqualWork: lower),
        ], isCertified: false)
    }
    #expect(words(0.0001).contains("Lower still, by 0.49 % of the way down from the start, for"))
    #expect(words(0.0048).contains("Hardly lower, for more to set up"))
  }

  @Test func `a loss without a minimum wants a penalty first`() {
    let text = Self.text(
      [Trial(kind: .newtonCG, work: 20)],
      findings: [.noFiniteMinimum(reason: "the classes can be told apart without error")])
    #expect(text.hasSuffix("add a penalty first, such as --l2 1e-3, and diagnose again."))
  }

  /// What every choice rests on, beside the sentence.
  @Test func `the advice holds its numbers`() throws {
    let trials = [
      Trial(kind: .newtonCG, work: 25), Trial(kind: .standardiseFeatures, work: 93),
      Trial(kind: .asGiven, work: 200, isReached: false, loss: 0.75),
    ]
    let action = try #require(Self.report(trials).advice.action)
    #expect(action.prescription == "standardise-features" && action.certainty == .measured)
    #expect(action.figures.steps == 93 && action.figures.work == 93)
    #expect(action.against?.prescription == "as-given")
    #expect(action.against?.figures.steps == nil && action.against?.figures.stepsRun == 200)
    #expect(action.against?.figures.loss == 0.75)
    #expect(action.alternative?.prescription == "newton-cg")
    #expect(action.alternative?.reason == .lessWork && action.alternative?.figures.work == 25)

    let far = [Trial(kind: .newtonCG, work: 25), Trial(kind: .adam, work: 2501)]
    let newton = try #require(Self.report(far).advice.action)
    #expect(newton.prescription == "newton-cg")
    #expect(newton.alternative?.reason == .noHessianProducts)

    let none = [Trial(kind: .safeRate, work: 10, isReached: false)]
    #expect(Self.report(none).advice.action?.certainty == .closest)
    let open = [
      Trial(kind: .adam, work: 10, isReached: false, lossAtEqualWork: 0.45),
      Trial(kind: .safeRate, work: 10, isReached: false, lossAtEqualWork: 0.47),
    ]
    let report = Self.report(open, isCertified: false)
    #expect(report.advice.action?.certainty == .lowest)
    #expect(report.advice.action?.figures.loss == 0.45)
    #expect(report.advice.basis.isJudgedByLoss && report.advice.basis.isTried)

    let absent = Self.report(
      none,
      findings: [.noFiniteMinimum(reason: "a class has no samples", isMendedByPenalty: false)])
    #expect(absent.advice.action?.first == .leaveOut)
  }

  @Test func `without trials the advice is what theory predicts`() {
    let tried = ExampleReport.rawTable
    func made(_ prescriptions: [Prescription]) -> Advice {
      DiagnosisReport(
        problem: tried.problem, curvature: tried.curvature, learningRate: tried.learningRate,
        directions: [], prediction: tried.prediction, findings: [], prescriptions: prescriptions
      ).advice
    }
    let predicted = made([
      Prescription(.safeRate, change: "a", predicted: .init(rate: 0.5, iterations: 150)),
      Prescription(.momentum, change: "b", predicted: .init(iterations: 80)),
      Prescription(.newtonCG, change: "c", predicted: .init(iterations: 1)),
    ])
    #expect(predicted.action?.prescription == "safe-rate")
    #expect(predicted.action?.certainty == .predicted && predicted.action?.figures.steps == 150)
    #expect(predicted.action?.rate == 0.5)
    #expect(predicted.action?.against == nil && !predicted.basis.isTried)
    #expect(made([Prescription(.adam, change: "d")]).action?.certainty == .untried)
    #expect(made([]).action == nil && made([]).notes.isEmpty)
  }

  /// A quadratic loss made in Swift has no name of a model.
  @Test(arguments: [true, false])
  func `whether the loss is a quadratic is said, not guessed from names`(_ isQuadratic: Bool) {
    let example = ExampleReport.rawTable
    var problem = example.problem
    problem.model = isQuadratic ? nil : "linear"
    problem.isQuadratic = isQuadratic
    let advice = DiagnosisReport(
      problem: problem, curvature: example.curvature, learningRate: example.learningRate,
      directions: [], prediction: example.prediction, findings: example.findings,
      prescriptions: example.prescriptions
    ).advice
    #expect(advice.basis.isQuadratic == isQuadratic)
    #expect(advice.rate?.sentence.contains("at this point") == !isQuadratic)
    #expect(
      advice.notes.contains { $0.contains("follow the curvature as it changes on the way") }
        == !isQuadratic)
  }

  @Test func `a report without advice gets it when it is read`() throws {
    for report in [ExampleReport.rawTable, ExampleReport.network] {
      let data = Data(try report.json().utf8)
      var object = try #require(
        try JSONSerialization.jsonObject(with: data) as? [String: Any])
      object["advice"] = nil
      var problem = try #require(object["problem"] as? [String: Any])
      problem["isQuadratic"] = nil
      object["problem"] = problem
      let old = try JSONSerialization.data(withJSONObject: object)
      #expect(try JSONDecoder().decode(DiagnosisReport.self, from: old) == report)
    }
  }
}
