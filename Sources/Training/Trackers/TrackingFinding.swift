import Foundation
import Presentation

extension TrackingSummary.Series {
  /// Its part as a sentence names it.
  fileprivate var layer: String? { part.map { TrackedValue.words(ofPart: $0) } }
}

extension TrackedValue {
  /// A part as a person is told of it: models name their layers by numbers alone at times.
  package static func words(ofPart part: String) -> String {
    part.allSatisfy(\.isNumber) ? "layer \(part)" : part
  }
}

/// What trackers found over a run: a sentence and the numbers it rests on.
public struct TrackingFinding: Sendable, Equatable, Codable {
  public var id: String
  public var sentence: String
  public var values: [String: Double]
}

extension TrackingSummary {
  /// What the checks say, in sentences.
  ///
  /// - Parameters:
  ///   - batchSize: samples of a step, where the batch from which more stop helping is compared with it.
  ///   - isHealthy: whether the run raised no alarm and ended below its start: a run that is being lost is at no
  ///     edge of stability, wherever its sharpness lies.
  public func findings(batchSize: Int? = nil, isHealthy: Bool = true) -> [TrackingFinding] {
    [
      limits("sharpness", isHealthy), limits("preconditioned-sharpness", isHealthy), flagged,
      oscillation, gradients,
      speeds, dead, noise(batchSize), truncation,
    ].compactMap { $0 }
  }

  private func limits(_ name: String, _ isHealthy: Bool) -> TrackingFinding? {
    guard let series = all(name).first, let limits = series.limits else { return nil }
    let words = name.replacing("-", with: " ")
    let values = ["last": limits.last, "most": limits.most, "mean": limits.mean]
    guard let crossing = limits.crossing else {
      return TrackingFinding(
        id: "below-the-limit",
        sentence: "The \(words) stayed below the limit of the rate: at most "
          + "\(Wording.number(limits.most)) times it, \(Wording.number(limits.last)) at the last of "
          + "\(Wording.count(series.checks, "check")).", values: values)
    }
    // Where the run has gone back from all checks since, there is no more to say.
    let range =
      limits.checks == 0
      ? "\(Wording.number(limits.most)) times the limit at the most, which the run has gone back from"
      : "\(Wording.number(limits.least)) to \(Wording.number(limits.highest)) times the limit in "
        + "\(Wording.count(limits.checks, "check")) from there on"
        + (wentBack ? " that the run has not gone back from" : "")
        + ", \(Wording.number(limits.mean)) in the mean over its steps"
    // A sharpness that never changes, as on a quadratic, sits nowhere.
    let moves = series.least < 0.98 * series.most
    let sits =
      isHealthy && moves && limits.checks >= 5 && abs(limits.mean - 1) <= 0.15 && limits.last > 0.85
    return TrackingFinding(
      id: sits ? "edge-of-stability" : "crossed-the-limit",
      sentence:
        "The \(words) was first over the limit of the rate at step \(Wording.count(crossing)), and "
        + range
        + (sits
          ? ": the run sits at the edge of stability, as healthy runs on all samples do."
          : limits.checks == 0
            ? "."
            : limits.last > 1
              ? "; at the last check it was over it, \(Wording.number(limits.last)) times."
              : "; at the last check it was below again, \(Wording.number(limits.last)) times."),
      values: values)
  }

  private var flagged: TrackingFinding? {
    let looks = all("sharpness") + all("preconditioned-sharpness")
    let (checks, unreliable) = (
      looks.reduce(0) { $0 + $1.checks }, looks.reduce(0) { $0 + $1.unreliable }
    )
    guard unreliable > 0 else { return nil }
    return TrackingFinding(
      id: "unreliable-checks",
      sentence:
        "\(Wording.count(unreliable)) of \(Wording.count(checks, "check")) of the sharpness ended with a "
        + "residual above 10 % of the value: some eigenvalue is that near, the largest may be higher.",
      values: ["unreliable": Double(unreliable), "checks": Double(checks)])
  }

  private var oscillation: TrackingFinding? {
    guard let series = all("oscillation").first, series.last < -0.5 else { return nil }
    return TrackingFinding(
      id: "oscillation",
      sentence:
        "Along the sharpest direction steps go from side to side: the last that was looked at multiplied "
        + "the slope there by \(Wording.number(series.last)).", values: ["last": series.last])
  }

