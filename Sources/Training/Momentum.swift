import TensorPrograms

/// Heavy-ball momentum `v <- beta v + g`, `x <- x - eta v`, at rest in the beginning.
///
/// Stable on a quadratic for `eta lambda < 2 + 2 beta`.
/// Reference: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
public struct Momentum: Optimizer {
  public let name = "momentum"
  public let formula = "v <- beta v + g; x <- x - rate v"
  public let stateCount = 1
  /// The share of the velocity that a step keeps, in [0, 1); 0.9 as in PyTorch's examples.
  public var beta: Double

  public init(beta: Double = 0.9) {
    precondition(0 <= beta && beta < 1, "momentum \(beta) is outside of [0, 1)")
    self.beta = beta
  }

  public func update(
    parameter: Traced, gradient: Traced, state: [Traced], rate: Traced, step: Traced
  ) -> (parameter: Traced, state: [Traced]) {
    let velocity = state[0] * beta + gradient
    return (parameter - rate * velocity, [velocity])
  }
}
