import Presentation

extension Finding {
  /// The given rate is above the stability limit.
  ///
  /// - Parameters:
  ///   - direction: the parameters that weigh most in the sharpest direction, where known.
  ///   - growth: the measured or predicted factor per step along it, `|1 - eta lambda|`.
  ///   - isQuadratic: whether the loss is exactly quadratic, so that the limit holds everywhere.
  ///   - isStationary: whether the gradient is zero, so that descent does not move at all.
  public static func rateAboveLimit(
    rate: Double, limit: Double, sharpness: Double, growth: Double, direction: [String] = [],
    isQuadratic: Bool, isStationary: Bool = false
  ) -> Finding {
    let times = Wording.orMore(rate / limit)
    let along =
      direction.isEmpty
      ? "the sharpest direction" : "the sharpest direction (mostly \(Wording.list(direction)))"
    let outcome =
      isStationary
      ? "but the gradient is zero here, so training stays where it is"
      : isQuadratic
        ? "so training diverges"
        : "so training is locally unstable here; it may settle as the curvature changes"
    return Finding(
      id: "rate-above-limit",
      sentence:
        "The learning rate \(Wording.number(rate)) is \(times) times the stability limit "
        + "\(Wording.number(limit)): along \(along) each step multiplies \(isStationary ? "any" : "the") "
        + "error by \(Wording.orMore(growth)), \(outcome).",
      evidence: [
        "rate": .number(rate), "stabilityLimit": .number(limit),
        "timesLimit": .number(orMissing: rate / limit), "sharpness": .number(sharpness),
        "growthPerStep": .number(orMissing: growth), "direction": .list(direction),
      ])
  }

  /// The given rate overshoots the sharpest direction at each step, and still converges.
  public static func rateOscillates(rate: Double, limit: Double, contraction: Double) -> Finding {
    Finding(
      id: "rate-oscillates",
      sentence:
        "The learning rate \(Wording.number(rate)) is below the stability limit "
        + "\(Wording.number(limit)), but it overshoots the sharpest direction: the error there "
        + "changes sign at each step and keeps \(Wording.number(abs(contraction) * 100)) % of its "
        + "size.",
      evidence: [
        "rate": .number(rate), "stabilityLimit": .number(limit),
        "contraction": .number(contraction),
      ])
  }

  /// The given rate is too small for every direction, the sharpest included.
  ///
  /// - Parameters:
  ///   - iterations: predicted steps at the given rate; nil where out of reach.
  ///   - advisedIterations: predicted steps at the advised rate.
  public static func rateFarBelow(
    rate: Double, advised: Double, sharpness: Double, iterations: Int?, advisedIterations: Int?
  ) -> Finding {
    var gain = ""
    if let iterations, let advisedIterations {
      gain =
        " It would take \(Wording.count(iterations, "step")) to reach the tolerance; a rate of "
        + "\(Wording.number(advised)) would take \(Wording.count(advisedIterations))."
    }
    return Finding(
      id: "rate-far-below",
      sentence:
        "The learning rate \(Wording.number(rate)) is too small for every direction: even the "
        + "sharpest one loses only \(Wording.number(rate * sharpness * 100)) % of its error per "
        + "step, and a rate \(Wording.orMore(advised / rate)) times larger is safe." + gain,
      evidence: [
        "rate": .number(rate), "advisedRate": .number(advised),
        "rateTimesSharpness": .number(rate * sharpness),
        "iterations": .integer(orMissing: iterations),
        "advisedIterations": .integer(orMissing: advisedIterations),
      ])
  }

  /// The rate is as large as the sharpest direction allows, and the flattest pays for it.
  ///
  /// - Parameter flattest: the smallest curvature that matters: the smallest positive eigenvalue,
  ///   or the effective one.
  public static func rateLimitedBySharpest(
    rate: Double, sharpness: Double, flattest: Double, halfLife: Double?
  ) -> Finding {
    let wish = Wording.number(1 / flattest)
    let pace =
      halfLife.map { " In the flattest it takes \(Wording.number($0)) steps to halve the error." }
      ?? ""
    return Finding(
      id: "rate-limited-by-sharpest",
      sentence:
        "The learning rate is not simply too small: \(Wording.number(rate)) already suits the "
        + "sharpest direction, while the flattest one that matters wants \(wish). Their wishes lie "
        + "a factor of \(Wording.number(sharpness / flattest)) apart, and no single rate serves both."
        + pace,
      evidence: [
        "rate": .number(rate), "sharpness": .number(sharpness), "flattest": .number(flattest),
        "flattestIdealRate": .number(1 / flattest),
        "spread": .number(sharpness / flattest), "halfLife": .number(orMissing: halfLife),
      ])
  }

  /// What a step really gained against what its slope promised, `eta^2 / 2 g'Hg`.
  public static func stepTruncation(rate: Double, predicted: Double, measured: Double) -> Finding {
    let share = predicted == 0 ? nil : abs(measured / predicted - 1)
    let off = share.map { " (\(Wording.orMore($0 * 100)) % off)" } ?? ""
    return Finding(
      id: "step-truncation",
      sentence:
        "One step at \(Wording.number(rate)) ends \(Wording.number(measured)) above what the slope "
        + "alone promises; the curvature foretold \(Wording.number(predicted))"
        + (share.map { $0 < 0.01 } ?? (measured == 0)
          ? ", so the loss is as good as quadratic over a step."
          : "\(off): the curvature changes within a step."),
      evidence: [
        "rate": .number(rate), "predicted": .number(predicted), "measured": .number(measured),
      ])
  }

  /// Adam's stability limit could not be computed, and why.
  public static func limitUnknown(optimizer: String, reason: String) -> Finding {
    Finding(
      id: "limit-unknown",
      sentence: "The stability limit of \(optimizer) is not known here: \(reason).",
      evidence: ["optimizer": .text(optimizer), "reason": .text(reason)])
  }
}
