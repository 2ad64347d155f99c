/// What a run tells while it goes on, in order; logs, progress and pictures are views of it.
public enum TrainingEvent: Sendable, Equatable {
  /// A step was taken.
  case step(StepRecord)
  /// Trackers looked at the run before a step.
  case tracked(TrackingRecord)
  /// An alarm, and what was done about it.
  case alarm(step: Int, GuardAlarm)
  /// The run is over.
  case ended(step: Int, TrainingEnding)
}

/// A step as a log keeps it.
public struct StepRecord: Sendable, Equatable, Codable {
  /// Counted from 0.
  public var step: Int
  /// Passes over the samples that were whole before it.
  public var pass: Int
  public var loss: Double
  public var gradientNorm: Double
  public var rate: Double
}

/// A check of all trackers that were due before a step.
public struct TrackingRecord: Sendable, Equatable, Codable {
  public var step: Int
  public var values: [TrackedValue]
  /// What the checks cost, in gradients of a training step; floating-point operations over those of a step.
  public var gradients: Double
  /// Their time; shown, never decided by.
  public var seconds: Double
}

/// How a run came to its end.
public struct TrainingEnding: Sendable, Equatable, Codable {
  public enum Reason: String, Sendable, Codable, CaseIterable {
    /// All steps that were asked for.
    case finished
    /// The method says so: `StepEnding`.
    case method
    /// `GuardAction.stop`.
    case alarm
    /// The held-out loss has not fallen for as long as was allowed.
    case earlyStop = "early-stop"
    /// The loss is not finite.
    case nonFinite = "non-finite"
    case interrupted
  }

  public var reason: Reason
  /// What happened, with its numbers, and what to do next.
  public var sentence: String

  public init(_ reason: Reason, _ sentence: String) {
    self.reason = reason
    self.sentence = sentence
  }
}
