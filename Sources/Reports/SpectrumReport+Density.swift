import Diagnosis
import Foundation
import LinearMaps
import Presentation

extension SpectrumReport {
  /// Bars on a logarithmic scale, since a few outliers are what there is to see. A sampled share comes as
  /// the interval that it lies in.
  func densityLines(_ style: TerminalStyle) -> [String] {
    guard let density else { return [] }
    let distribution = density.distribution
    var lines = [style.paint("Density of the eigenvalues", .bold)]
    lines += style.wrap(
      "Bars show the logarithm of the share; the distribution is within "
        + "\(Wording.number(distribution.wassersteinBound)) (Wasserstein distance) of the true one"
        + (distribution.probes > 0
          ? ", but for a chance of \(Wording.number(distribution.failureProbability))." : "."),
      indent: 2)
    let n = Double(`operator`.dimension)
    let room = max(10, style.width - 40)
    var table = TextTable(columns: ["", "", "", ""], leftAligned: [3])
    for bin in bins(distribution) {
      let share = bin.share < 0.1 / n ? 0 : bin.share
      let height = share > 0 ? max(1 / Double(room), 1 + log10(share) / max(1, log10(n))) : 0
      let figure =
        bin.interval ?? (distribution.probes == 0 ? .init(lower: share, upper: share) : nil)
      table.rows.append([
        Wording.number(bin.left), Wording.number(bin.right),
        share > 0 ? figure.map(percent) ?? "" : "",
        String(repeating: "#", count: Int((height * Double(room)).rounded(.up))),
      ])
    }
    lines += table.lines().rows
    return lines + style.wrap(negativeSentence(density), indent: 2)
  }

  private struct Bin {
    var left: Double
    var right: Double
    var share: Double
    /// Of the share, where it is an estimate.
    var interval: SpectralDensity.Interval?
  }

  private func bins(_ distribution: SpectralDensity) -> [Bin] {
    let edges = distribution.splits.dropFirst()
    // The outermost nodes may stand for what lies at the ends of the spectrum: draw what is known of it.
    let low =
      edges.first?.at ?? smallest.first?.value
      ?? max(
        distribution.nodes.first!, distribution.lower)
    let high =
      edges.last?.at ?? largest.first?.value
      ?? min(
        distribution.nodes.last!, distribution.upper)
    let count = high > low ? Density.bins : 1
    let width = (high - low) / Double(count)
    let isSampled = distribution.probes > 0 && edges.count == count + 1
    return (0..<count).map { bin in
      let (left, right) = (low + Double(bin) * width, low + Double(bin + 1) * width)
      let (isFirst, isLast) = (bin == 0, bin == count - 1)
      let below = isFirst ? 0 : distribution.cumulative(at: left)
      let share = (isLast ? 1 : distribution.cumulative(at: right)) - below
      guard isSampled else { return Bin(left: left, right: right, share: share) }
      // All that lies beyond the outermost edges is in the outermost bars.
      let before = isFirst ? .init(lower: 0, upper: 0) : distribution.splits[bin + 1].share
      let upTo = isLast ? .init(lower: 1, upper: 1) : distribution.splits[bin + 2].share
      let interval = SpectralDensity.Interval(
        lower: max(0, upTo.lower - before.upper), upper: max(0, upTo.upper - before.lower))
      return Bin(
        left: left, right: right, share: min(max(share, interval.lower), interval.upper),
        interval: interval)
    }
  }

  /// `12 %`, or `9 to 13 %`; nothing for a share of 0.
  private func percent(_ interval: SpectralDensity.Interval) -> String {
    let (low, high) = (
      Wording.number(100 * interval.lower), Wording.number(100 * interval.upper)
    )
    return interval.upper == 0 ? "" : low == high ? "\(low) %" : "\(low) to \(high) %"
  }

  private func negativeSentence(_ density: Density) -> String {
    let (share, part) = (density.negativeShareInterval, density.negativeCurvatureShareInterval)
    let risk =
      density.distribution.probes > 0
      ? ", but for a chance of \(Wording.number(density.distribution.failureProbability))" : ""
    if share.upper == 0 {
      return "None of the eigenvalues is below zero."
    }
    // Near zero nothing tells the signs.
    guard share.width < 0.9 else {
      return
        "How many eigenvalues are below zero cannot be told: too many lie near it."
        + (part.upper < 0.5
          ? " They hold at most \(Wording.number(100 * part.upper)) % of the curvature\(risk)."
          : "")
    }
    let curvature =
      part.width < 0.9 ? ", with \(percentOrNone(part)) of the curvature" : ""
    return "\(percentOrNone(share)) of the eigenvalues are below zero\(curvature)"
      + (share.width > 0 || part.width > 0 ? risk : "") + "."
  }

  private func percentOrNone(_ interval: SpectralDensity.Interval) -> String {
    interval.upper == 0 ? "0 %" : percent(interval)
  }
}
