import Curvature
import Training

/// The parts of a report that its advice is made of.
struct AdviceFacts {
  let problem: DiagnosisReport.Problem
  let curvature: DiagnosisReport.Curvature
  let learningRate: DiagnosisReport.LearningRate
  let prediction: DiagnosisReport.Prediction
  let findings: [Finding]
  let prescriptions: [Prescription]
  var miniBatches: MiniBatches?
  /// What was asked for; nil where it is not known.
  var request: DiagnosisRequest?
  /// See `DiagnosisProblem.isOfCaller`.
  var isOfCaller = false

  /// A sentence for who reads it.
  func told(_ sentence: String) -> String {
    isOfCaller ? CallersWords.inCall(sentence) : sentence
  }

  func finding(_ id: String) -> Finding? { findings.first { $0.id == id } }

  func prescription(_ kind: Prescription.Kind) -> Prescription? {
    prescriptions.first { $0.id == kind.rawValue }
  }

  var basis: Advice.Basis {
    Advice.Basis(
      isQuadratic: problem.isQuadratic ?? problem.isQuadraticByName,
      isMinimumCertified: finding("reference-loss")?.evidence["certified"].map {
        $0 != .integer(0)
      },
      isTried: prescriptions.contains { $0.measured != nil })
  }

  var isPredicted: Bool { prescriptions.contains { $0.predicted.iterations != nil } }

  /// Nil where the loss has a minimum, as far as is known.
  var preparation: Advice.Preparation? {
    finding("no-finite-minimum").map {
      $0.evidence["remedy"] == .text(Advice.Preparation.leaveOut.rawValue) ? .leaveOut : .penalty
    }
  }

  func figures(_ item: Prescription) -> Advice.Figures {
    let measured = item.measured
    return Advice.Figures(
      steps: measured == nil ? item.predicted.iterations : measured?.iterations,
      work: measured?.gradientEquivalents,
      loss: basis.isJudgedByLoss ? measured?.lossAtEqualWork : measured?.loss,
      relativeGap: measured?.relativeGap, stepsRun: measured?.stepsRun,
      diverged: measured?.diverged ?? false)
  }

  // MARK: The choice

  /// The remedy to name first. Newton's method and preconditioners need products by the Hessian,
  /// which few training programs offer: they lead only where nothing else comes near.
  var lead: Prescription? {
    let reached = prescriptions.filter { $0.measured?.reached == true }
    guard let best = reached.first else { return nil }
    let ordinary = reached.filter { $0.isOrdinary && $0.canLead }
    guard let cheapest = ordinary.map(\.work).min(), cheapest <= 100 * best.work else {
      return best
    }
    return ordinary.filter { $0.work <= 2 * cheapest }
      .min { ($0.effort, $0.work) < ($1.effort, $1.work) }
  }

  /// Beside the lead: what came lower, much less work, or, where the lead needs products by the Hessian, what does
  /// not.
  func alternative(to lead: Prescription) -> (item: Prescription, Advice.Alternative.Reason)? {
    if lead.measured?.reached != true {
      // Nothing is left to come lower by.
      if lead.isAtRounding { return nil }
      if let lowest, lowest.id != lead.id, areAlike(lead, lowest) { return (lowest, .lowest) }
      if let item = lowestForLeast, item.id != lead.id { return (item, .lowest) }
    } else if let best = prescriptions.first, best != lead, best.measured?.reached == true,
      let less = best.measured?.gradientEquivalents, let more = lead.measured?.gradientEquivalents,
      less <= more / 2
    {
      return (best, .lessWork)
    }
    guard !lead.isOrdinary else { return nil }
    return prescriptions.first { $0.isOrdinary && $0.measured?.diverged == false }
      .map { ($0, .noHessianProducts) }
  }

