import TensorPrograms

/// An update rule as a tensor program, so that a whole training step runs in one call, on any executor,
/// and can be batched over rates.
public protocol Optimizer: Sendable {
  /// The name on the command line.
  var name: String { get }

  /// One line: the update formula.
  var formula: String { get }

  /// State tensors kept per parameter, each of the parameter's shape and zero at the start.
  var stateCount: Int { get }

  /// One step.
  ///
  /// - Parameters:
  ///   - parameter: the current value.
  ///   - gradient: of the loss at it.
  ///   - state: `stateCount` values of the parameter's shape.
  ///   - rate: the learning rate, a scalar.
  ///   - step: 1 for the first step, a scalar.
  func update(
    parameter: Traced, gradient: Traced, state: [Traced], rate: Traced, step: Traced
  ) -> (parameter: Traced, state: [Traced])
}

/// The optimizers a person can name; the command line and the docs read this list.
public enum OptimizerCatalogue {
  public static let all: [any Optimizer] = [GradientDescent(), Momentum(), Adam()]

  public static func named(_ name: String) -> (any Optimizer)? { all.first { $0.name == name } }
}
