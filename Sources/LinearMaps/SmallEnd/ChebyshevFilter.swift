import Foundation

/// `p(A) X` with the Chebyshev polynomial that is at most 1 on a damped interval and grows fastest
/// below it, scaled to 1 at the wanted end.
///
/// Reference: Zhou, Saad, Tiago and Chelikowsky, "Self-consistent-field calculations using
/// Chebyshev-filtered subspace iteration" (2006), algorithm 4.3.
struct ChebyshevFilter {
  /// Where the polynomial is 1, below the damped interval.
  let wanted: Double
  let damped: ClosedRange<Double>
  let degree: Int

  /// The least degree that damps by `reduction` between `wanted` and the interval, within `limit`.
  init(wanted: Double, damped: ClosedRange<Double>, reduction: Double, limit: Int) {
    self.wanted = wanted
    self.damped = damped
    let gap = 2 * (damped.lowerBound - wanted) / (damped.upperBound - damped.lowerBound)
    let needed = acosh(1 / reduction) / acosh(1 + max(gap, 1e-15))
    degree = max(2, min(limit, Int(min(needed.rounded(.up), 1e9))))
  }

  /// `p(A) X` for a column-major block: `degree` block products, three blocks of memory.
  func apply<Map: LinearMap>(_ map: Map, _ block: [Map.Scalar]) throws -> [Map.Scalar] {
    typealias Scalar = Map.Scalar
    let half = 0.5 * (damped.upperBound - damped.lowerBound)
    let centre = 0.5 * (damped.upperBound + damped.lowerBound)
    let first = half / (wanted - centre)
    var sigma = first
    var x = block
    var y = try map.block(x)
    for i in y.indices { y[i] = (y[i] - Scalar(centre) * x[i]) * Scalar(sigma / half) }
    for _ in 1..<degree {
      let next = 1 / (2 / first - sigma)
      let (a, b) = (Scalar(2 * next / half), Scalar(sigma * next))
      var z = try map.block(y)
      let c = Scalar(centre)
      for i in z.indices { z[i] = a * (z[i] - c * y[i]) - b * x[i] }
      (x, y, sigma) = (y, z, next)
    }
    return y
  }
}
