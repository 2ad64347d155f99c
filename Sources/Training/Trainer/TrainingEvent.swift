/// What a run tells while it goes on, in order; logs, progress and pictures are views of it.
public enum TrainingEvent: Sendable, Equatable {
  /// The run begins, or goes on, after so many steps.
  case started(step: Int, stepCount: Int, stepsPerPass: Int)
  /// A step was taken.
  case step(StepRecord)
  /// Trackers looked at the run before a step.
  case tracked(TrackingRecord)
  /// Something that the run measured or decided by itself, as the change to another method.
  case noted(StepNote)
  /// An alarm, and what was done about it.
  case alarm(step: Int, GuardAlarm)
  /// Losses and metrics over whole data sets, at the end of a pass.
  case evaluated(TrainingEvaluation)
  /// The run as it stands was kept, at a place.
  case kept(step: Int, place: String)
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
  /// NaN where nobody knows it.
  public var gradientNorm: Double
  public var rate: Double

  public init(step: Int, pass: Int, loss: Double, gradientNorm: Double, rate: Double) {
    self.step = step
    self.pass = pass
    self.loss = loss
    self.gradientNorm = gradientNorm
    self.rate = rate
  }
}

/// A check of all trackers that were due before a step.
public struct TrackingRecord: Sendable, Equatable, Codable {
  public var step: Int
  public var values: [TrackedValue]
  /// What the checks cost, in gradients of a training step; floating-point operations over those of a step.
  public var gradients: Double
  /// Their time; shown, never decided by.
  public var seconds: Double
  /// What each tracker had of both, in the order of the run's trackers.
  public var costs: [TrackerCost]

  public init(
    step: Int, values: [TrackedValue], gradients: Double, seconds: Double,
    costs: [TrackerCost] = []
  ) {
    self.step = step
    self.values = values
    self.gradients = gradients
    self.seconds = seconds
    self.costs = costs
  }
}

/// What a check of one tracker cost.
public struct TrackerCost: Sendable, Equatable, Codable {
  public var tracker: String
  /// In gradients of a training step.
  public var gradients: Double
  /// Shown, never decided by.
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
    /// All steps are taken, and the loss is above that of the start.
    case worse
    /// The loss is not finite.
    case nonFinite = "non-finite"
    case interrupted
  }

  public var reason: Reason
  /// What happened, with its numbers, and what to do next.
  public var sentence: String
  /// Why the method ended, where it did.
  public var method: StepEnding.Reason?

  public init(_ reason: Reason, _ sentence: String, method: StepEnding.Reason? = nil) {
    self.reason = reason
    self.sentence = sentence
    self.method = method
  }
}