  /// Geometric means over the checks, from the first layer to the last.
  private var gradients: TrackingFinding? {
    let norms = all("gradient-norm")
    guard norms.count >= 3, let first = norms.first?.typical, let last = norms.last?.typical else {
      return nil
    }
    let perLayer = pow(first / last, 1 / Double(norms.count - 1))
    guard first < 1e-3 * last || first > 1e3 * last else { return nil }
    let vanishing = first < last
    return TrackingFinding(
      id: vanishing ? "vanishing-gradients" : "exploding-gradients",
      sentence:
        "Gradients \(vanishing ? "vanish" : "explode") towards the input: over the checks the norm is "
        + "\(Wording.number(first)) in \(norms[0].layer ?? "the first layer") and \(Wording.number(last)) in "
        + "\(norms[norms.count - 1].layer ?? "the last"), \(Wording.number(perLayer)) times from each of "
        + "\(norms.count) layers to the one before.",
      values: ["first": first, "last": last, "perLayer": perLayer])
  }

  private var speeds: TrackingFinding? {
    let ratios = all("update-to-weight").compactMap { series in series.typical.map { (series, $0) }
    }
    guard let fast = ratios.max(by: { $0.1 < $1.1 }), let slow = ratios.min(by: { $0.1 < $1.1 }),
      fast.1 > 100 * slow.1
    else { return nil }
    return TrackingFinding(
      id: "layers-at-different-speeds",
      sentence:
        "Layers learn at different speeds: a step moves \(fast.0.layer ?? "the fastest") by "
        + "\(Wording.number(fast.1)) of its size and \(slow.0.layer ?? "the slowest") by "
        + "\(Wording.number(slow.1)); a rate for each would even that out.",
      values: ["fastest": fast.1, "slowest": slow.1])
  }

  private var dead: TrackingFinding? {
    guard let worst = all("dead-units").max(by: { $0.last < $1.last }), worst.last > 0.1 else {
      return nil
    }
    return TrackingFinding(
      id: "dead-units",
      sentence:
        "At the \(worst.checks == 1 ? "one" : "last") check \(Wording.number(100 * worst.last)) % of the units of "
        + "\(worst.layer ?? "a layer") had a gradient of zero over all tracked samples"
        + (worst.first < worst.last
          ? ", \(Wording.number(100 * worst.first)) % at the first: they do not learn."
          : ": they do not learn."),
      values: ["share": worst.last, "first": worst.first])
  }

  private func noise(_ batchSize: Int?) -> TrackingFinding? {
    guard let series = all("critical-batch-size").first, let typical = series.typical else {
      return nil
    }
    let sure = series.unreliable * 2 < series.checks
    return TrackingFinding(
      id: "critical-batch-size",
      sentence:
        noiseScale
        + "At batches of \(sure ? "about" : "more than") \(Wording.number(typical)) samples half of a step's "
        + "gain is lost to noise, \(Wording.number(series.last)) at the last check; far beyond, more samples stop "
        + "helping."
        + (batchSize.map { " Yours has \(Wording.count($0))." } ?? ""),
      values: ["typical": typical, "last": series.last])
  }

  private var noiseScale: String {
    guard let scale = all("gradient-noise-scale").first?.typical else { return "" }
    return
      "At batches of \(Wording.number(scale)) samples the noise of the gradient is as long as the gradient "
      + "(gradient-noise-scale); what counts for the loss is that along the curvature (critical-batch-size). "
  }

  private var truncation: TrackingFinding? {
    guard let error = all("truncation-error").first,
      let foretold = all("truncation-foretold").first, foretold.last != 0,
      error.unreliable < error.checks
    else { return nil }
    let ratio = error.last / foretold.last
    return TrackingFinding(
      id: "truncation-error",
      sentence:
        "The loss after the last step that was looked at was \(Wording.number(abs(error.last))) "
        + "\(error.last < 0 ? "lower" : "higher") than the slope before it promises; with the curvature there it "
        + "would be \(Wording.number(abs(foretold.last))) \(foretold.last < 0 ? "lower" : "higher")"
        + (abs(ratio - 1) > 0.5
          ? ": the loss is no quadratic over a step of that length."
          : ", so that over a step of that length the loss is nearly a quadratic."),
      values: ["measured": error.last, "foretold": foretold.last])
  }
}
