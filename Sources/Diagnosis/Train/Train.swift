import Curvature
import LinearMaps
import Logging
import TensorPrograms
import Training

/// What goes into a training run beside its problem.
public struct TrainingSurroundings {
  public var executor: any Executor
  public var context: RunContext
  /// Where checkpoints are kept; nil for nowhere.
  public var store: (any CheckpointStore)?
  /// Arrays of factors of the rate, by the names of parameters.
  public var rateFactors: [String: Tensor]
  /// Told alarms, checkpoints and the end.
  public var logger: Logger?
  /// Told what happens, in order.
  public var event: (TrainingEvent) throws -> Void

  public init(
    executor: any Executor, context: RunContext = RunContext(),
    store: (any CheckpointStore)? = nil, rateFactors: [String: Tensor] = [:],
    logger: Logger? = nil, event: @escaping (TrainingEvent) throws -> Void = { _ in }
  ) {
    self.executor = executor
    self.context = context
    self.store = store
    self.rateFactors = rateFactors
    self.logger = logger
    self.event = event
  }
}

/// Trains a problem as a request says.
///
/// - Parameters:
///   - heldOut: samples of a file of their own; a share of the problem's is split off by the request.
///   - request: its files have been opened already.
/// - Throws: `RequestError`, `CatalogueError`, `DiagnosisFailure`, `TrainingError`; what the executor, the store
///   and `surroundings.event` throw.
public func train(
  _ problem: DiagnosisProblem, heldOut: DiagnosisProblem? = nil, request: TrainingRequest,
  _ surroundings: TrainingSurroundings
) throws -> TrainingResult {
  try request.check()
  switch problem.precision(request.resources) {
  case .float32:
    return try TrainingSession<Float>(problem, heldOut: heldOut, request, surroundings).train()
  case .float64:
    return try TrainingSession<Double>(problem, heldOut: heldOut, request, surroundings).train()
  }
}
