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
///
/// These are for the curvature at one point. On a loss that is no quadratic a run may tell otherwise:
///
/// | verdict | rate / limit | the run |
/// |---|---|---|
/// | `unstable-here-settles` | 1 and above | ended below its start, and stayed below it for the second half |
/// | `stable-here-diverged` | below 1 | diverged |
///
/// Of training on mini-batches:
///
/// | verdict | |
/// |---|---|
/// | `unstable-in-batches` | below 1, but at or above the limit of the batches |
public enum Verdict: String, Sendable, Codable, CaseIterable {
  case slow
  case stable
  case oscillating
  case unstable
  case noStableRate = "no-stable-rate"
  /// Above the limit at this point, and the loss of a run fell all the same.
  case unstableHereSettles = "unstable-here-settles"
  /// Below the limit at this point, and a run diverged all the same.
  case stableHereDiverged = "stable-here-diverged"
  /// Below the limit of all samples, and at or above that of the batches that are trained on.
  case unstableInBatches = "unstable-in-batches"

  /// Below this fraction of the limit a rate of plain descent is slow.
  public static let slowBelow = 0.05
  /// Above this fraction of the limit a rate oscillates.
  public static let oscillatingAbove = 0.5
  /// Rounding of `1 / lambda` alone makes no rate oscillate.
  static let slack = 1e-6

  /// By the limit at one point. Nil where it is not known and no curvature is negative.
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
    } else if fraction > Self.oscillatingAbove * (1 + Self.slack) {
      self = .oscillating
    } else {
      self = fraction < slowBelow ? .slow : .stable
    }
  }
}
