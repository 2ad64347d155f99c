import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let cyclicalRate = Self("cyclical-rate", effort: 2)
}

/// The rate going up and down along lines between a quarter of the stability limit and just below it, with the
/// given optimizer where its limit is that of the Hessian, else with plain descent.
///
/// On a quadratic its steps are foretold. Elsewhere nothing is, and below the limit it comes to what a constant rate
/// does: it is run where all runs go on to their ends.
/// Reference: Smith, arXiv:1506.01186, whose bounds come from a range test; these come from the curvature.
struct CyclicalRate: Remedy {
  let kind = Prescription.Kind.cyclicalRate

  /// Steps from one bound to the other.
  private static let half = 20
  /// The margin of `FastestRate`.
  private static let margin = 0.95
  private static let low = 0.25

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    guard
      start.problem.isQuadratic || !start.budget.cutsTrials
        || start.request.trials.maxIterations != nil
    else { return nil }
    let (optimizer, rule) = measured.descent
    let rate = measured.bounded(
      Self.margin * rule.criticalProduct / measured.survey.upperBound, by: optimizer,
      share: Self.margin
    ).rate
    let schedule = Cyclical(low: Self.low, half: Double(Self.half))
    @Sendable func phrase(_ rate: Double) -> String {
      "\(optimizer.phrase) at rates that go from \(Wording.number(Self.low * rate)) up to "
        + "\(Wording.number(rate)) and back, \(Self.half) steps each way"
    }
    var counted = schedule
    let cycle = (0..<2 * Self.half).map {
      counted.rate(ScheduleMoment(step: $0, stepCount: 2 * Self.half, rate: rate))
    }
    return Plan(
      kind, phrase(rate),
      .init(
        rate: rate,
        iterations: optimizer.isPlainDescent && measured.userBatches == nil
          ? measured.iterations(cycle: cycle) : nil),
      slower: phrase
    ) { [theory = measured.theory(measured.survey, rate: rate, by: optimizer)] bench in
      try bench.run(
        start.objective, optimizer, rate: rate, from: start.point, theory: theory,
        form: TrialForm(schedule: schedule))
    }
  }
}

extension Measurements {
  /// Predicted steps of plain descent whose rates repeat, none above the limit; only of a quadratic, see
  /// `iterations(_:rate:by:)`.
  fileprivate func iterations(cycle: [Double]) -> Int? {
    let tolerance = start.request.trials.tolerance
    return !start.problem.isQuadratic || survey.curvature.isIndefinite || finiteMinimum.isAbsent
      || survey.hidesGains(tolerance: tolerance)
      ? nil : survey.model.iterations(cycle: cycle, toRelativeGap: tolerance)
  }
}
