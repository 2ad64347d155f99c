import Presentation

extension Finding {
  /// A regression's target is far from one in size, or its mean far from zero.
  ///
  /// - Parameters:
  ///   - error: the root mean square of the outputs' error at the point of diagnosis.
  ///   - best: the lowest loss of a run on the standardised target, in the target's units, and its last.
  static func targetScale(
    _ target: TargetScaling, named name: String, isLinear: Bool, error: Double,
    best: (loss: Double, last: Double?, id: String, isLossOnly: Bool)?
  ) -> Finding {
    let number = { (value: Double) in Wording.number(value) }
    let facts =
      "The target \(name) has mean \(number(target.mean)), standard deviation "
      + "\(number(target.deviation)) and root mean square \(number(target.size))."
    let meaning =
      isLinear
      ? " On least squares that changes neither the curvature nor the limit; the loss is in its "
        + "squared units, and the parameters have as far to go: descent's steps grow with the error, "
        + "but Adam's are bounded by its rate."
      : " The gradient is in proportion to the error, which is \(number(error)) at this point (root mean "
        + "square), and the last layer has to move until its outputs are of the target's size."
    var evidence: Evidence = [
      "target": .text(name), "mean": .number(orMissing: target.mean),
      "standardDeviation": .number(orMissing: target.deviation),
      "rootMeanSquare": .number(orMissing: target.size),
      "errorAtPoint": .number(orMissing: error),
      "lossAtBestConstant": .number(orMissing: target.lossAtBestConstant),
    ]
    var result = ""
    if let best {
      let explained = 1 - best.loss / target.lossAtBestConstant
      result =
        " The best run on the standardised target came down to a loss of \(number(best.loss)) in the "
        + "target's units"
        + (best.last.map { $0 > 2 * best.loss ? ", though it ended at \(number($0))" : "" } ?? "")
        + "; that of the best constant is \(number(target.lossAtBestConstant))"
        + (best.isLossOnly && explained > 0
          ? " (R2 \(Wording.number(explained, digits: explained > 0.99 ? 6 : 3)))." : ".")
      evidence.append("bestLoss", .number(orMissing: best.loss))
      evidence.append("lastLoss", .number(orMissing: best.last))
      evidence.append("bestPrescription", .text(best.id))
      evidence.append("rSquared", .number(orMissing: best.isLossOnly ? explained : nil))
    }
    return Finding(id: "target-scale", sentence: facts + meaning + result, evidence: evidence)
  }

  /// The features that a model's first layer reads have sizes far apart or far from one, or means far off
  /// zero.
  ///
  /// - Parameters:
  ///   - trained: the lowest losses of plain descent on the inputs as they are and standardised, for
  ///     the same work where nothing certifies a minimum.
  static func inputScales(
    _ scaling: InputScaling, _ remark: InputScaling.Remark,
    trained: (raw: Double, standardised: Double)?
  ) -> Finding {
    func size(_ feature: Int) -> String {
      "\(scaling.name(feature)) has root mean square \(Wording.number(scaling.sizes[feature]))"
    }
    var facts: [String] = []
    if scaling.sizes[remark.largest] >= 10 * scaling.sizes[remark.smallest] {
      facts.append(
        "\(size(remark.largest)) and \(scaling.name(remark.smallest)) "
          + Wording.number(scaling.sizes[remark.smallest])
      )
    } else if remark.isFarFromOne {
      facts.append("\(size(remark.largest)), the largest")
    }
    if remark.isOffCentre {
      facts.append(
        "the mean of \(scaling.name(remark.farthest)), \(Wording.number(scaling.means[remark.farthest])), is "
          + "\(Wording.number(scaling.offset(remark.farthest))) of its standard deviations off zero"
      )
    }
    let result =
      trained.map {
        " Gradient descent came to a loss of \(Wording.number($0.standardised)) on standardised inputs, "
          + "against \(Wording.number($0.raw)) on these."
      } ?? ""
    return Finding(
      id: "input-scales",
      sentence: "Of the inputs that the first layer reads (counted from 0), "
        + "\(facts.joined(separator: ", and ")); the curvature along a weight of that layer "
        + "goes with the square of its input.\(result)",
      evidence: [
        "features": .integer(scaling.sizes.count),
        "constant": .integer(scaling.constantFeatures.count),
        "largestFeature": .integer(remark.largest),
        "largestRootMeanSquare": .number(orMissing: scaling.sizes[remark.largest]),
        "smallestFeature": .integer(remark.smallest),
        "smallestRootMeanSquare": .number(orMissing: scaling.sizes[remark.smallest]),
        "farthestFeature": .integer(remark.farthest),
        "farthestMean": .number(orMissing: scaling.means[remark.farthest]),
        "farthestDeviation": .number(orMissing: scaling.deviations[remark.farthest]),
        "rawLoss": .number(orMissing: trained?.raw),
        "standardisedLoss": .number(orMissing: trained?.standardised),
      ])
  }

  /// The loss is as good as at its minimum, the coefficients are not.
  ///
  /// - Parameters:
  ///   - error: `||w - w*|| / ||w*||` over the weights in the user's units, after `steps` of `prescription`.
  ///   - worst: the column whose coefficient is off most for its size, what it is by then and at the minimum.
  ///   - share: of the error along the flattest direction that is left; nil where there was none.
  ///   - enough: steps after which the weights are within a hundredth; nil where nothing tells them.
  static func coefficientsUnfinished(
    prescription: String, steps: Int, tolerance: Double, error: Double,
    worst: (column: String, value: Double, minimiser: Double), share: Double?, enough: Int?,
    isRun: Bool
  ) -> Finding {
    let (be, still) = isRun ? ("is", "are still") : ("would be", "would still be")
    let off = abs(worst.value - worst.minimiser) / abs(worst.minimiser)
    return Finding(
      id: "coefficients-unfinished",
      sentence:
        "After those \(Wording.count(steps, "step")) only the loss \(be) finished (its gap at "
        + "\(Wording.number(tolerance)) of the start's): the coefficients \(still) "
        + "\(percent(error)) off as a whole, that of \(worst.column) \(percent(off)) "
        + "(\(Wording.number(worst.value)) for \(Wording.number(worst.minimiser)))"
        + (share.map { "; along the flattest direction \(percent($0)) of the error \(be) left." }
          ?? ".")
        + (enough.map {
          " If the coefficients matter, not the predictions alone: "
            + "\(Wording.count($0, "step")) bring them to within 1 %, and solving the least squares takes none."
        } ?? " If the coefficients matter, not the predictions alone, solve the least squares."),
      evidence: [
        "prescription": .text(prescription), "steps": .integer(steps),
        "relativeError": .number(orMissing: error), "worstColumn": .text(worst.column),
        "worstRelativeError": .number(orMissing: off),
        "worstCoefficient": .number(orMissing: worst.value),
        "worstMinimiser": .number(orMissing: worst.minimiser),
        "flattestShare": .number(orMissing: share),
        "stepsToOnePercent": .integer(orMissing: enough),
      ])
  }

  private static func percent(_ share: Double) -> String { "\(Wording.number(100 * share)) %" }
}
