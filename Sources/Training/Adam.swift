import TensorPrograms

/// Adam: `m <- b1 m + (1 - b1) g`, `v <- b2 v + (1 - b2) g^2`,
/// `x <- x - eta (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`.
///
/// Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, algorithm 1,
/// whose defaults these are.
public struct Adam: Optimizer {
  public let name = "adam"
  public let formula = "m, v <- moving means of g, g^2; x <- x - rate m' / (sqrt v' + eps)"
  public let stateCount = 2
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    precondition(0 <= beta1 && beta1 < 1, "beta1 \(beta1) is outside of [0, 1)")
    precondition(0 <= beta2 && beta2 < 1, "beta2 \(beta2) is outside of [0, 1)")
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  public func update(
    parameter: Traced, gradient: Traced, state: [Traced], rate: Traced, step: Traced
  ) -> (parameter: Traced, state: [Traced]) {
    let m = state[0] * beta1 + gradient * (1 - beta1)
    let v = state[1] * beta2 + gradient.square() * (1 - beta2)
    let first = 1 - rate.scalar(beta1).power(step)
    let second = 1 - rate.scalar(beta2).power(step)
    return (parameter - rate * (m / first) / ((v / second).sqrt() + epsilon), [m, v])
  }
}
