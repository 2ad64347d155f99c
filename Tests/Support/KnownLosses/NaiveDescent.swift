import Foundation

/// Descent on `sum_i lambda_i z_i^2 / 2`, run step by step: the oracle of every closed form.
public struct NaiveDescent {
  public let eigenvalues: [Double]
  public var position: [Double]
  public var previous: [Double]

  public init(eigenvalues: [Double], start: [Double]) {
    self.eigenvalues = eigenvalues
    position = start
    previous = start
  }

  /// The start that gives the weights `(q_i' g)^2`.
  public init(eigenvalues: [Double], weights: [Double]) {
    self.init(
      eigenvalues: eigenvalues,
      start: zip(eigenvalues, weights).map { $1.squareRoot() / $0 })
  }

  public var gap: Double { zip(eigenvalues, position).reduce(0) { $0 + $1.0 * $1.1 * $1.1 / 2 } }

  public var gradientNorm: Double {
    zip(eigenvalues, position).reduce(0) { $0 + $1.0 * $1.1 * $1.0 * $1.1 }.squareRoot()
  }

  public mutating func step(rate: Double, momentum: Double = 0) {
    for index in position.indices {
      let next =
        position[index] - rate * eigenvalues[index] * position[index]
        + momentum * (position[index] - previous[index])
      (position[index], previous[index]) = (next, position[index])
    }
  }

  /// The first step from which on the gap stays small enough, or nil within `limit`: watched until
  /// position and step together hold a millionth of what is allowed.
  public mutating func steps(
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

  /// Condition number of a bowl of two directions, and published steps of descent at the best rate until
  /// `||g|| < 1e-6`, with the gradient before the update.
  public static let publishedBowls: [(Double, Int)] = [
    (1, 2), (2, 15), (5, 40), (10, 82), (20, 169), (50, 445), (100, 923), (200, 1913),
    (500, 5009), (1000, 10363), (10000, 115131),
  ]
}
