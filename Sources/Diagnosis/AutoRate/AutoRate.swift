import Presentation

/// A learning rate for an optimizer, a batch, a schedule and a number of steps: what `--lr auto` stands for.
public struct AutoRate: Sendable, Equatable, Codable {
  /// One of `candidates`: that of the least loss, of several equal to rounding the middle one; among batches the
  /// least of those run in further orders that never ended above the start.
  public var rate: Double
  /// Those of `candidates` around the rate that lose against it no more than a hundredth of the way down from the
  /// start end here.
  public var lower: Double
  public var upper: Double
  /// What curvature and gradient noise at the start lead to expect; nil where the optimizer's limit is not
  /// known there.
  public var expected: Double?
  /// The largest stable rate by the curvature at the start.
  public var limit: Double?
  /// The largest eigenvalue that the limit rests on.
  public var sharpness: Double?
  /// The variance of the batches' gradients over the squared gradient, at the start; nil for all samples.
  public var noise: Double?
  /// Steps of each short run, and how many orders of the batches every rate was run with; the best have four more.
  public var steps: Int
  public var orders: Int
  /// What was run, ascending.
  public var candidates: [Candidate]
  /// What the rate rests on, with the numbers.
  public var sentence: String

  /// The most that rates of the interval lose, of the way down from the start.
  public static let share = 0.01

  public struct Candidate: Sendable, Equatable, Codable {
    public var rate: Double
    /// The mean loss over all samples at the end of its short runs; nil where one was not finite.
    public var loss: Double?
  }
}

/// A rate, or why there is none.
public enum AutoRateAnswer: Sendable, Equatable {
  case rate(AutoRate)
  /// One sentence, and what to do instead.
  case refused(String)
}
