import Curvature
import LinearMaps
import TensorPrograms

/// A state moved step by step over a loss by an optimizer, on all samples.
///
/// Where the samples fit one batch, loss, gradient and update are one program, run in place between two
/// copies of the state.
public final class TrainingRun<Scalar: LinearMapScalar> {
  public let objective: Objective<Scalar>
  public let optimizer: any Optimizer
  /// The learning rate of the next step; may change from step to step.
  public var rate: Double
  public private(set) var stepCount = 0

  private let dimension: Int
  /// Two copies of parameters and state slots; `current` names the one that holds the present.
  private let memory: [UnsafeMutablePointer<Scalar>]
  private var current = 0
  /// rate, step, loss, squared gradient norm.
  private let scalars: UnsafeMutablePointer<Scalar>
  private let steps: [any PreparedRun]
  /// Floating-point operations of one step, counted from shapes.
  public let operationsPerStep: Double
  /// Equations that one step dispatches.
  public let equationsPerStep: Int

  /// - Parameter state: one flat vector per state slot; zeros by default.
  /// - Throws: what tracing and compiling throw.
  public init(
    _ objective: Objective<Scalar>, _ optimizer: any Optimizer, rate: Double, from start: [Scalar],
    state: [[Scalar]]? = nil
  ) throws {
    precondition(start.count == objective.parameterCount, "the start does not fit the objective")
    self.objective = objective
    self.optimizer = optimizer
    self.rate = rate
    dimension = start.count
    let slots = 1 + optimizer.stateCount
    let state = state ?? .init(repeating: .init(repeating: 0, count: dimension), count: slots - 1)
    precondition(state.count == slots - 1, "\(optimizer.name) keeps \(slots - 1) state vectors")
    memory = (0..<2).map { _ in .allocate(capacity: slots * start.count) }
    scalars = .allocate(capacity: 4)
    scalars.initialize(repeating: 0, count: 4)
    for copy in memory {
      for (slot, values) in ([start] + state).enumerated() {
        values.withUnsafeBufferPointer {
          (copy + slot * start.count).initialize(from: $0.baseAddress!, count: start.count)
        }
      }
    }
    do {
      (steps, operationsPerStep, equationsPerStep) = try objective.preparedSteps(
        stateCount: optimizer.stateCount, memory: memory, scalars: scalars,
        update: optimizer.update)
    } catch {
      // An initialiser that throws runs no deinit.
      for copy in memory { copy.deallocate() }
      scalars.deallocate()
      throw error
    }
  }

  deinit {
    for copy in memory { copy.deallocate() }
    scalars.deallocate()
  }

  public var parameters: [Scalar] {
    Array(UnsafeBufferPointer(start: memory[current], count: dimension))
  }

  /// The parameters before the last step, those whose loss it returned.
  public var previousParameters: [Scalar] {
    Array(UnsafeBufferPointer(start: memory[1 - current], count: dimension))
  }

  /// State slot `slot` of the optimizer, flat.
  public func state(_ slot: Int) -> [Scalar] {
    Array(UnsafeBufferPointer(start: memory[current] + (1 + slot) * dimension, count: dimension))
  }

  /// Takes one step.
  ///
  /// - Returns: the loss and the gradient norm at the point *before* the step.
  /// - Throws: what the executor throws, among it `CancellationError`.
  @discardableResult
  public func step() throws -> (loss: Double, gradientNorm: Double) {
    scalars[0] = Scalar(rate)
    scalars[1] = Scalar(stepCount + 1)
    try steps[current].run()
    objective.count(operationsPerStep)
    current = 1 - current
    stepCount += 1
    return (Double(scalars[2]), Double(scalars[3]).squareRoot())
  }
}
