import LinearMaps

/// One of the runs of a sweep: where it starts, its learning rate, and the batches that it takes.
public struct SweepLane<Scalar: LinearMapScalar>: Sendable {
  /// The learning rate that the schedule is asked with.
  public var rate: Double
  public var start: [Scalar]
  /// Nil for all samples in every step.
  public var batches: Batches?

  public init(rate: Double, start: [Scalar], batches: Batches? = nil) {
    self.rate = rate
    self.start = start
    self.batches = batches
  }
}

/// How a lane went.
public struct LaneCourse<Scalar: LinearMapScalar>: Sendable {
  public var rate: Double
  /// After the last step that was finite.
  public var parameters: [Scalar]
  /// The loss of each step's samples before the step, as far as all was finite.
  public var losses: [Double]
  /// The step, counted from 0, before which loss or gradient was not finite; nil where all steps were
  /// taken.
  public var brokenAt: Int?
}
