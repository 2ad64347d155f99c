import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  /// The rate that was given, for comparison.
  public static let asGiven = Self("as-given", effort: 0, swing: .asGiven)
  public static let safeRate = Self("safe-rate", effort: 1)
  public static let fastestRate = Self("fastest-rate", effort: 1)
}

/// What is done now, for comparison: the given optimizer at the given rate.
struct AsGiven: Remedy {
  let kind = Prescription.Kind.asGiven

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    guard let rate = start.request.training.rate else { return nil }
    let optimizer = start.optimizer
    let predicted = try measured.foretold(
      conditionNumber: start.forecastMomentum == nil
        ? nil : measured.survey.workingConditionNumber,
      rate: rate, optimizer, momentum: start.forecastMomentum,
      peak: measured.userBatches == nil ? measured.peak(rate: rate, by: optimizer) : nil
    ) {
      guard measured.facts.verdict != .unstable else { return nil }
      return try optimizer.isPlainDescent
        ? measured.descentIterations(
          start.objective, from: start.point, rate: rate, measured.survey)
        : measured.iterations(measured.survey, rate: rate, by: optimizer)
    }
    // A schedule of the caller's own would move it: what it will do is not known here.
    let held = start.problem.standing == nil ? "" : ", the rate of this step, held"
    return Plan(
      kind, "as you have it: \(optimizer.phrase) at \(Wording.number(rate))\(held)", predicted
    ) { [theory = measured.theory(measured.survey, rate: rate, by: optimizer)] bench in
      var outcome = try bench.run(
        start.objective, optimizer, rate: rate, from: start.point, theory: theory, keepsEnd: true)
      outcome.sharpnessAtEnd = try start.ifMeasurable { try measured.sharpness(atEndOf: outcome) }
      outcome.end = nil
      return outcome
    }
  }
}

extension Measurements {
  /// A few Lanczos steps where a run on a loss that is no quadratic ended: what the curvature became.
  ///
  /// Nil for a preconditioned optimizer, whose limit another matrix sets.
  fileprivate func sharpness(atEndOf outcome: TrialBench<Scalar>.Outcome) throws -> Double? {
    let products = 20
    guard let end = outcome.end, !outcome.isDiverged, !outcome.wasCancelled,
      !start.problem.isQuadratic, start.optimizer.stability?.isPreconditioned == false,
      Double(products) * start.budget.product <= 0.02 * start.budget.limit
    else { return nil }
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = start.request.resources.probeSeed
    options.tolerance = 0.01
    options.boundTolerance = nil
    options.maxApplications = products
    let value = try TopEigenpairs<Scalar>(of: start.objective.hessian(at: end), options: options)
      .largest[0].value
    return value.isFinite ? value : nil
  }
}

/// Plain descent at `1 / upperBound`, which no direction overshoots.
struct SafeRate: Remedy {
  let kind = Prescription.Kind.safeRate

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let (start, survey) = (measured.start, measured.survey)
    let (rate, isBounded) = measured.bounded(
      1 / survey.upperBound, by: GradientDescent(), share: 0.5)
    return Plan(
      kind,
      "gradient descent at \(Wording.number(rate)), "
        + (isBounded
          ? "half \(measured.ofBatchLimit)" : "one over the upper bound of the sharpness"),
      try measured.foretold(
        conditionNumber: survey.workingConditionNumber, rate: rate, GradientDescent()
      ) {
        try measured.descentIterations(
          start.objective, from: start.point, rate: rate, survey)
      },
      slower: { "gradient descent at \(Wording.number($0))" },
      run: measured.course(GradientDescent(), rate: rate))
  }
}

/// Plain descent at the rate with the fewest predicted steps.
struct FastestRate: Remedy {
  let kind = Prescription.Kind.fastestRate

  /// Just below it the noise of the batches is far above what half of it leaves.
  private static let shareOfBatchLimit = 0.8

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let (start, survey) = (measured.start, measured.survey)
    guard let fastest = measured.fastestRate(survey) else { return nil }
    let (rate, isBounded) = measured.bounded(
      fastest, by: GradientDescent(), share: Self.shareOfBatchLimit)
    return Plan(
      kind,
      "gradient descent at \(Wording.number(rate)), "
        + (isBounded
          ? "\(Wording.number(Self.shareOfBatchLimit)) \(measured.ofBatchLimit)"
          : "the rate with the fewest "
            + (start.problem.isQuadratic
              ? "predicted steps" : "steps on the bowl that fits the loss here")
            + (measured.userBatches == nil ? "" : " on all samples")
            + (survey.curvature.isIndefinite ? " along the directions that curve upwards" : "")
            + ", a margin of 5 % below the stability limit kept"),
      try measured.foretold(
        conditionNumber: survey.workingConditionNumber, rate: rate, GradientDescent()
      ) {
        try measured.descentIterations(
          start.objective, from: start.point, rate: rate, survey)
      },
      slower: { "gradient descent at \(Wording.number($0))" },
      run: measured.course(GradientDescent(), rate: rate))
  }
}
