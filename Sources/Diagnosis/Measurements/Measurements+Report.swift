import Curvature
import LinearMaps
import Training

/// The measurements as the report shows them.
extension Measurements {
  var curvatureFacts: DiagnosisReport.Curvature {
    DiagnosisReport.Curvature(
      largest: .init(
        value: survey.largest, residual: survey.largestResidual, upperBound: survey.upperBound,
        failureProbability: survey.failureProbability),
      smallest: .init(value: survey.smallest, residual: survey.smallestResidual),
      smallestPositive: survey.smallestPositive, effectiveSmallest: survey.effectiveSmallest,
      conditionNumber: survey.unresolved == nil ? survey.curvature.conditionNumber : nil,
      effectiveConditionNumber: survey.effectiveConditionNumber,
      gaussNewtonConditionNumber: gaussNewton, indefinite: survey.curvature.isIndefinite,
      operatorApplications: survey.operatorApplications, zeroThreshold: survey.zeroThreshold,
      severity: survey.curvature.isIndefinite
        ? nil
        : survey.workingConditionNumber.map {
          survey.unresolved == nil
            ? Conditioning(conditionNumber: $0, epsilon: survey.resolution) : .unresolved
        }, largestOnLargerSample: sampling, largestOnAllSamples: sharpnessOnAll,
      precision: survey.isResolved ? "float64" : Scalar.precisionName,
      conditionNumberOpen: survey.unresolved)
  }

  /// What is known of the rate: the limit here, and what the trials say that were run.
  func learningRate(
    _ prescriptions: [Prescription], _ miniBatches: MiniBatches? = nil
  ) -> DiagnosisReport.LearningRate {
    let rule = start.optimizer.stability
    return .init(
      facts, note: limitNote, optimizer: start.optimizer.phrase,
      run: RateRun(prescriptions, startLoss: start.loss) { sharpness in
        rule.flatMap { $0.isPreconditioned ? nil : $0.limit(curvature: sharpness) }
      },
      isLimitGlobal: start.problem.isQuadratic && rule?.isPreconditioned == false,
      miniBatches: miniBatches)
  }

  private var limitNote: String? {
    guard facts.stabilityLimit == nil else { return nil }
    if start.optimizer.stability == nil {
      return "theory knows no stability limit of \(start.optimizer.phrase)"
    }
    if start.optimizer.stability?.isPreconditioned == true {
      if start.preconditioner == nil {
        let missing = start.missingDivisor
        let subject =
          start.optimizer.name == "adam"
          ? "Adam's limit" : "the limit of \(start.optimizer.phrase)"
        return "\(subject) depends on \(missing.subject)"
          + "\(start.problem.isOfCaller ? "," : ":") \(missing.next)"
      }
      if survey.largest > survey.zeroThreshold {
        return "the limit of \(start.optimizer.phrase) was not measured: "
          + (start.context.isCancelled() ? "the run was interrupted" : "it would take too long")
      }
    }
    return "there is no positive curvature to limit the rate"
  }

  /// All directions of a small problem, the outermost of a large one.
  var directions: [EigenDirection] {
    let values = survey.eigenvalues
    let shown = values.count <= 20 ? values : Array(values.prefix(5) + values.suffix(5))
    let given = start.request.training.rate
    // Adam's rate acts on its preconditioned curvature: along these directions it means nothing.
    return shown.map {
      EigenDirection(
        eigenvalue: $0, zeroThreshold: survey.zeroThreshold, rate: given ?? safeRate,
        optimizer: given == nil ? GradientDescent() : start.optimizer,
        tolerance: start.request.trials.tolerance)
    }
  }

  /// - Parameter prediction: nil where it could not be measured.
  func report(
    prediction: DiagnosisReport.Prediction?, findings: [Finding], prescriptions: [Prescription],
    miniBatches: MiniBatches? = nil
  ) -> DiagnosisReport {
    DiagnosisReport(
      problem: start.facts, curvature: curvatureFacts,
      learningRate: learningRate(prescriptions, miniBatches),
      directions: directions,
      prediction: prediction.map { $0.beside(prescriptions) }
        ?? .init(
          rate: start.request.training.rate, iterations: nil,
          tolerance: start.request.trials.tolerance),
      findings: findings, prescriptions: prescriptions, layers: layers, miniBatches: miniBatches,
      request: start.request, isOfCaller: start.problem.isOfCaller)
  }
}

extension Measurements {
  /// Everything that was measured, before a remedy was looked at.
  func report(upTo stage: DiagnosisReport.Stage, _ first: FirstAnswer) -> DiagnosisReport {
    let rate = start.request.training.rate ?? safeRate
    var report = report(
      prediction: .init(
        rate: rate, iterations: nil, tolerance: start.request.trials.tolerance),
      findings: [], prescriptions: [])
    report.stage = stage
    report.first = first
    return report
  }
}

extension StartedProblem {
  /// What can be said where a quantity is not finite.
  func report(broken quantity: String) -> DiagnosisReport {
    var learningRate = DiagnosisReport.LearningRate(
      LearningRateFacts(
        .init(largest: 0, upperBound: 0, smallest: 0, zeroThreshold: 0), rule: optimizer.stability,
        given: nil),
      note: "nothing can be said where the \(quantity) is not finite")
    learningRate.given = request.training.rate
    return DiagnosisReport(
      problem: facts,
      curvature: .init(
        largest: .init(value: nil, residual: nil, upperBound: nil, failureProbability: nil),
        smallest: .init(value: nil, residual: nil), indefinite: false, operatorApplications: 0),
      learningRate: learningRate,
      directions: [],
      prediction: .init(
        rate: request.training.rate, iterations: nil, tolerance: request.trials.tolerance),
      findings: [.nonFinite(quantity: quantity, cause: nonFiniteCause)], prescriptions: [],
      isOfCaller: problem.isOfCaller)
  }
}

extension DiagnosisReport.Prediction {
  /// Without its count where a run at the same rate has shown another.
  fileprivate func beside(_ prescriptions: [Prescription]) -> Self {
    let own = prescriptions.first { $0.id == Prescription.Kind.asGiven.rawValue }
    guard let iterations, let run = own?.measured else { return self }
    let agrees =
      if let steps = run.iterations {
        max(steps, iterations) <= 2 * min(steps, iterations) + 5
      } else {
        !run.diverged && run.stepsRun ?? 0 < iterations
      }
    return agrees
      ? self
      : .init(rate: rate, iterations: nil, tolerance: tolerance, momentum: momentum, curve: [])
  }
}
