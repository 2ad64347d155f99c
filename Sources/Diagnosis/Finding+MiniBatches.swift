import Presentation

/// Findings about training on mini-batches.
extension Finding {
  private static func number(orMissing value: Double?) -> Evidence.Value {
    value.map { .number($0) } ?? .missing
  }

  /// The given rate is stable on all samples at once, and not on the batches.
  public static func batchAboveLimit(
    _ batches: MiniBatches, rate: Double, limit: Double
  ) -> Finding {
    let all =
      batches.limitOnAll.map { " (\(Wording.number($0)) on all samples at once)" } ?? ""
    let passes = batches.passLimit.flatMap { $0 > rate ? $0 : nil }
    let meaning =
      batches.run?.ranAway == true
      ? "The mean of the squared error is unbounded\(passes == nil ? "" : " within passes"), and a run of "
        + "\(Wording.count(batches.run?.steps ?? 0, "step")) from the minimum did not come back from a burst."
      : (passes.map {
        "Expect rare bursts: over shuffled passes the mean stays bounded up to about "
          + "\(Wording.number($0)), but within them the loss can rise far above its floor."
      }
        ?? "Expect rare bursts: single runs stay finite for long, but the mean of their squared error is "
        + "unbounded.") + (batches.run.map { " \($0.aboveLimit)" } ?? "")
    return Finding(
      id: "batch-above-limit",
      sentence:
        "The learning rate \(Wording.number(rate)) is \(Wording.orMore(rate / limit)) times the limit "
        + "\(Wording.number(limit)) of batches of \(Wording.count(batches.batch, "sample"))\(all). \(meaning)",
      evidence: [
        "rate": .number(rate), "limit": .number(limit), "batch": .integer(batches.batch),
        "limitOnAll": number(orMissing: batches.limitOnAll),
        "passLimit": number(orMissing: batches.passLimit),
        "measured": number(orMissing: batches.run?.end),
      ])
  }

  /// What the loss settles at for the noise of the batches.
  public static func noiseFloor(_ batches: MiniBatches, _ floor: MiniBatches.Floor, rate: Double)
    -> Finding
  {
    let isEstimate = floor.endError == nil
    let isShuffled = batches.sampling == .shuffle
    let place =
      isShuffled
      ? "\(Wording.number(floor.end)) at the end of a pass and \(Wording.number(floor.middle)) in its middle"
      : Wording.number(floor.end)
    let share =
      floor.relative.map {
        ", \(Wording.number(100 * $0, digits: 2)) % of the gap here\(isShuffled ? " at a pass's end" : "")"
      } ?? ""
    let last = batches.lastBatch.flatMap { last in
      4 * last <= batches.batch && floor.end > floor.middle
        ? " The last batch of a pass has \(Wording.count(last, "sample")) alone, and is the noisier for it."
        : nil
    }
    let way =
      floor.steps.map {
        " On all samples the same rate comes down to it in \(Wording.count($0, "step")), and from there on "
          + "the noise binds."
      } ?? ""
    return Finding(
      id: "noise-floor",
      sentence:
        "With batches of \(Wording.count(batches.batch, "sample")), "
        + "\(isShuffled ? "shuffled" : "drawn with replacement"), the rate \(Wording.number(rate)) settles at "
        + "\(isEstimate ? "about " : "")a mean loss gap of \(place)\(share)"
        + (batches.basis == .leastSquares
          ? "." : ", by the bowl that fits the loss at the minimum.")
        + (last ?? "") + (batches.run.map { " \($0.besidePrediction(isShuffled))" } ?? "") + way,
      evidence: [
        "rate": .number(rate), "batch": .integer(batches.batch),
        "sampling": .text(batches.sampling.rawValue), "end": .number(floor.end),
        "middle": .number(floor.middle), "endError": number(orMissing: floor.endError),
        "relative": number(orMissing: floor.relative),
        "measuredEnd": number(orMissing: batches.run?.end),
        "measuredMiddle": number(orMissing: batches.run?.middle),
        "predictedEnd": number(orMissing: batches.run?.predictedEnd),
        "predictedMiddle": number(orMissing: batches.run?.predictedMiddle),
      ])
  }

  /// How far more samples in a batch help.
  public static func batchSize(_ batches: MiniBatches) -> Finding? {
    var parts: [String] = []
    let count = Wording.count(batches.batch, "sample")
    if let limit = batches.limit, let double = batches.doubled,
      let own = batches.limits.first(where: { $0.batch == batches.batch })?.limit
    {
      let gain = double.limit / own
      parts.append(
        "Batches of \(count) allow rates up to \(Wording.number(limit)); twice as many samples allow "
          + (gain < 1.05
            ? "hardly more." : "\(Wording.number(gain, digits: 2)) times that."))
    }
    if let half = batches.halfLimitBatch, let all = batches.limitOnAll {
      parts.append(
        half < 1
          ? "Single samples already allow more than half of the limit of all, \(Wording.number(all)): larger "
            + "batches lower the noise, and hardly raise the rate."
          : "From about \(Wording.number(half.rounded(.up), digits: 2)) samples on a batch allows more than "
            + "half of the limit of all, \(Wording.number(all)): beyond, more samples hardly raise the rate."
      )
    }
    if let scale = batches.noiseScale {
      parts.append(
        scale <= Double(batches.batch)
          ? "At this point the gradient stands out of the noise from \(Wording.number(scale, digits: 2)) samples "
            + "on, fewer than a batch has."
          : "At this point noise and gradient are equal in size in a batch of "
            + "\(Wording.number(scale, digits: 2)) samples: up to there larger batches give better steps."
      )
    }
    guard !parts.isEmpty else { return nil }
    return Finding(
      id: "batch-size", sentence: parts.joined(separator: " "),
      evidence: [
        "batch": .integer(batches.batch), "limit": number(orMissing: batches.limit),
        "limitOfTwice": number(orMissing: batches.doubled?.limit),
        "halfLimitBatch": number(orMissing: batches.halfLimitBatch),
        "noiseScale": number(orMissing: batches.noiseScale),
      ])
  }

