import Foundation
import LinearMaps
import Testing

@testable import Training

/// Shuffled passes over few samples, beside all orders of them.
@Suite struct ReshuffledNoiseTests {
  private static let rows = [1.0, -0.6, 0.3, 1.4, -0.9]
  private static let targets = [0.4, 1.0, -0.7, 0.9, 0.2]
  private static let penalty = 0.05

  private func samples(
    _ rows: [Double] = rows, penalty: Double = penalty
  ) throws -> LeastSquaresSamples {
    try #require(
      try LeastSquaresSamples(
        rows: rows, targets: Self.targets, penalty: [penalty], at: [2]))
  }

  private static func orders(_ left: [Int]) -> [[Int]] {
    left.isEmpty
      ? [[]] : left.flatMap { first in orders(left.filter { $0 != first }).map { [first] + $0 } }
  }

  /// The stationary mean loss gaps at the end and in the middle of a pass of one weight (and its velocity), by
  /// going through 3,000 passes of all 120 orders with the mean of `(1, w, v, w^2, w v, v^2)`.
  private func exact(_ rows: [Double], batch: Int, momentum: Double, rate: Double, penalty: Double)
    -> (end: Double, middle: Double)
  {
    let squares = rows.reduce(0) { $0 + $1 * $1 } / 5 + penalty
    let best = zip(rows, Self.targets).reduce(0) { $0 + $1.0 * $1.1 } / 5 / squares
    /// `(e, v)` after part of a pass, as an affine map of them.
    func map(_ order: [Int], _ steps: Int) -> [[Double]] {
      var m: [[Double]] = [[1, 0, 0], [0, 1, 0]]
      for step in 0..<steps {
        let chosen = order[step * batch..<min(5, (step + 1) * batch)]
        var (slope, offset) = (penalty, penalty * best)
        for i in chosen {
          slope += rows[i] * rows[i] / Double(chosen.count)
          offset += rows[i] * (rows[i] * best - Self.targets[i]) / Double(chosen.count)
        }
        for c in 0..<3 {
          m[1][c] = momentum * m[1][c] + slope * m[0][c] + (c == 2 ? offset : 0)
          m[0][c] -= rate * m[1][c]
        }
      }
      return m
    }
    let steps = (5 + batch - 1) / batch
    let orders = Self.orders(Array(0..<5))
    let maps = orders.map { map($0, steps) }
    let halves = orders.map { map($0, max(1, steps / 2)) }
    /// Mean of the second moments, and first, of `(e, v, 1)`.
    func pushed(_ moments: [[Double]], _ maps: [[[Double]]]) -> [[Double]] {
      var sum = [[Double]](repeating: [0, 0, 0], count: 3)
      for m in maps {
        let full = m + [[0, 0, 1]]
        for i in 0..<3 {
          let image = (0..<3).map { c in (0..<3).reduce(0) { $0 + full[i][$1] * moments[$1][c] } }
          for j in 0..<3 {
            sum[i][j] += (0..<3).reduce(0) { $0 + image[$1] * full[j][$1] } / Double(maps.count)
          }
        }
      }
      return sum
    }
    var moments = [[0.0, 0, 0], [0, 0, 0], [0, 0, 1]]
    for _ in 0..<3_000 { moments = pushed(moments, maps) }
    return (squares * moments[0][0] / 2, squares * pushed(moments, halves)[0][0] / 2)
  }

  @Test(
    "the floors are the means over all orders",
    arguments: [(1, 0.0, 0.1), (1, 0, 0.6), (2, 0, 0.3), (3, 0, 0.8), (1, 0.6, 0.2), (2, 0.9, 0.1)])
  func allOrders(batch: Int, momentum: Double, rate: Double) throws {
    let exact = exact(
      Self.rows, batch: batch, momentum: momentum, rate: rate, penalty: Self.penalty)
    let noise = try #require(
      ReshuffledNoise(try samples(), batch: batch, momentum: momentum, seed: 1))
    let floor = try #require(noise.floor(rate: rate, precision: 0.003))
    #expect(floor.endError <= 0.003 * floor.end && floor.middleError <= 0.003 * floor.middle)
    #expect(abs(floor.end - exact.end) <= 4 * floor.endError)
    #expect(abs(floor.middle - exact.middle) <= 4 * floor.middleError)
  }

  @Test("all samples at once have no floor, and a rate above their limit has none either")
  func wholeBatch() throws {
    let noise = try #require(ReshuffledNoise(try samples(), batch: 5))
    #expect(noise.floor(rate: 0.1).map { $0.end < 1e-25 } ?? true)
    #expect(noise.floor(rate: 2.1 / noise.samples.curvatures[0]) == nil)
    let limit = noise.limit(below: 10 / noise.samples.curvatures[0])
    #expect(abs(limit * noise.samples.curvatures[0] - 2) < 0.1)
  }

  /// Where all samples curve alike, batches differ by the gradient alone, and the covariances of draws
  /// without replacement say all.
  @Test("without differences in curvature the floors have a closed form", arguments: [1, 2, 3])
  func closedForm(batch: Int) throws {
    let rows = [1.0, -1, 1, 1, -1]
    let own = try samples(rows, penalty: 0)
    let quadratic = QuadraticNoise(curvatures: own.curvatures, noise: own.noise)
    for rate in [0.01, 0.3, 0.9, 1.5] {
      let exact = exact(rows, batch: batch, momentum: 0, rate: rate, penalty: 0)
      let second = try #require(quadratic.reshuffled(rate: rate, batch: batch, samples: 5))
      #expect(abs(quadratic.gap(second.end) - exact.end) <= 1e-9 * exact.end)
      #expect(abs(quadratic.gap(second.middle) - exact.middle) <= 1e-9 * exact.middle)
    }
  }
}
