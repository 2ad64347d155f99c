import Foundation
import LinearMaps
import Testing

@testable import Training

/// Mini-batch descent of independent batches on least squares, beside published numbers and direct enumeration.
@Suite struct BatchNoiseTests {
  /// Points whose moments up to the fourth are those of `N(0, diag(s))`: Gauss and Hermite's three nodes, as
  /// often as they weigh.
  private func gaussian(_ s: [Double]) -> [[Double]] {
    let nodes = [0, 0, 0, 0, 3.0.squareRoot(), -(3.0.squareRoot())]
    return s.reduce([[]]) { rows, variance in
      rows.flatMap { row in nodes.map { row + [$0 * variance.squareRoot()] } }
    }
  }

  private func samples(
    _ rows: [[Double]], _ targets: [Double], penalty: [Double]? = nil, divisor: [Double]? = nil
  ) throws -> LeastSquaresSamples {
    let d = rows[0].count
    return try #require(
      try LeastSquaresSamples(
        rows: rows.flatMap { $0 }, targets: targets,
        penalty: penalty ?? [Double](repeating: 0, count: d),
        at: [Double](repeating: 0.5, count: d), divisor: divisor))
  }

  @Test(
    "the limit is that of Gaussian inputs",
    arguments: [
      (1, 0.3048058983988962), (2, 0.4734013676), (4, 0.6495285954), (16, 0.8861704729),
      (64, 0.9694745111),
    ])
  func limitOfGaussian(batch: Int, limit: Double) throws {
    let rows = gaussian([1, 2])
    let found = try #require(
      try BatchNoise(samples(rows, rows.map { $0[0] }), batch: batch).limit())
    #expect(abs(found - limit) < 1e-9 * (batch == 1 ? 1e-2 : 1))
  }

  @Test(
    "the variance of noisy labels is that of one Gaussian input",
    arguments: [(0.05, 0.027027027027027), (0.2, 0.142857142857143)])
  func variance(rate: Double, variance: Double) throws {
    let rows = gaussian([1])
    let noise = try BatchNoise(
      samples(rows + rows, rows.map { $0[0] + 1 } + rows.map { $0[0] - 1 }), batch: 1)
    let second = try #require(try noise.stationary(rate: rate))
    #expect(abs(second[0] - variance) < 1e-12)
  }

  @Test("the stationary covariance of a noisy quadratic, and with momentum")
  func quadratic() throws {
    let system = try SymmetricEigensystem(columnMajor: [3, 1, 1, 2], dimension: 2)
    let q = [system.vector(0), system.vector(1)]
    let c = [[1, 0.3], [0.3, 0.5]]
    func inBasis(_ i: Int, _ j: Int) -> Double {
      (0..<2).reduce(0) { sum, a in
        (0..<2).reduce(sum) { $0 + q[i][a] * c[a][$1] * q[j][$1] }
      }
    }
    func settled(_ l: [Double], _ c: [Double], rate: Double, momentum: Double = 0) -> [Double] {
      let response = QuadraticNoise.response(l, rate: rate, momentum: momentum)
      return c.indices.map { rate * c[$0] / response[$0] }
    }
    let l = system.values
    let second = settled(
      l, [inBasis(0, 0), inBasis(1, 0), inBasis(0, 1), inBasis(1, 1)], rate: 0.1)
    #expect(abs((l[0] * second[0] + l[1] * second[3]) / 2 - 0.04442622950819673) < 1e-14)
    for (momentum, variance) in [(0.5, 0.1034482759), (0.9, 0.5135135135)] {
      #expect(abs(settled([1], [1], rate: 0.1, momentum: momentum)[0] - variance) < 1e-10)
    }
    for (rate, variance) in [(0.1, 0.0526315789), (0.5, 1 / 3.0), (1.5, 3), (1.9, 19)] {
      #expect(abs(settled([1], [1], rate: rate)[0] - variance) < 1e-10)
    }
  }

  /// The sum over 4,000 steps of what one unit of noise does, of the parameters and of the points where gradients
  /// are taken.
  @Test("the response to noise is the sum of its echoes", arguments: [0, 0.4, 0.9])
  func response(momentum b: Double) {
    for looksAhead in [false, true] {
      let form = MomentumForm(b, looksAhead: looksAhead)
      for (k, l) in [(0.3, 0.3), (1.1, 0.2), (0.05, 1.2)] {
        var (errors, before, sums) = ([1.0, 1.0], [0.0, 0.0], [0.0, 0.0])
        for _ in 0..<4_000 {
          let ahead = (0..<2).map { errors[$0] + b * (errors[$0] - before[$0]) }
          let points = looksAhead ? ahead : errors
          sums[0] += errors[0] * errors[1]
          sums[1] += points[0] * points[1]
          before = errors
          errors = [ahead[0] - k * points[0], ahead[1] - l * points[1]]
        }
        let answer = form.response(k / 0.7, l / 0.7, rate: 0.7)
        #expect(abs(answer.parameters - sums[0]) < 1e-9 * sums[0])
        #expect(abs(answer.points - sums[1]) < 1e-9 * sums[1])
      }
    }
  }

  /// Five samples of two numbers under a penalty, whose minimum has residuals that go along with them.
  private static let rows = [[1.0, 0.2], [-0.4, 1.1], [0.7, -0.9], [0.1, 0.3], [-1.2, 0.5]]
  private static let targets = [0.3, -1.0, 0.8, 2.0, 0.4]
  private static let penalty = [0.1, 0.0]

  /// The minimum, by Cramer's rule.
  private var minimum: [Double] {
    var (a, b, c, u, v) = (0.1, 0.0, 0.0, 0.0, 0.0)
    for (x, y) in zip(Self.rows, Self.targets) {
      a += x[0] * x[0] / 5
      b += x[0] * x[1] / 5
      c += x[1] * x[1] / 5
      u += x[0] * y / 5
      v += x[1] * y / 5
    }
    let determinant = a * c - b * b
    return [(c * u - b * v) / determinant, (a * v - b * u) / determinant]
  }

  /// The step of one batch as it is written in a training loop.
  private func step(_ w: [Double], _ batch: [Int], rate: Double) -> [Double] {
    var gradient = [Self.penalty[0] * w[0], Self.penalty[1] * w[1]]
    for i in batch {
      let r = Self.rows[i][0] * w[0] + Self.rows[i][1] * w[1] - Self.targets[i]
      for j in 0..<2 { gradient[j] += r * Self.rows[i][j] / Double(batch.count) }
    }
    return [w[0] - rate * gradient[0], w[1] - rate * gradient[1]]
  }

  /// Mean and second moments after one more step, by the recursion.
  private func stepped(_ moments: ErrorMoments, _ noise: BatchNoise, rate: Double) -> ErrorMoments {
    let (samples, l) = (noise.samples, noise.samples.curvatures)
    let k = l.count
    let (own, spread, cross) = (
      samples.noise, samples.spread(moments.second), samples.cross(moments.mean)
    )
    return ErrorMoments(
      mean: (0..<k).map { (1 - rate * l[$0]) * moments.mean[$0] },
      second: (0..<k * k).map { index in
        let (i, j) = (index % k, index / k)
        return (1 - rate * l[i]) * (1 - rate * l[j]) * moments.second[index]
          + rate * rate * noise.factor
          * (spread[index] + own[index] + cross[index] + cross[i * k + j])
      })
  }

  @Test("three steps of pairs drawn with replacement, all 15,625 courses of them")
  func enumeration() throws {
    let noise = try BatchNoise(
      samples(Self.rows, Self.targets, penalty: Self.penalty), batch: 2)
    let pairs = (0..<25).map { [$0 / 5, $0 % 5] }
    var points = [[0.5, 0.5]]
    for _ in 0..<3 { points = points.flatMap { w in pairs.map { step(w, $0, rate: 0.3) } } }
    var moments = ErrorMoments(of: noise.samples.start)
    for _ in 0..<3 { moments = stepped(moments, noise, rate: 0.3) }
    let best = minimum
    func loss(_ w: [Double]) -> Double {
      zip(Self.rows, Self.targets).reduce(0.05 * w[0] * w[0]) { sum, sample in
        let r = sample.0[0] * w[0] + sample.0[1] * w[1] - sample.1
        return sum + r * r / 10
      }
    }
    let mean = points.reduce(0) { $0 + loss($1) } / Double(points.count)
    #expect(abs(noise.samples.minimum - loss(best)) < 1e-14)
    #expect(abs(noise.samples.gap(moments.second) - (mean - loss(best))) < 1e-12)
  }

  private static func batches(_ size: Int, _ draw: BatchNoise.Draw) -> [[Int]] {
    let all = (0..<size).reduce([[Int]]([[]])) { parts, _ in
      parts.flatMap { part in (0..<5).map { part + [$0] } }
    }
    return draw == .replacement ? all : all.filter { Set($0).count == size }
  }

  /// The spectral radius of the second moments of error and velocity, by pushing all ten entries of a basis
  /// through all batches.
  private func growth(
    _ batches: [[Int]], momentum: Double, looksAhead: Bool = false, rate: Double,
    rounds: Int = 4_000
  ) -> Double {
    let maps = batches.map { chosen -> [[Double]] in
      var a = [[Self.penalty[0], 0], [0, Self.penalty[1]]]
      for i in chosen {
        for p in 0..<2 {
          for q in 0..<2 { a[p][q] += Self.rows[i][p] * Self.rows[i][q] / Double(chosen.count) }
        }
      }
      return (0..<4).map { row in
        (0..<4).map { column in
          let i = row % 2
          let ahead = looksAhead ? -rate * momentum : 0
          let velocity =
            column < 2
            ? a[i][column] : (column - 2 == i ? momentum : 0) + ahead * a[i][column - 2]
          if row >= 2 { return velocity }
          return (column == i ? 1 : 0) - rate * velocity
        }
      }
    }
    var second = (0..<4).map { row in (0..<4).map { row == $0 ? 1.0 : 0 } }
    var (growth, logs) = (0.0, 0.0)
    for round in 0..<rounds {
      var next = [[Double]](repeating: [Double](repeating: 0, count: 4), count: 4)
      for map in maps {
        for i in 0..<4 {
          let image = (0..<4).map { c in (0..<4).reduce(0) { $0 + map[i][$1] * second[$1][c] } }
          for j in 0..<4 {
            next[i][j] +=
              (0..<4).reduce(0) { $0 + image[$1] * map[j][$1] } / Double(maps.count)
          }
        }
      }
      let norm = next.flatMap { $0 }.reduce(0) { $0 + $1 * $1 }.squareRoot()
      if round > 0 { growth = norm }
      if round >= rounds / 2 { logs += log(norm) }
      second = next.map { $0.map { $0 / norm } }
    }
    return momentum == 0 ? growth : exp(logs / Double(rounds / 2))
  }

  @Test(
    "the spectral radius crosses one at the limit, to 1e-10", arguments: [1, 2],
    [BatchNoise.Draw.replacement, .subsets])
  func crossing(batch: Int, draw: BatchNoise.Draw) throws {
    let noise = try BatchNoise(
      samples(Self.rows, Self.targets, penalty: Self.penalty), batch: batch, draw: draw)
    let limit = try #require(try noise.limit())
    let batches = Self.batches(batch, draw)
    #expect(abs(growth(batches, momentum: 0, rate: limit) - 1) < 1e-10)
    #expect(growth(batches, momentum: 0, rate: limit * (1 - 1e-9)) < 1)
    #expect(growth(batches, momentum: 0, rate: limit * (1 + 1e-9)) > 1)
    #expect(try noise.stationary(rate: limit * (1 - 1e-6)) != nil)
    #expect(try noise.stationary(rate: limit * 1.01) == nil)
  }

  @Test("the limit with momentum, and with Nesterov's", arguments: [0.5, 0.9], [false, true])
  func momentumLimit(momentum: Double, looksAhead: Bool) throws {
    let noise = try BatchNoise(
      samples(Self.rows, Self.targets, penalty: Self.penalty), batch: 1,
      form: MomentumForm(momentum, looksAhead: looksAhead))
    let limit = try #require(try noise.limit())
    let crossed = growth(
      Self.batches(1, .replacement), momentum: momentum, looksAhead: looksAhead, rate: limit)
    #expect(abs(crossed - 1) < 1e-8)
  }

  @Test(
    "with strong momentum errors shrink below the limit and grow above it",
    arguments: [0.9, 0.99, 0.9998], [false, true])
  func strongMomentum(momentum: Double, looksAhead: Bool) throws {
    var limits: [Double] = []
    for batch in [1, 2] {
      let noise = try BatchNoise(
        samples(Self.rows, Self.targets, penalty: Self.penalty), batch: batch,
        form: MomentumForm(momentum, looksAhead: looksAhead))
      let limit = try #require(try noise.limit())
      #expect(limit > 0 && limit <= noise.limitOnAll)
      limits.append(limit)
      guard batch == 1 else { continue }
      let batches = Self.batches(1, .replacement)
      func growth(_ share: Double) -> Double {
        self.growth(
          batches, momentum: momentum, looksAhead: looksAhead, rate: share * limit,
          rounds: momentum > 0.99 ? 60_000 : 4_000)
      }
      #expect(growth(0.8) < 1)
      #expect(growth(1.25) > 1)
    }
    #expect(limits[0] < limits[1])
    // Far below the limit of all samples noise alone decides, and falls as the batch grows.
    if momentum > 0.999, !looksAhead {
      #expect(abs(limits[1] / limits[0] - 2) < 0.2, "\(limits)")
    }
  }

  @Test("a batch of all samples has their limit and no noise")
  func allSamples() throws {
    let own = try samples(Self.rows, Self.targets, penalty: Self.penalty)
    for form in [MomentumForm.plain, MomentumForm(0.8), MomentumForm(0.8, looksAhead: true)] {
      let noise = BatchNoise(own, batch: 5, draw: .subsets, form: form)
      #expect(try noise.limit() == form.criticalProduct / own.curvatures[1])
      #expect(try noise.floor(rate: 0.9 * noise.limitOnAll) == 0)
    }
  }

  @Test("a divisor of the steps is a change of variables")
  func divisor() throws {
    let divisor = [4.0, 0.5]
    let scaled = Self.rows.map { [$0[0] / 2, $0[1] / 0.5.squareRoot()] }
    let plain = try BatchNoise(samples(scaled, Self.targets), batch: 2)
    let divided = try BatchNoise(
      samples(Self.rows, Self.targets, divisor: divisor), batch: 2)
    #expect(abs(try #require(try plain.limit()) - #require(try divided.limit())) < 1e-12)
    let floors = try (plain.floor(rate: 0.1), divided.floor(rate: 0.1))
    #expect(abs(try #require(floors.0) - #require(floors.1)) < 1e-12)
  }

  @Test("half of the full limit is reached at the batch said")
  func halfLimit() throws {
    let rows = gaussian([1, 2])
    let own = try samples(rows, rows.map { $0[0] })
    let batch = try #require(try BatchNoise(own, batch: 1).halfLimitBatch())
    let (low, high) = (Int(batch), Int(batch) + 1)
    #expect(try #require(try BatchNoise(own, batch: low).limit()) <= 0.5)
    #expect(try #require(try BatchNoise(own, batch: high).limit()) >= 0.5)
    let n = own.count
    let subset = try #require(try BatchNoise(own, batch: 1).halfLimitBatch(of: n))
    #expect(subset < Double(n))
    let below = BatchNoise(own, batch: Int(subset), draw: .subsets)
    let above = BatchNoise(own, batch: Int(subset) + 1, draw: .subsets)
    #expect(try #require(try below.limit()) <= 0.5)
    #expect(try #require(try above.limit()) >= 0.5)
  }

  @Test("an error grows by the mean logarithm of its factors")
  func growthOfErrors() throws {
    let rows = [0.4, 1.0, 1.7, 2.2, 0.9]
    let own = try samples(rows.map { [$0] }, rows)
    for rate in [0.3, 0.9] {
      let mean = rows.reduce(0) { $0 + log(abs(1 - rate * $1 * $1)) } / 5
      for sampling in [Batches.Sampling.shuffle, .replacement] {
        let found = own.errorGrowth(
          rate: rate, Batches(size: 1, seed: 4, sampling: sampling))
        #expect(abs(found.perStep - mean) <= 4 * found.error + 1e-3)
        #expect(found.isPositive == (mean > 0))
      }
    }
  }
}
