import Curvature
import LinearMaps

/// Of the scales of target and inputs, and of coefficients that a finished loss leaves behind.
extension FindingRules {
  /// The target's scale, and what training on it standardised came to.
  var targetScale: Finding? {
    guard let target = measured.targetScaling, measured.hasToReach(target) else { return nil }
    let ids = Self.onScaledTarget.map(\.rawValue)
    // Runs that nothing stops at a minimum may have passed their lowest point.
    let best = outcome.prescriptions
      .compactMap { item -> (lowest: Double, last: Double?, id: String)? in
        guard ids.contains(item.id), let measured = item.measured, !measured.diverged,
          let lowest = measured.lossAtEqualWork ?? measured.loss
        else { return nil }
        return (lowest, measured.loss, item.id)
      }.min { $0.lowest < $1.lowest }
    let problem = measured.start.problem
    let error = max(0, measured.start.loss - penalty) / (problem.table?.lossWeight ?? 1)
    return .targetScale(
      target, named: problem.targetName ?? "y", isLinear: problem.isLinearInParameters,
      error: (problem.lossName == ModelLoss.meanSquaredError.name ? error : 2 * error).squareRoot(),
      best: best.map { ($0.lowest, $0.last, $0.id, problem.l2 == 0) })
  }

  /// How a finding on scales stands after the trials.
  enum Standing {
    /// Nothing else came near what training on other scales came to.
    case main
    case open
    /// Training on other scales was tried and came no lower: they are facts then, but no cause.
    case acquitted
  }

  func standing(_ finding: Finding) -> Standing {
    func number(_ key: String) -> Double? {
      if case .number(let value)? = finding.evidence[key] { value } else { nil }
    }
    if let raw = number("rawLoss"), let standardised = number("standardisedLoss") {
      return standardised >= raw ? .acquitted : .open
    }
    let others = outcome.prescriptions
      .filter { item in !Self.onScaledTarget.contains { $0.rawValue == item.id } }
      .compactMap { $0.measured.flatMap { $0.diverged ? nil : $0.lossAtEqualWork ?? $0.loss } }
    guard let best = number("bestLoss"), let other = others.min() else { return .open }
    return best >= other ? .acquitted : 2 * best < other ? .main : .open
  }

  private static var onScaledTarget: [Prescription.Kind] {
    [.standardiseTarget, .standardiseAllAndAdam]
  }

  /// The penalty's part of the loss at the point.
  private var penalty: Double {
    let start = measured.start
    guard start.problem.l2 > 0 else { return 0 }
    var squares = 0.0
    var offset = 0
    for parameter in start.problem.parameters {
      let range = offset..<offset + parameter.shape.count
      if !parameter.isBias {
        squares += start.point[range].reduce(0) { $0 + Double($1) * Double($1) }
      }
      offset = range.upperBound
    }
    return start.problem.l2 / 2 * squares
  }

  /// The scales of what a model's first layer reads, and what training on it standardised came to.
  var inputScales: Finding? {
    guard let (scaling, remark) = measured.inputs else { return nil }
    func lowest(_ kinds: [Prescription.Kind]) -> Double? {
      outcome.prescriptions.filter { item in kinds.contains { $0.rawValue == item.id } }
        .compactMap { $0.measured.flatMap { $0.lossAtEqualWork ?? ($0.diverged ? nil : $0.loss) } }
        .min()
    }
    let raw = lowest([.safeRate, .fastestRate])
    let standardised = lowest([.standardiseInputs])
    return .inputScales(
      scaling, remark,
      trained: raw.flatMap { raw in standardised.map { (raw, $0) } })
  }

  /// Coefficients that are not finished where the advised remedy's loss is.
  ///
  /// - Parameter findings: those made before, which the advice rests on.
  func unfinishedCoefficients(_ findings: [Finding]) -> Finding? {
    let tolerance = measured.start.request.trials.tolerance
    let facts = AdviceFacts(
      problem: measured.start.facts, curvature: measured.curvatureFacts,
      learningRate: learningRate,
      prediction: .init(rate: nil, iterations: nil, tolerance: tolerance), findings: findings,
      prescriptions: outcome.prescriptions)
    guard let advised = facts.basis.isTried ? facts.lead : facts.untried,
      let steps = advised.measured == nil
        ? advised.predicted.iterations : advised.measured?.iterations,
      let left = measured.unfinished(
        advised, after: steps, at: outcome.arrivalPoints[advised.id]), left.isTelling,
      let table = measured.start.problem.table
    else { return nil }
    return .coefficientsUnfinished(
      prescription: advised.id, steps: steps, tolerance: tolerance, error: left.error,
      worst: (table.featureNames[left.worst.column], left.worst.value, left.worst.minimiser),
      share: left.share, enough: left.stepsToOnePercent, isRun: advised.measured != nil)
  }
}
