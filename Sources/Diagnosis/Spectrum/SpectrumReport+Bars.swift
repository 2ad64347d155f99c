import LinearMaps
import Presentation

extension SpectrumReport {
  /// Whether an eigenvalue cannot be told from zero.
  package func countsAsZero(_ eigenvalue: Double) -> Bool { abs(eigenvalue) <= zeroThreshold ?? 0 }

  /// The share of the eigenvalues between two edges.
  package struct Bar {
    package var left: Double
    package var right: Double
    /// 0 where it is below a tenth of one eigenvalue.
    package var share: Double
    /// Where the share lies, but for the failure probability of the distribution; nil for an estimate that
    /// nothing bounds.
    package var interval: SpectralDensity.Interval?
  }

  /// The distribution as bars of equal width; empty without one.
  package var bars: [Bar] {
    guard let distribution = density?.distribution else { return [] }
    let n = Double(self.operator.dimension)
    return bars(distribution).map { bar in
      var bar = bar
      if bar.share < 0.1 / n { bar.share = 0 }
      if bar.interval == nil, distribution.probes == 0 {
        bar.interval = .init(lower: bar.share, upper: bar.share)
      }
      return bar
    }
  }

  private func bars(_ distribution: SpectralDensity) -> [Bar] {
    let edges = distribution.splits.dropFirst()
    // The outermost nodes may stand for what lies at the ends of the spectrum: take what is known of it.
    let low =
      edges.first?.at ?? smallest.first?.value
      ?? max(distribution.nodes.first!, distribution.lower)
    let high =
      edges.last?.at ?? largest.first?.value
      ?? min(distribution.nodes.last!, distribution.upper)
    let count = high > low ? Density.bins : 1
    let width = (high - low) / Double(count)
    let isSampled = distribution.probes > 0 && edges.count == count + 1
    return (0..<count).map { bin in
      let (left, right) = (low + Double(bin) * width, low + Double(bin + 1) * width)
      let (isFirst, isLast) = (bin == 0, bin == count - 1)
      let below = isFirst ? 0 : distribution.cumulative(at: left)
      let share = (isLast ? 1 : distribution.cumulative(at: right)) - below
      guard isSampled else { return Bar(left: left, right: right, share: share) }
      // All that lies beyond the outermost edges is in the outermost bars.
      let before = isFirst ? .init(lower: 0, upper: 0) : distribution.splits[bin + 1].share
      let upTo = isLast ? .init(lower: 1, upper: 1) : distribution.splits[bin + 2].share
      let interval = SpectralDensity.Interval(
        lower: max(0, upTo.lower - before.upper), upper: max(0, upTo.upper - before.lower))
      return Bar(
        left: left, right: right, share: min(max(share, interval.lower), interval.upper),
        interval: interval)
    }
  }
}

extension SpectrumReport.Density {
  /// What can be told of the signs of the eigenvalues, in a sentence or two.
  package var signs: String {
    let (share, part) = (negativeShareInterval, negativeCurvatureShareInterval)
    let risk =
      distribution.probes > 0
      ? ", but for a chance of \(Wording.number(distribution.failureProbability))" : ""
    if share.upper == 0 { return "None of the eigenvalues is below zero." }
    // Near zero nothing tells the signs.
    guard share.width < 0.9 else {
      return
        "How many eigenvalues are below zero cannot be told: too many lie near it."
        + (part.upper < 0.5
          ? " They hold at most \(NumberFormat.percent.text(part.upper)) of the curvature\(risk)."
          : "")
    }
    let curvature = part.width < 0.9 ? ", with \(percent(part)) of the curvature" : ""
    return "\(percent(share)) of the eigenvalues are below zero\(curvature)"
      + (share.width > 0 || part.width > 0 ? risk : "") + "."
  }

  private func percent(_ interval: SpectralDensity.Interval) -> String {
    NumberFormat.percent.text(interval.lower, to: interval.upper)
  }
}
