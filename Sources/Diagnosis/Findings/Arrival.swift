import Curvature
import LinearMaps
import Presentation

extension FindingRules {
  /// That the start is the minimum already, as far as the loss can tell: what is left to gain is within a share of
  /// the loss that no training is for. Nil where it is not, or where that is not known.
  var arrival: Finding? {
    guard start.loss.isFinite, !survey.curvature.isIndefinite,
      survey.largest > survey.zeroThreshold, !measured.finiteMinimum.isAbsent,
      outcome.hasFiniteMinimum
    else { return nil }
    let rounding = 4 * Double(Scalar.ulpOfOne) * abs(start.loss)
    let most = max(Finding.arrivedShare * abs(start.loss), rounding)
    let seen = outcome.reference.map { start.loss - $0.loss }
    let gap: Double
    if let exact = measured.exactLoss(survey) {
      gap = exact.initialGap
    } else if let seen, outcome.reference?.isCertified == true {
      gap = max(0, seen)
    } else {
      // The bowl that fits the loss here, unless a run found more, or rounding may hide more.
      let precision = survey.isResolved ? Double.ulpOfOne : Double(Scalar.ulpOfOne)
      guard !survey.isMeasureCoarse, !survey.model.hidesGains(most, precision: precision) else {
        return nil
      }
      gap = max(survey.model.initialGap, seen ?? 0)
    }
    guard gap <= most else { return nil }
    return .atMinimum(
      loss: start.loss, gap: gap, gradientNorm: start.gradientNorm, isRounding: gap <= rounding,
      isLocal: !problem.isLinearInParameters && !problem.isQuadratic)
  }
}

extension Finding {
  /// Of the loss: less than this is nothing to train for.
  static let arrivedShare = 1e-7

  /// The start is the minimum already.
  ///
  /// - Parameters:
  ///   - gap: what is left to gain.
  ///   - isRounding: whether that is no more than the rounding of the loss.
  ///   - isLocal: whether there may be lower minima elsewhere.
  static func atMinimum(
    loss: Double, gap: Double, gradientNorm: Double, isRounding: Bool, isLocal: Bool
  ) -> Finding {
    let norm = "the gradient's norm is \(Wording.number(gradientNorm))"
    let place = isLocal ? "a minimum of its neighbourhood" : "the minimum"
    return Finding(
      id: "at-minimum",
      sentence: isRounding
        ? "Training has arrived: the start is \(place), to the rounding of the loss; \(norm)."
        : "Training has arrived: the start is as good as \(place). All that is left to gain is "
          + "\(Wording.number(gap)) of the loss \(Wording.number(loss)), a share of "
          + "\(Wording.number(gap / abs(loss), digits: 2)); \(norm).",
      evidence: [
        "loss": .number(loss), "gap": .number(orMissing: gap),
        "gradientNorm": .number(orMissing: gradientNorm), "isLocal": .integer(isLocal ? 1 : 0),
      ])
  }
}
