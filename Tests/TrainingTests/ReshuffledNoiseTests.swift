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
  private func exact(
    _ rows: [Double], batch: Int, momentum: Double, looksAhead: Bool = false, rate: Double,
    penalty: Double
  ) -> (end: Double, middle: Double) {
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
          let point = m[0][c] - (looksAhead ? rate * momentum * m[1][c] : 0)
          m[1][c] = momentum * m[1][c] + slope * point + (c == 2 ? offset : 0)
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
    arguments: [
      (1, 0.0, 0.1), (1, 0, 0.6), (2, 0, 0.3), (3, 0, 0.8), (1, 0.6, 0.2), (2, 0.9, 0.1),
    ],
    [false, true])
  func allOrders(_ row: (batch: Int, momentum: Double, rate: Double), looksAhead: Bool) throws {
    let (batch, momentum, rate) = row
    guard momentum > 0 || !looksAhead else { return }
    let exact = exact(
      Self.rows, batch: batch, momentum: momentum, looksAhead: looksAhead, rate: rate,
      penalty: Self.penalty)
    let noise = try #require(
      ReshuffledNoise(
        try samples(), batch: batch, form: MomentumForm(momentum, looksAhead: looksAhead), seed: 1))
    let floor = try #require(noise.floor(rate: rate))
    #expect(floor.endError == 0 && floor.orders <= 120)
    #expect(abs(floor.end - exact.end) <= 1e-9 * exact.end)
    #expect(abs(floor.middle - exact.middle) <= 1e-9 * exact.middle)
  }

  /// Nine samples have more orders than are taken.
  @Test("means over drawn orders are those over all of them, within their error")
  func drawnOrders() throws {
    let rows = [1.0, -0.6, 0.3, 1.4, -0.9, 0.5, -1.2]
    let targets = Self.targets + [-0.5, 0.8]
    let own = try #require(
      try LeastSquaresSamples(rows: rows, targets: targets, penalty: [0.05], at: [2]))
    let noise = try #require(ReshuffledNoise(own, batch: 1, seed: 1))
    let floor = try #require(noise.floor(rate: 0.5, precision: 0.003))
    #expect(floor.endError > 0 && floor.endError <= 0.003 * floor.end)
    var exact = EpochMoments(noise.map(rate: 0.5))
    #expect(!exact.takeAll(upTo: 5_000) && exact.takeAll(upTo: 5_040))
    let means = exact.means()
    // One weight: S = (E[q^2] + 2 E[P q] m) / (1 - E[P^2]).
    let mean = means.image(mean: [0])[0] / means.firstSystem[0]
    let second =
      means.image(ErrorMoments(mean: [mean], second: [0]))[0] / means.secondSystem[0]
    #expect(abs(floor.end - own.curvatures[0] * second / 2) <= 4 * floor.endError)
  }

  /// Five samples of two weights: all orders pushed through the second moments of error and velocity.
  @Test(
    "the spectral radius of a pass crosses one at the limit, over all orders",
    arguments: [
      (1, 0.0, false), (2, 0, false), (3, 0, false), (4, 0, false), (2, 0.7, false),
      (2, 0.7, true),
    ])
  func passLimit(batch: Int, momentum: Double, looksAhead: Bool) throws {
    let rows = [[1.0, 0.2], [-0.4, 1.1], [0.7, -0.9], [0.1, 0.3], [-1.2, 0.5]]
    let own = try #require(
      try LeastSquaresSamples(
        rows: rows.flatMap { $0 }, targets: Self.targets, penalty: [0, 0.1], at: [0, 0]))
    let form = MomentumForm(momentum, looksAhead: looksAhead)
    let noise = try #require(ReshuffledNoise(own, batch: batch, form: form))
    let within = BatchNoise(own, batch: batch, draw: .subsets, form: form)
    let limit = noise.limit(near: try #require(try within.limit()), below: 10 * within.limitOnAll)
    #expect(limit.error == 0)
    let size = momentum == 0 ? 2 : 4
    func maps(_ rate: Double) -> [[[Double]]] {
      Self.orders(Array(0..<5)).map { order in
        var m = (0..<4).map { row in (0..<4).map { row == $0 ? 1.0 : 0 } }
        for start in stride(from: 0, to: 5, by: batch) {
          let chosen = order[start..<min(5, start + batch)]
          var next = m
          for i in 0..<2 {
            for c in 0..<4 {
              var gradient = 0.0
              for j in 0..<2 {
                var slope = i == 1 && j == 1 ? 0.1 : 0
                for s in chosen { slope += rows[s][i] * rows[s][j] / Double(chosen.count) }
                gradient +=
                  slope * (m[j][c] - (looksAhead ? rate * momentum * m[j + 2][c] : 0))
              }
              next[i + 2][c] = momentum * m[i + 2][c] + gradient
              next[i][c] = m[i][c] - rate * next[i + 2][c]
            }
          }
          m = next
        }
        return m
      }
    }
    /// By pushing a positive definite matrix through 600 passes.
    func radius(_ rate: Double) -> Double {
      let maps = maps(rate)
      var second = (0..<size).map { row in (0..<size).map { row == $0 ? 1.0 : 0 } }
      var growth = 0.0
      for _ in 0..<600 {
        var next = [[Double]](repeating: [Double](repeating: 0, count: size), count: size)
        for m in maps {
          for i in 0..<size {
            let image = (0..<size).map { c in
              (0..<size).reduce(0) { $0 + m[i][$1] * second[$1][c] }
            }
            for j in 0..<size {
              next[i][j] += (0..<size).reduce(0) { $0 + image[$1] * m[j][$1] } / 120
            }
          }
        }
        growth = next.flatMap { $0 }.reduce(0) { $0 + $1 * $1 }.squareRoot()
        second = next.map { $0.map { $0 / growth } }
      }
      return growth
    }
    #expect(abs(radius(limit.rate) - 1) < 1e-8)
    #expect(radius(limit.rate * (1 - 1e-6)) < 1 && radius(limit.rate * (1 + 1e-6)) > 1)
  }

  @Test("all samples at once have no floor, and a rate above their limit has none either")
  func wholeBatch() throws {
    let noise = try #require(ReshuffledNoise(try samples(), batch: 5))
    let curvature = noise.samples.curvatures[0]
    #expect(try #require(noise.floor(rate: 0.1)).end < 1e-25)
    #expect(noise.floor(rate: 2.1 / curvature) == nil)
    let limit = noise.limit(near: 1 / curvature, below: 10 / curvature)
    #expect(limit == ReshuffledNoise.Limit(rate: 2 / curvature, error: 0))
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
      #expect(abs(own.gap(second.end) - exact.end) <= 1e-9 * exact.end)
      #expect(abs(own.gap(second.middle) - exact.middle) <= 1e-9 * exact.middle)
    }
  }
}
