import Foundation

/// Mini-batch descent on a quadratic whose gradient is noisy, the noise's covariance the same everywhere: what
/// is known where samples are no rows of least squares, in the eigenvectors of the Hessian.
///
/// With replacement the stationary covariance solves `H S + S H - eta H S H = eta C / B`, entry by entry
/// `S_ij = eta C_ij / (B (l_i + l_j - eta l_i l_j))`; heavy-ball momentum changes the denominator
/// (`response`). Without replacement batches of a pass hold each sample once: means of batches of `b_t` of
/// the `n` samples have the covariances `(n/b_t - 1) C/(n - 1)`, and `-C/(n - 1)` between two batches.
///
/// Reference: Mandt, Hoffman and Blei, "Stochastic gradient descent as approximate Bayesian inference"
/// (arXiv:1704.04289), with the discrete step's term kept; Cochran, "Sampling techniques" (1977), 2.
package struct QuadraticNoise: Sendable {
  package let curvatures: [Double]
  /// A sample gradient's covariance, column-major, in the eigenvectors.
  package let noise: [Double]

  /// - Precondition: positive curvatures.
  package init(curvatures: [Double], noise: [Double]) {
    precondition(
      noise.count == curvatures.count * curvatures.count, "the noise is not of the directions")
    self.curvatures = curvatures
    self.noise = noise
  }

  private var count: Int { curvatures.count }

  /// The stationary second moments of plain descent over shuffled passes, at their ends and in their
  /// middles; nil from the limit of all samples on.
  package func reshuffled(rate: Double, batch: Int, samples n: Int) -> (
    end: [Double], middle: [Double]
  )? {
    guard let top = curvatures.max(), rate * top < 2, n > 1 else { return nil }
    let steps = (n + batch - 1) / batch
    let half = max(1, steps / 2)
    var (end, middle) = ([Double](), [Double]())
    for index in noise.indices {
      let a = 1 - rate * curvatures[index % count]
      let b = 1 - rate * curvatures[index / count]
      let last = n - (steps - 1) * batch
      let whole = Self.pull(a, b, steps: steps, batch: batch, last: last, n)
      let first = Self.pull(a, b, steps: half, batch: batch, last: half == steps ? last : batch, n)
      let scale = rate * rate * noise[index] / Double(n - 1)
      let settled = scale * whole / -expm1(Self.logarithm(a * b) * Double(steps))
      end.append(settled)
      middle.append(pow(a * b, Double(half)) * settled + scale * first)
    }
    return (end, middle)
  }

  /// `ln |x|`; a product of both signs has the sign of its power lost only where it is negligible.
  private static func logarithm(_ x: Double) -> Double { log(abs(x)) }

  /// `n sum (ab)^(T-1-t) / b_t - sum a^t sum b^t` over the steps of a part of a pass.
  private static func pull(
    _ a: Double, _ b: Double, steps: Int, batch: Int, last: Int, _ n: Int
  ) -> Double {
    var (squares, left, right, power, pa, pb) = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    for step in (0..<steps).reversed() {
      squares += power / Double(step == steps - 1 ? last : batch)
      left += pa
      right += pb
      power *= a * b
      pa *= a
      pb *= b
    }
    return Double(n) * squares - left * right
  }

  /// `(1 - b) (l_i + l_j) - eta ((1 - b) l_i l_j / (1 + b) - b (l_i - l_j)^2 / (1 - b^2))`.
  static func response(_ l: [Double], rate: Double, momentum b: Double) -> [Double] {
    let k = l.count
    return (0..<k * k).map { index in
      let (p, q) = (l[index / k], l[index % k])
      return (1 - b) * (p + q)
        - rate * ((1 - b) * p * q / (1 + b) - b * (p - q) * (p - q) / (1 - b * b))
    }
  }
}