  /// What the given training came to in batches, and the changes to it that were run beside it.
  public static func batchTrials(_ batches: MiniBatches) -> Finding? {
    guard let best = batches.trials.first, let lowest = best.measured,
      let own = batches.trials.first(where: { $0.change == .asGiven })
    else { return nil }
    func words(_ trial: MiniBatches.Trial) -> String {
      switch trial.change {
      case .asGiven: "as you have it"
      case .halfOfLimit: "at \(Wording.number(trial.rate)), half of the limit"
      case .largerBatch: "in batches of \(trial.batch)"
      case .decayedRate: "with the rate lowered step by step to zero"
      }
    }
    let length = "\(Wording.count(own.passes)) passes"
    let other =
      best.change == .asGiven
      ? batches.trials.dropFirst().first.flatMap { next in
        next.measured.map { "; \(words(next)) it came to \(Wording.number($0))" }
      } ?? ""
      : own.measured.map { ", and as you have it to \(Wording.number($0))" }
        ?? ", and as you have it to no finite one"
    let foretold =
      own.predicted.flatMap { predicted in
        own.measured == nil ? nil : " (\(Wording.number(predicted)) was predicted for yours)"
      } ?? ""
    return Finding(
      id: "batch-trials",
      sentence:
        "Of what was run in batches from here for \(length), training \(words(best)) came lowest, to a mean "
        + "\(batches.isToldByLoss ? "loss" : "gap") of \(Wording.number(lowest))\(other)\(foretold).",
      evidence: [
        "best": .text(best.change.rawValue), "lowest": .number(lowest),
        "asGiven": number(orMissing: own.measured),
        "asGivenPredicted": number(orMissing: own.predicted), "passes": .integer(own.passes),
      ])
  }

  /// Which of sharpness, noise and conditioning keeps the given rate from more.
  public static func batchBinding(
    _ batches: MiniBatches, _ binding: MiniBatches.Binding, rate: Double, limit: Double,
    condition: Double?
  ) -> Finding {
    let number = Wording.number(rate)
    let sentence: String
    switch binding {
    case .noise where rate >= limit:
      sentence =
        "What binds is the noise of the batches, which lowers the limit"
        + "\(batches.limitOnAll.map { " of all samples, \(Wording.number($0))," } ?? "") to "
        + "\(Wording.number(limit)). Lower the rate below that, or take more samples in a batch."
    case .noise:
      sentence =
        "What binds now is the noise of the batches, not the curvature: the loss is within ten times of "
        + "what \(number) settles at. Lower the rate in the end, or take larger batches: either lowers the "
        + "floor about in proportion."
    case .sharpness where rate >= limit:
      sentence =
        "What binds is the sharpness: on all samples at once \(number) is above the limit too. Lower the rate "
        + "below \(Wording.number(limit)), that of these batches."
    case .sharpness:
      sentence =
        "What binds now is the sharpness: \(number) is \(Wording.number(rate / limit, digits: 2)) of the limit "
        + "\(Wording.number(limit)) of these batches, while the loss is far above its noise floor."
    case .conditioning:
      sentence =
        "What binds now is the conditioning\(condition.map { " (\(Wording.number($0)))" } ?? ""): "
        + "\(number) is \(Wording.number(rate / limit, digits: 2)) of the limit \(Wording.number(limit)), which "
        + "sharp directions and noise set, and flat directions want far more."
    case .rate:
      sentence =
        "Neither sharpness nor noise binds yet: \(number) is \(Wording.number(rate / limit, digits: 2)) of the "
        + "limit \(Wording.number(limit)) of these batches, and a larger rate gets down sooner."
    }
    return Finding(
      id: "batch-binding", sentence: sentence,
      evidence: [
        "binds": .text(binding.rawValue), "rate": .number(rate), "limit": .number(limit),
        "conditionNumber": Self.number(orMissing: condition),
        "relativeFloor": Self.number(orMissing: batches.floor?.relative),
      ])
  }
}

extension MiniBatches.FloorRun {
  fileprivate var aboveLimit: String {
    end.map {
      "A run of \(Wording.count(steps, "step")) from the minimum stayed finite, at a mean gap of "
        + "\(Wording.number($0)) at the ends of passes."
    } ?? ""
  }

  /// The run, and what was foretold for its passes.
  fileprivate func besidePrediction(_ isShuffled: Bool) -> String {
    let place = "A run of \(Wording.count(steps, "step")) from the minimum"
    guard let end, !ranAway else { return "\(place) left for good." }
    func pair(_ measured: Double, _ error: Double?, _ predicted: Double?) -> String {
      let spread = error.map { " ± \(Wording.number($0, digits: 2))" } ?? ""
      return "\(Wording.number(measured))\(spread)"
        + (predicted.map { " for a predicted \(Wording.number($0))" } ?? "")
    }
    let middle =
      isShuffled
      ? self.middle.map { ", \(pair($0, middleError, predictedMiddle)) in the middle" } ?? "" : ""
    return "\(place) had \(pair(end, endError, predictedEnd))\(middle)."
  }
}
