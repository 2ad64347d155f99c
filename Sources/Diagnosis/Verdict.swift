/// The verdict on a learning rate, from its ratio to the stability limit of its optimizer.
///
/// | verdict | rate / limit | descent: rate times sharpness |
/// |---|---|---|
/// | `unstable` | 1 and above | 2 and above |
/// | `no-stable-rate` | below 1, but some curvature is negative | |
/// | `oscillating` | above 0.5 | above 1: the sharpest direction is overshot at every step |
/// | `stable` | 0.05 to 0.5 | 0.1 to 1 |
/// | `slow` | below 0.05 | below 0.1: too small for every direction |
///
/// With momentum `b`, Adam's `beta1` included, `slow` begins below `0.05 (1 - b) / (1 + b)`.
public enum Verdict: String, Sendable, Codable, CaseIterable {
  case slow
  case stable
  case oscillating
  case unstable
  case noStableRate = "no-stable-rate"

  /// Below this fraction of the limit a rate of plain descent is slow.
  public static let slowBelow = 0.05
  /// Above this fraction of the limit a rate oscillates.
  public static let oscillatingAbove = 0.5

  /// Nil where the limit is not known and no curvature is negative.
  public init?(
    rate: Double, limit: Double?, indefinite: Bool, slowBelow: Double = Verdict.slowBelow
  ) {
    guard let limit else {
      if indefinite {
        self = .noStableRate
        return
      }
      return nil
    }
    let fraction = rate / limit
    if fraction >= 1 {
      self = .unstable
    } else if indefinite {
      self = .noStableRate
    } else if fraction > Self.oscillatingAbove {
      self = .oscillating
    } else {
      self = fraction < slowBelow ? .slow : .stable
    }
  }
}
