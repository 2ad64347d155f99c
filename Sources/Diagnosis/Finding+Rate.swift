import Presentation

extension Finding {
  /// The given rate is above the stability limit.
  ///
  /// - Parameters:
  ///   - direction: the parameters that weigh most in the sharpest direction, where known.
  ///   - growth: the measured or predicted factor per step along it, `|1 - eta lambda|`.
  ///   - isQuadratic: whether the loss is exactly quadratic, so that the limit holds everywhere.
  ///   - isStationary: whether the gradient is zero, so that descent does not move at all.
  ///   - run: what a run at the rate did; nil where it was not run.
  public static func rateAboveLimit(
    rate: Double, limit: Double, sharpness: Double, growth: Double, direction: [String] = [],
    isQuadratic: Bool, isStationary: Bool = false, run: RateRun? = nil
  ) -> Finding {
    let times = Wording.orMore(rate / limit)
    let along =
      direction.isEmpty
      ? "the sharpest direction" : "the sharpest direction (mostly \(Wording.list(direction)))"
    let place = isQuadratic ? "" : " at this point"
    let outcome =
      isStationary
      ? ", but the gradient is zero here, so training stays where it is"
      : run.map { $0.aboveLimit(isQuadratic: isQuadratic) }
        ?? (isQuadratic
          ? ", so training diverges"
          : ", so training is locally unstable here; it may settle as the curvature changes (not run)")
    return Finding(
      id: "rate-above-limit",
      sentence:
        "The learning rate \(Wording.number(rate)) is \(times) times the stability limit "
        + "\(Wording.number(limit))\(place): along \(along) each step multiplies "
        + "\(isStationary ? "any" : "the") error by \(Wording.orMore(growth))\(outcome).",
      evidence: [
        "rate": .number(rate), "stabilityLimit": .number(limit),
        "timesLimit": .number(orMissing: rate / limit), "sharpness": .number(sharpness),
        "growthPerStep": .number(orMissing: growth), "direction": .list(direction),
        "outcome": run.map { .text($0.outcome.rawValue) } ?? .missing,
        "stepsRun": .integer(orMissing: run?.steps),
        "sharpnessAtEnd": .number(orMissing: run?.sharpnessAtEnd),
      ])
  }

  /// The given rate diverged when run, though it is below the limit at this point, or none is known.
  public static func rateDiverged(rate: Double, limit: Double?, steps: Int) -> Finding {
    let place =
      limit.map {
        "The learning rate \(Wording.number(rate)) is below the stability limit \(Wording.number($0)) at "
          + "this point, but training diverged when run"
      } ?? "Training diverged when run at the learning rate \(Wording.number(rate))"
    return Finding(
      id: "rate-diverged",
      sentence: "\(place), \(RateRun.by(steps))"
        + (limit == nil ? "." : ": the limit holds here, and not on the way."),
      evidence: [
        "rate": .number(rate), "stabilityLimit": .number(orMissing: limit),
        "stepsRun": .integer(steps),
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
  ///   - advised: a larger rate; nil where none that was run came to anything.
  ///   - isLocal: whether the curvature is that of this point alone.
  ///   - steps: the best known count at the given rate; nil where there is none.
  ///   - advisedSteps: the best known count at the advised rate.
  public static func rateFarBelow(
    rate: Double, advised: AdvisedRate?, sharpness: Double, isLocal: Bool = false,
    steps: StepCount? = nil, advisedSteps: StepCount? = nil
  ) -> Finding {
    let larger =
      advised.map {
        ", and a rate \(Wording.orMore($0.rate / rate)) times larger \($0.standing.words)"
      } ?? ""
    let gain =
      advised.flatMap { advised in
        steps.flatMap { $0.words(beside: advisedSteps, at: advised.rate) }
      } ?? ""
    return Finding(
      id: "rate-far-below",
      sentence:
        "The learning rate \(Wording.number(rate)) is too small for every direction\(isLocal ? " here" : ""): "
        + "even the sharpest one loses only \(Wording.number(rate * sharpness * 100)) % of its error per "
        + "step\(larger)." + gain,
      evidence: [
        "rate": .number(rate), "advisedRate": .number(orMissing: advised?.rate),
        "rateTimesSharpness": .number(rate * sharpness),
        "iterations": .integer(orMissing: steps?.count),
        "advisedIterations": .integer(orMissing: advisedSteps?.count),
        "iterationsFrom": steps.map { .text($0.source) } ?? .missing,
        "advisedIterationsFrom": advisedSteps.map { .text($0.source) } ?? .missing,
      ])
  }

  /// The rate is as large as the sharpest direction allows, and the flattest pays for it.
  ///
  /// - Parameter flattest: the smallest curvature that matters: the smallest positive eigenvalue,
  ///   or the effective one.
  /// - Parameter largerBy: how many times larger the rate may be that suits the sharpest direction best;
  ///   nil where the given one is taken for that.
  public static func rateLimitedBySharpest(
    rate: Double, sharpness: Double, flattest: Double, halfLife: Double?, largerBy: Double? = nil
  ) -> Finding {
    let wish = Wording.number(1 / flattest)
    let pace =
      halfLife.map { " In the flattest it takes \(Wording.number($0)) steps to halve the error." }
      ?? ""
    let sharp =
      largerBy.flatMap { $0 > 2 ? $0 : nil }.map {
        "A larger learning rate alone does little: the sharpest direction suits one up to "
          + "\(Wording.number($0)) times as large as \(Wording.number(rate))"
      }
      ?? "The learning rate is not simply too small: \(Wording.number(rate)) already suits the "
      + "sharpest direction"
    return Finding(
      id: "rate-limited-by-sharpest",
      sentence:
        "\(sharp), while the flattest one that matters wants \(wish). Their wishes lie "
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
