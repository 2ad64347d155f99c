import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let standardiseFeatures = Self("standardise-features", effort: 2)
}

/// Plain descent on columns of mean 0 and deviation 1, or of mean square 1 for a model without a bias.
struct StandardiseFeatures: Remedy {
  let kind = Prescription.Kind.standardiseFeatures

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    guard let variant = measured.standardised,
      variant.survey.largest > variant.survey.zeroThreshold
    else { return nil }
    let fastest = measured.fastestRate(variant.survey) ?? 1 / variant.survey.upperBound
    let rate = min(fastest, batchLimit(variant, measured).map { $0 / 2 } ?? fastest)
    let theory = measured.theory(variant.survey, rate: rate, by: GradientDescent())
    let iterations =
      hasOtherMinimum(variant, measured) || measured.userBatches != nil
      ? nil
      : try measured.descentIterations(
        variant.objective, from: variant.start, rate: rate, variant.survey)
    let change = measured.scaling?.phrase ?? "standardise each column"
    return Plan(
      kind,
      "\(change), then gradient descent at \(Wording.number(rate))",
      .init(
        conditionNumber: variant.survey.workingConditionNumber, rate: rate,
        iterations: iterations),
      note: variant.isExact ? nil : "trained afresh from the same seed", isAfresh: !variant.isExact,
      slower: { "\(change), then gradient descent at \(Wording.number($0))" }
    ) {
      var outcome = try $0.run(
        variant.objective, GradientDescent(), rate: rate, from: variant.start, theory: theory)
      outcome.course?.standardises = true
      return outcome
    }
  }

  /// Of plain descent on the standardised columns, in the user's batches.
  private func batchLimit<Scalar>(
    _ variant: StandardisedVariant<Scalar>, _ measured: Measurements<Scalar>
  ) -> Double? {
    guard let batches = measured.userBatches, let table = measured.start.problem.table,
      let scaling = measured.scaling
    else { return nil }
    return batches.limit(of: scaling.applied(to: table), at: variant.start)
  }

  /// Whether rounding of the standardised columns has moved the minimum by more than the tolerance, so
  /// that steps to the one are no steps to the other.
  private func hasOtherMinimum<Scalar>(
    _ variant: StandardisedVariant<Scalar>, _ measured: Measurements<Scalar>
  ) -> Bool {
    guard let exact = measured.exactLoss(measured.survey) else { return false }
    guard let other = measured.exactLoss(variant.survey) else { return true }
    return abs(other.initialGap - exact.initialGap)
      > 0.1 * measured.start.request.trials.tolerance * exact.initialGap
  }
}
