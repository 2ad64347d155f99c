import Foundation

/// Descent on `sum_i lambda_i z_i^2 / 2`, run step by step: the oracle of every closed form.
struct NaiveDescent {
  let eigenvalues: [Double]
  var position: [Double]
  var previous: [Double]

  init(eigenvalues: [Double], start: [Double]) {
    self.eigenvalues = eigenvalues
    position = start
    previous = start
  }

  /// The start that gives the weights `(q_i' g)^2`.
  init(eigenvalues: [Double], weights: [Double]) {
    self.init(
      eigenvalues: eigenvalues,
      start: zip(eigenvalues, weights).map { $1.squareRoot() / $0 })
  }

  var gap: Double { zip(eigenvalues, position).reduce(0) { $0 + $1.0 * $1.1 * $1.1 / 2 } }

  var gradientNorm: Double {
    zip(eigenvalues, position).reduce(0) { $0 + $1.0 * $1.1 * $1.0 * $1.1 }.squareRoot()
  }

  mutating func step(rate: Double, momentum: Double = 0) {
    for index in position.indices {
      let next =
        position[index] - rate * eigenvalues[index] * position[index]
        + momentum * (position[index] - previous[index])
      (position[index], previous[index]) = (next, position[index])
    }
  }

  /// The first step from which on the gap stays small enough, or nil within `limit`: watched until
  /// position and step together hold a millionth of what is allowed.
  mutating func steps(
    toRelativeGap tolerance: Double, rate: Double, momentum: Double = 0, limit: Int
  ) -> Int? {
    let target = tolerance * gap
    var arrival = 0
    for k in 0...limit {
      if gap > target { arrival = k + 1 }
      let before = Self(eigenvalues: eigenvalues, start: previous).gap
      if max(gap, before) <= 1e-6 * target { return arrival }
      step(rate: rate, momentum: momentum)
    }
    return nil
  }
}

/// SplitMix64: the same numbers on every platform.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Whether `a` and `b` agree to `tolerance` relative to the larger.
func close(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
  a == b || abs(a - b) <= tolerance * max(abs(a), abs(b))
}
