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
    let iterations =
      try optimizer.isPlainDescent
      ? measured.descentIterations(
        start.objective, from: start.point, rate: rate, measured.survey)
      : measured.iterations(measured.survey, rate: rate, by: optimizer)
    return Plan(
      kind, "as you have it: \(optimizer.phrase) at \(Wording.number(rate))",
      .init(
        conditionNumber: start.forecastMomentum == nil
          ? nil : measured.survey.workingConditionNumber, rate: rate, iterations: iterations,
        momentum: start.forecastMomentum,
        peakRelativeGap: measured.peak(rate: rate, by: optimizer)),
      run: measured.course(optimizer, rate: rate))
  }
}

/// Plain descent at `1 / upperBound`, which no direction overshoots.
struct SafeRate: Remedy {
  let kind = Prescription.Kind.safeRate

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let (start, survey) = (measured.start, measured.survey)
    let rate = 1 / survey.upperBound
    return Plan(
      kind,
      "gradient descent at \(Wording.number(rate)), one over the upper bound of the sharpness",
      .init(
        conditionNumber: survey.workingConditionNumber, rate: rate,
        iterations: try measured.descentIterations(
          start.objective, from: start.point, rate: rate, survey)),
      slower: { "gradient descent at \(Wording.number($0))" },
      run: measured.course(GradientDescent(), rate: rate))
  }
}

/// Plain descent at the rate with the fewest predicted steps.
struct FastestRate: Remedy {
  let kind = Prescription.Kind.fastestRate

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let (start, survey) = (measured.start, measured.survey)
    guard let rate = measured.fastestRate(survey) else { return nil }
    return Plan(
      kind,
      "gradient descent at \(Wording.number(rate)), the rate with the fewest "
        + (start.problem.isQuadratic
          ? "predicted steps" : "steps on the bowl that fits the loss here")
        + (survey.curvature.isIndefinite ? " along the directions that curve upwards" : "")
        + ", a margin of 5 % below the stability limit kept",
      .init(
        conditionNumber: survey.workingConditionNumber, rate: rate,
        iterations: try measured.descentIterations(
          start.objective, from: start.point, rate: rate, survey)),
      slower: { "gradient descent at \(Wording.number($0))" },
      run: measured.course(GradientDescent(), rate: rate))
  }
}
