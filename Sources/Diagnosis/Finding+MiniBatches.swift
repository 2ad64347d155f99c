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
    let last =
      batches.limitWithoutLast.flatMap { other in
        batches.lastBatch.map { count in
          " The last batch of a pass, of \(Wording.count(count, "sample")), lowers it from "
            + "\(Wording.number(other)): take a size that divides the samples, or leave that batch out."
        }
      } ?? ""
    return Finding(
      id: "batch-above-limit",
      sentence:
        "The learning rate \(Wording.number(rate)) is \(Wording.orMore(rate / limit)) times the limit "
        + "\(Wording.number(limit)) of batches of \(Wording.count(batches.batch, "sample"))\(all).\(last) "
        + batches.meaningAboveLimit(rate),
      evidence: [
        "rate": .number(rate), "limit": .number(limit), "batch": .integer(batches.batch),
        "limitOnAll": number(orMissing: batches.limitOnAll),
        "passLimit": number(orMissing: batches.passLimit),
        "limitWithoutLast": number(orMissing: batches.limitWithoutLast),
        "growthPerStep": number(orMissing: batches.growth?.perStep),
        "measured": number(orMissing: batches.run?.end),
      ])
  }

  /// What the loss settles at for the noise of the batches.
  public static func noiseFloor(
    _ batches: MiniBatches, _ floor: MiniBatches.Floor, rate: Double, isDecayed: Bool = false
  ) -> Finding {
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
    let decay =
      isDecayed
      ? " The gap is that of the loss with the weight decay as a penalty, above its own minimum."
      : nil
    return Finding(
      id: "noise-floor",
      sentence:
        "With batches of \(Wording.count(batches.batch, "sample")), "
        + "\(isShuffled ? "shuffled" : "drawn with replacement"), the rate \(Wording.number(rate)) settles at "
        + "\(isEstimate ? "about " : "")a mean loss gap of \(place)\(share)"
        + (batches.basis == .leastSquares
          ? "." : ", by the bowl that fits the loss at the minimum.") + (decay ?? "")
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
    guard !batches.isWhole else { return nil }
    var parts: [String] = []
    let count = Wording.count(batches.batch, "sample")
    if let limit = batches.limit, let double = batches.doubled,
      let own = batches.limits.first(where: { $0.batch == batches.batch })?.limit
    {
      let gain = double.limit / own
      let allowed = "Batches of \(count) allow rates up to \(Wording.number(limit))"
      if let other = batches.limitWithoutLast, let last = batches.lastBatch {
        parts.append(
          "\(allowed): the last one of a pass, of \(Wording.count(last, "sample")), lowers that from "
            + "\(Wording.number(other)).")
      } else {
        parts.append(
          "\(allowed); twice as many samples allow "
            + (gain < 1.05
              ? "hardly more." : "\(Wording.number(gain, digits: 2)) times that."))
      }
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
    if let sentence = batches.noiseSentence { parts.append(sentence) }
    if let sentence = batches.largerBatchSentence { parts.append(sentence) }
    guard !parts.isEmpty else { return nil }
    let larger = batches.trial(.largerBatch)
    return Finding(
      id: "batch-size", sentence: parts.joined(separator: " "),
      evidence: [
        "batch": .integer(batches.batch), "limit": number(orMissing: batches.limit),
        "limitOfTwice": number(orMissing: batches.doubled?.limit),
        "limitWithoutLast": number(orMissing: batches.limitWithoutLast),
        "halfLimitBatch": number(orMissing: batches.halfLimitBatch),
        "noiseScale": number(orMissing: batches.noiseScale),
        "noiseBatch": number(orMissing: batches.noiseBatch),
        "largerBatch": larger.map { .integer($0.batch) } ?? .missing,
        "rateOfLargerBatch": number(orMissing: larger?.rate),
      ])
  }

  /// What the given training came to in batches, and the changes to it that were run beside it.
  public static func batchTrials(_ given: MiniBatches) -> Finding? {
    let batches = given.inShares
    guard let own = batches.trial(.asGiven), batches.trials.count > 1 else { return nil }
    let others = batches.trials.filter { $0.change != .asGiven }
    let measure = "mean \(batches.isToldByLoss ? "loss" : "share of the loss gap")"
    let length =
      Wording.passes(own.passes)
      + (own.seeds.map { $0 > 1 ? " in each of \($0) orders" : "" } ?? "")
    let yours = own.outcome("diverged")
    let foretold =
      own.predicted.flatMap { predicted in
        own.measured == nil ? nil : " (\(Wording.number(predicted)) was predicted for yours)"
      } ?? ""
    let sentence: String
    let best: MiniBatches.Trial?
    if let lowest = others.first, lowest.isLower(than: own) {
      best = lowest
      // What the next came to as well is no reason to choose.
      let ties = others.dropFirst().filter { $0.isLower(than: own) && !lowest.isLower(than: $0) }
      sentence =
        "training \(lowest.words) came lowest, to a \(measure) of \(lowest.outcome("diverged"))"
        + (ties.isEmpty
          ? ""
          : ", no lower than \(Wording.list(ties.map { "\($0.words) (\($0.outcome("diverged")))" })) "
            + "by the spread")
        + (own.measured == nil
          ? ", and as you have it it diverged" : ", and as you have it to \(yours)")
    } else if own.measured == nil {
      best = nil
      sentence = "every training diverged, as you have it and changed"
    } else if others.allSatisfy({ own.isLower(than: $0) }), let next = others.first {
      best = own
      sentence =
        "training as you have it came lowest, to a \(measure) of \(yours); \(next.words) it "
        + (next.measured == nil ? "diverged" : "came to \(next.outcome("diverged"))")
    } else {
      best = nil
      sentence =
        "no change came lower than training as you have it, with a \(measure) of \(yours), by more than "
        + "the spread"
    }
    return Finding(
      id: "batch-trials",
      sentence:
        "Of your training and changes to its rate and batch, run in batches from here for \(length), "
        + "\(sentence)\(foretold).",
      evidence: [
        "best": best.map { .text($0.change.rawValue) } ?? .missing,
        "lowest": number(orMissing: given.trials.first?.measured),
        "lowestError": number(orMissing: given.trials.first?.error),
        "asGiven": number(orMissing: given.trial(.asGiven)?.measured),
        "asGivenError": number(orMissing: given.trial(.asGiven)?.error),
        "asGivenPredicted": number(orMissing: given.trial(.asGiven)?.predicted),
        "passes": .integer(own.passes),
        "seeds": own.seeds.map { .integer($0) } ?? .missing,
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
        "What binds now is the noise of the batches, not the curvature: "
        + ((batches.floor?.relative ?? 0) >= 0.1
          ? "the loss is within ten times of what \(number) settles at."
          : "runs from here came down to what \(number) settles at.")
        + " \(batches.loweredFloors)"
    case .sharpness where rate >= limit:
      sentence =
        "What binds is the sharpness: on all samples at once \(number) is above the limit too. Lower the rate "
        + "below \(Wording.number(limit))\(batches.isWhole ? "" : ", that of these batches")."
    case .sharpness:
      sentence =
        "What binds now is the sharpness: \(number) is \(Wording.number(rate / limit, digits: 2)) of the limit "
        + "\(Wording.number(limit)) \(batches.isWhole ? "of all samples" : "of these batches")"
        + "\(batches.floor == nil ? "" : ", while the loss is far above its noise floor")."
    case .conditioning:
      sentence =
        "What binds now is the conditioning\(condition.map { " (\(Wording.number($0)))" } ?? ""): "
        + "\(number) is \(Wording.number(rate / limit, digits: 2)) of the limit \(Wording.number(limit)), which "
        + "sharp directions\(batches.isWhole ? "" : " and noise") set, and flat directions want far more."
    case .rate:
      sentence =
        "Neither sharpness nor noise binds yet: \(number) is \(Wording.number(rate / limit, digits: 2)) of the "
        + "limit \(Wording.number(limit)) of these batches, and training "
        + "\((batches.trial(.halfOfLimit) ?? batches.trial(.largerRate))?.words ?? "faster") ended lower when run."
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
