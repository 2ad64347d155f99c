import LinearMaps

/// A trainer as it stands between two steps, complete: one that is restored from it goes on bit for bit.
public struct TrainerState<Scalar: LinearMapScalar>: Sendable, Equatable {
  public var run: TrainingState<Scalar>
  public var memories: TrainerMemories<Scalar>
  /// How the run ended; nil while there is more to do.
  public var ending: TrainingEnding?
}

/// All that a trainer remembers beside the run.
public struct TrainerMemories<Scalar: LinearMapScalar>: Sendable, Equatable {
  /// `Schedule.memory`.
  public var schedule: [Double] = []
  /// One per tracker.
  public var trackers: [TrackerMemory] = []
  /// What measuring for the schedule keeps from one time to the next.
  public var measuring = TrackerMemory()
  /// `RunGuard.memory`; nil where nothing is watched.
  public var watch: [Double]?
  /// The rate that the schedule starts from.
  public var rate: Double?
  /// What alarms made of the rate.
  public var rateFactor = 1.0
  /// The sum of the losses since the last evaluation, and of how many steps.
  public var lossSum = 0.0
  public var lossCount = 0
  public var stopping: EarlyStopping<Scalar>?
  public var history = TrainingHistory()
  /// What belongs to the points that the guard keeps.
  public var kept: [KeptPoint] = []
}

/// What a guard's point is put back with, beside parameters and the optimizer's tensors.
public struct KeptPoint: Sendable, Equatable, Codable {
  /// Steps taken before it.
  public var step: Int
  /// Updates that the optimizer's state held.
  public var updates: Int
  /// `Schedule.memory`.
  public var schedule: [Double]
  /// What the checks had come to beside their limits, in the order of the summary's series.
  public var limits: [TrackingSummary.Limits?]
}

/// Where a trainer keeps itself.
public struct CheckpointKeeping<Scalar: LinearMapScalar> {
  /// Steps between two checkpoints; beside them there is one at the end.
  public var period: Int
  /// Keeps a state, whole or not at all.
  ///
  /// - Returns: the place, for the log.
  public var keep: (TrainerState<Scalar>) throws -> String

  /// - Precondition: a period of 1 or more.
  public init(every period: Int, _ keep: @escaping (TrainerState<Scalar>) throws -> String) {
    precondition(period >= 1, "a checkpoint every \(period) steps")
    self.period = period
    self.keep = keep
  }
}
