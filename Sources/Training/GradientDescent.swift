import TensorPrograms

/// `x <- x - eta g`.
public struct GradientDescent: Optimizer {
  public let name = "gd"
  public let formula = "x <- x - rate g"
  public let stateCount = 0

  public init() {}

  public func update(
    parameter: Traced, gradient: Traced, state: [Traced], rate: Traced, step: Traced
  ) -> (parameter: Traced, state: [Traced]) {
    (parameter - rate * gradient, [])
  }
}

/// `x <- x - eta P^-1 g` with a fixed diagonal `P^-1`, given as the initial state.
public struct DiagonalDescent: Optimizer {
  public let name = "diagonal-preconditioner"
  public let formula = "x <- x - rate g / d"
  public let stateCount = 1

  public init() {}

  public func update(
    parameter: Traced, gradient: Traced, state: [Traced], rate: Traced, step: Traced
  ) -> (parameter: Traced, state: [Traced]) {
    (parameter - rate * (state[0] * gradient), state)
  }
}
