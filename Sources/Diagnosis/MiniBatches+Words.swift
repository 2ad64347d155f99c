import Foundation
import Presentation

extension Wording {
  /// `1 pass`, `12 passes`.
  package static func passes(_ count: Int) -> String {
    "\(Wording.count(count)) pass\(count == 1 ? "" : "es")"
  }
}

/// Parts of the sentences about mini-batches.
extension MiniBatches {
  /// What training at the given rate comes to above the limit: what the mean does, then what single runs do.
  func meaningAboveLimit(_ rate: Double) -> String {
    let passes = passLimit.flatMap { $0 > rate ? $0 : nil }
    let isUnbounded = "The mean of the squared error is unbounded"
    if growsInMostRuns, let growth {
      let perPass = growth.perStep * Double(stepsPerPass)
      let size =
        perPass < 50
        ? ", about \(Wording.number(exp(perPass))) times a pass" : ", many times over in each pass"
      return "\(isUnbounded), and in most runs the error grows\(size)."
        + (run.map { " \($0.outcome)" } ?? "")
    }
    if run?.ranAway == true {
      return "\(isUnbounded)\(passes == nil ? "" : " within passes"), and a run of "
        + "\(Wording.count(run?.steps ?? 0, "step")) from the minimum did not come back from a burst."
    }
    return
      (passes.map {
        "Expect rare bursts: over shuffled passes the mean stays bounded up to about "
          + "\(Wording.number($0)), but within them the loss can rise far above its floor."
      }
      ?? "Expect rare bursts: single runs come back from them, but the mean of their squared error is "
      + "unbounded.") + (run.map { " \($0.outcome)" } ?? "")
  }

  /// How large noise is beside the gradient at the point of diagnosis.
  var noiseSentence: String? {
    guard let scale = noiseBatch ?? noiseScale else { return nil }
    if scale < 1 {
      return "At this point the gradient stands out of the noise already in single samples."
    }
    let number = Wording.number(scale, digits: 2)
    if scale <= Double(batch) {
      return
        "At this point the gradient stands out of the noise from \(number) samples on, fewer than a "
        + "batch has."
    }
    return
      "At this point noise and gradient are equal in size in a batch of \(number) samples: up to there "
      + "a step of a larger batch points better."
  }

  /// The rate that goes with a larger batch, and what a run of both came to.
  var largerBatchSentence: String? {
    guard let larger = trial(.largerBatch), let own = trial(.asGiven), let rate else { return nil }
    let words =
      "Batches of \(larger.batch) go with a rate of about \(Wording.number(larger.rate)), "
      + "\(Wording.number(larger.rate / rate, digits: 2)) times yours"
    let fewer = "in a quarter of the steps"
    if own.measured == nil, larger.measured == nil { return "\(words); both diverged when run." }
    if larger.measured == nil { return "\(words), but diverged when run." }
    if larger.isLower(than: own) { return "\(words), and came lower when run, \(fewer)." }
    if own.isLower(than: larger) {
      return "\(words), and came less far over as many samples when run, \(fewer)."
    }
    return "\(words), and came as far over as many samples when run, \(fewer)."
  }

  /// What lowers the floor, with what half of the rate and twice the batch settle at.
  var loweredFloors: String {
    let lower = (otherFloors ?? []).filter { other in floor.map { other.end < $0.end } ?? false }
    let isLargerLower = lower.contains { $0.batch != batch } || otherFloors == nil
    let advice =
      "Lower the rate in the end\(isLargerLower ? ", or take larger batches" : "")"
    guard let floor, let rate, !lower.isEmpty else { return "\(advice)." }
    let words = lower.map { other in
      let place =
        other.batch == batch ? "at \(Wording.number(other.rate))" : "in batches of \(other.batch)"
      return "\(Wording.number(other.end)) \(place)"
    }
    return "\(advice): \(Wording.list(words)) in place of \(Wording.number(floor.end)) at "
      + "\(Wording.number(rate))."
  }

  /// What is known of the limit on batches where it is that of all samples alone that is measured.
  func limitRemark(_ limit: Double) -> String? {
    guard self.limit == nil, !isWhole else { return nil }
    let count = "batches of \(Wording.count(batch, "sample"))"
    if let bound = limitAtMost {
      return bound < 0.98 * limit
        ? "On \(count) it is at most \(Wording.number(bound)) here, by how much the samples' curvatures differ "
          + "along the sharpest direction."
        : "On \(count) it is lower: along the sharpest direction by hardly anything here, along others by an "
          + "amount that is not known."
    }
    let noise = noiseScale.map { scale in
      " (in them the gradient's noise is \(Wording.number(scale / Double(batch), digits: 2)) times its square "
        + "here)"
    }
    return
      "That is of all samples at once: \(count) lower it by an amount that is not known\(noise ?? "")."
  }
}

extension MiniBatches.Trial {
  /// The change, to be read after "training".
  package var words: String {
    switch change {
    case .asGiven: "as you have it"
    case .halfOfLimit: "at \(Wording.number(rate)), half of the limit,"
    case .largerRate: "at \(Wording.number(rate)), four times yours,"
    case .largerBatch: "in batches of \(batch) at \(Wording.number(rate))"
    case .decayedRate: "at \(Wording.number(rate)), lowered step by step to zero,"
    }
  }

  /// What it came to, with its spread.
  func outcome(_ missing: String) -> String {
    guard let measured else { return missing }
    if isAtRounding { return "0 to rounding" }
    return Wording.number(measured) + (error.map { " ± \(Wording.number($0, digits: 2))" } ?? "")
  }
}

extension MiniBatches.FloorRun {
  /// What a run above the limit came to.
  var outcome: String {
    let place = "A run of \(Wording.count(steps, "step")) from the minimum"
    guard let end, !ranAway else { return "\(place) left for good." }
    return "\(place) stayed finite, at a mean gap of \(Wording.number(end)) at the ends of passes."
  }

  /// The run, and what was foretold for its passes.
  func besidePrediction(_ isShuffled: Bool) -> String {
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
