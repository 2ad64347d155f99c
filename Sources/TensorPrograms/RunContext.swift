/// Where a piece of work is, for a line of progress.
public struct RunProgress: Sendable, Equatable {
  /// "reading wine.csv", "curvature", "trial: momentum".
  public let stage: String
  /// The part of the stage that is done, in `0...1`; nil where unknown.
  public let fraction: Double?

  public init(stage: String, fraction: Double? = nil) {
    self.stage = stage
    self.fraction = fraction
  }
}

/// What a long piece of work tells its caller and is told by it: handed down from the request to losses,
/// executors and trials.
public struct RunContext: Sendable {
  /// Told where the work is.
  public let progress: @Sendable (RunProgress) -> Void
  /// Asked often; once true, work stops soon, and what was measured so far is returned.
  public let isCancelled: @Sendable () -> Bool

  public init(
    progress: @escaping @Sendable (RunProgress) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.progress = progress
    self.isCancelled = isCancelled
  }

  /// Cancelled with the task that the work runs in.
  public static var task: RunContext { RunContext(isCancelled: { Task.isCancelled }) }

  public func report(_ stage: String, fraction: Double? = nil) {
    progress(RunProgress(stage: stage, fraction: fraction))
  }

  /// - Throws: `CancellationError` once the work is cancelled.
  public func checkCancellation() throws {
    if isCancelled() { throw CancellationError() }
  }
}