  /// The rate that was given, or else the safe one, beside a remedy; nil where it was not run, or is what
  /// the remedy does.
  func plain(beside item: Prescription) -> Prescription? {
    let given = Prescription.Kind.asGiven.rawValue
    let plain = [Prescription.Kind.asGiven, .safeRate].lazy.compactMap { self.prescription($0) }
      .first { $0.id != item.id }
    if item.id == given || plain?.id == given && isPlain,
      [item.id, plain?.id].allSatisfy({ id in Self.plainIds.contains { $0 == id } }),
      let own = item.rateRun, let other = plain?.rateRun, abs(own - other) <= 1e-6 * own
    {
      return nil
    }
    return plain?.measured == nil ? nil : plain
  }

  /// Nothing was run: theory alone.
  var untried: Prescription? {
    let stable = prescriptions.filter {
      learningRate.verdict?.isUnstable != true || $0.id != Prescription.Kind.asGiven.rawValue
    }
    let ordinary = stable.filter { $0.isOrdinary && isCountTrusted($0) }
    guard let fewest = ordinary.compactMap(\.predicted.iterations).min() else {
      // Of the given rate nothing is foretold either, and it is what is asked about.
      return stable.first { $0.id != Prescription.Kind.asGiven.rawValue } ?? stable.first
    }
    return ordinary.filter { ($0.predicted.iterations ?? .max) <= 2 * fewest }
      .min { $0.effort < $1.effort }
  }

  /// Whether theory gives any remedy that needs no products by the Hessian a number of steps.
  var isAnyOrdinaryPredicted: Bool {
    prescriptions.contains { item in
      item.isOrdinary && item.predicted.iterations != nil && isCountTrusted(item)
        && (learningRate.verdict?.isUnstable != true
          || item.id != Prescription.Kind.asGiven.rawValue)
    }
  }

  /// Whether a predicted count is more than that of the bowl at the start: on a loss that is no quadratic
  /// only plain descent is followed as the curvature changes.
  func isCountTrusted(_ item: Prescription) -> Bool {
    switch Prescription.Kind(rawValue: item.id) {
    case .safeRate?, .fastestRate?, .standardiseFeatures?: true
    case .asGiven?: basis.isQuadratic || isPlain
    default: basis.isQuadratic
    }
  }

  /// The predicted count of a remedy, to stand beside its run: not that of a bowl which the run has left.
  func predictedBesideRun(_ item: Prescription) -> Int? {
    item.measured == nil || isCountTrusted(item) ? item.predicted.iterations : nil
  }

  private static let plainIds = [Prescription.Kind.asGiven, .safeRate, .fastestRate].map(\.rawValue)

  /// Whether training is by plain gradient descent.
  var isPlain: Bool {
    let plain = OptimizerSetting().name
    return problem.optimizer ?? plain == plain
  }

  /// Whether a remedy's loss can rise again once it is low: with momentum, or where the loss is no bowl.
  func canSwing(_ item: Prescription) -> Bool {
    switch Prescription.Kind(rawValue: item.id)?.swing {
    case .always: true
    case .asGiven: !basis.isQuadratic || problem.optimizer != OptimizerSetting().name
    case .never: false
    case .onCurvedLosses, nil: !basis.isQuadratic
    }
  }
}

extension DiagnosisReport.Problem {
  /// For reports that do not say whether the loss is a quadratic: they came from tables, where the names
  /// of model and loss tell.
  fileprivate var isQuadraticByName: Bool {
    model == ModelChoice.linear.name && lossName != ModelLoss.crossEntropy.name
  }
}

extension Prescription {
  var isOrdinary: Bool { Kind(rawValue: id)?.effort != nil }
  var effort: Int { Kind(rawValue: id)?.effort ?? .max }
  fileprivate var work: Double { measured?.gradientEquivalents ?? .infinity }
}

extension DiagnosisReport {
  /// The predicted steps of a remedy that are worth showing beside what its run took.
  package func predictedSteps(of item: Prescription) -> Int? {
    AdviceFacts(
      problem: problem, curvature: curvature, learningRate: learningRate, prediction: prediction,
      findings: findings, prescriptions: prescriptions
    ).predictedBesideRun(item)
  }
}
