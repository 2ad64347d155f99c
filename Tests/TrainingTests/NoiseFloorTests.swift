import Foundation
import LinearMaps
import Testing

@testable import Training

/// The noise floor of mini-batch descent, beside runs that know nothing of the theory.
@Suite struct NoiseFloorTests {
  /// Least squares with noisy labels: a condition number of 2 to 60, inputs that are no Gaussians.
  struct Problem: CustomTestStringConvertible {
    let index: Int
    let batch: Int
    let rows: [[Double]]
    let targets: [Double]

    init(_ index: Int) {
      self.index = index
      batch = [1, 2, 4, 8, 16, 32, 64][index % 7]
      var generator = SeededGenerator(seed: UInt64(1_000 + index))
      let d = 2 + index % 5
      let n = max(2 * batch, 40 + 13 * (index % 6))
      let spread = 0.5 * log([2.0, 8, 25, 60][index % 4])
      let truth = (0..<d).map { _ in generator.nextNormal() }
      let mixing = (0..<d * d).map { _ in 0.3 * generator.nextNormal() / Double(d).squareRoot() }
      var (rows, targets) = ([[Double]](), [Double]())
      for _ in 0..<n {
        let free = (0..<d).map { j in
          (index % 3 == 0 ? 3.4 * (generator.nextUniform() - 0.5) : generator.nextNormal())
            * exp(-spread * Double(j) / Double(max(1, d - 1)))
        }
        let row = (0..<d).map { i in
          (0..<d).reduce(free[i]) { $0 + mixing[i * d + $1] * free[$1] }
        }
        rows.append(row)
        targets.append(
          zip(row, truth).reduce(0) { $0 + $1.0 * $1.1 } + 0.7 * generator.nextNormal())
      }
      (self.rows, self.targets) = (rows, targets)
    }

    var testDescription: String { "\(index): \(rows.count) x \(rows[0].count), batch \(batch)" }

    func samples() throws -> LeastSquaresSamples {
      let d = rows[0].count
      return try #require(
        try LeastSquaresSamples(
          rows: rows.flatMap { $0 }, targets: targets,
          penalty: [Double](repeating: 0, count: d), at: [Double](repeating: 0, count: d)))
    }
  }

  /// Mean and standard error over runs of the loss gap at the ends of passes and in their middles, each run's
  /// own mean over all passes but the first ones.
  ///
  /// Plain loops over weights and rows; the gap is measured as a difference of losses.
  static func simulated(
    _ problem: Problem, rate: Double, isShuffled: Bool, runs: Int, settle: Int, passes: Int,
    momentum: Double = 0, looksAhead: Bool = false
  ) -> (end: (mean: Double, error: Double), middle: (mean: Double, error: Double)) {
    let (n, d, batch) = (problem.rows.count, problem.rows[0].count, problem.batch)
    let flat = problem.rows.flatMap { $0 }
    let best = minimiser(problem)
    let perPass = (n + batch - 1) / batch
    let ahead = looksAhead ? rate * momentum : 0
    var generator = SeededGenerator(seed: UInt64(77 + problem.index))
    // (w - best)' H (w - best) / 2 with H = X'X/n.
    var hessian = [Double](repeating: 0, count: d * d)
    for i in 0..<n {
      for a in 0..<d {
        for b in 0..<d { hessian[a * d + b] += flat[i * d + a] * flat[i * d + b] / Double(n) }
      }
    }
    var ends = [Double]()
    var middles = [Double]()
    for _ in 0..<runs {
      var w = best
      var v = [Double](repeating: 0, count: d)
      var g = v
      var order = Array(0..<n)
      var (end, middle) = (0.0, 0.0)
      func gap() -> Double {
        var sum = 0.0
        for a in 0..<d {
          for b in 0..<d { sum += (w[a] - best[a]) * hessian[a * d + b] * (w[b] - best[b]) }
        }
        return sum / 2
      }
      for pass in 0..<settle + passes {
        if isShuffled { order.shuffle(using: &generator) }
        for step in 0..<perPass {
          let count = isShuffled ? min(batch, n - step * batch) : batch
          for j in 0..<d { g[j] = 0 }
          for place in 0..<count {
            let i =
              isShuffled ? order[step * batch + place] : Int.random(in: 0..<n, using: &generator)
            var r = -problem.targets[i]
            for j in 0..<d { r += flat[i * d + j] * (w[j] - ahead * v[j]) }
            for j in 0..<d { g[j] += r * flat[i * d + j] / Double(count) }
          }
          for j in 0..<d {
            v[j] = momentum * v[j] + g[j]
            w[j] -= rate * v[j]
          }
          if pass >= settle, step + 1 == max(1, perPass / 2) { middle += gap() }
        }
        if pass >= settle { end += gap() }
      }
      ends.append(end / Double(passes))
      middles.append(middle / Double(passes))
    }
    func summary(_ values: [Double]) -> (Double, Double) {
      let mean = values.reduce(0, +) / Double(runs)
      let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(runs - 1)
      return (mean, (square / Double(runs)).squareRoot())
    }
    return (summary(ends), summary(middles))
  }

  /// By the normal equations and elimination.
  static func minimiser(_ problem: Problem) -> [Double] {
    let d = problem.rows[0].count
    var a = [[Double]](repeating: [Double](repeating: 0, count: d + 1), count: d)
    for (x, y) in zip(problem.rows, problem.targets) {
      for i in 0..<d {
        for j in 0..<d { a[i][j] += x[i] * x[j] }
        a[i][d] += x[i] * y
      }
    }
    for i in 0..<d {
      for row in i + 1..<d {
        let factor = a[row][i] / a[i][i]
        for j in i...d { a[row][j] -= factor * a[i][j] }
      }
    }
    var w = [Double](repeating: 0, count: d)
    for i in (0..<d).reversed() {
      w[i] = (i + 1..<d).reduce(a[i][d]) { $0 - a[i][$1] * w[$1] } / a[i][i]
    }
    return w
  }

  /// Steps over which the flattest direction forgets, in passes.
  private func memory(_ problem: Problem, _ samples: LeastSquaresSamples, rate: Double) -> Int {
    let steps = Double((problem.rows.count + problem.batch - 1) / problem.batch)
    return Int((0.5 / (steps * rate * samples.curvatures[0])).rounded(.up))
  }

  @Test("with replacement, up to half the limit and near it", arguments: (0..<20).map(Problem.init))
  func replacement(_ problem: Problem) throws {
    let samples = try problem.samples()
    let noise = BatchNoise(samples, batch: problem.batch)
    let limit = try #require(try noise.limit())
    for share in [0.1, 0.5, 0.8] {
      let predicted = try #require(try noise.floor(rate: share * limit))
      let memory = memory(problem, samples, rate: share * limit)
      let runs = Self.simulated(
        problem, rate: share * limit, isShuffled: false, runs: 200, settle: 5 * memory,
        passes: max(share > 0.5 ? 300 : 80, 10 * memory))
      if share <= 0.5 {
        #expect(abs(predicted - runs.end.mean) <= 0.05 * runs.end.mean)
      } else {
        #expect(abs(predicted - runs.end.mean) <= 3 * runs.end.error)
      }
    }
  }

  @Test(
    "shuffled, at the ends of passes and in their middles", arguments: (0..<20).map(Problem.init))
  func shuffled(_ problem: Problem) throws {
    let samples = try problem.samples()
    let noise = try #require(ReshuffledNoise(samples, batch: problem.batch, seed: 5))
    let within = BatchNoise(samples, batch: problem.batch, draw: .subsets)
    let near = try #require(try within.limit())
    let limit = min(near, noise.limit(near: near, below: within.limitOnAll, work: 1e8).rate)
    for share in [problem.index % 2 == 0 ? 0.02 : 0.1, 0.5, 0.8] {
      let predicted = try #require(noise.floor(rate: share * limit))
      let memory = memory(problem, samples, rate: share * limit)
      let runs = Self.simulated(
        problem, rate: share * limit, isShuffled: true, runs: 200, settle: 5 * memory,
        passes: max(share > 0.5 ? 300 : 80, 10 * memory))
      for (predicted, error, run) in [
        (predicted.end, predicted.endError, runs.end),
        (predicted.middle, predicted.middleError, runs.middle),
      ] {
        if share <= 0.5 {
          #expect(abs(predicted - run.mean) <= 0.05 * run.mean)
        } else {
          #expect(
            abs(predicted - run.mean) <= 3 * (run.error * run.error + error * error).squareRoot())
        }
      }
    }
  }

  @Test(
    "with momentum and Nesterov's, both samplings",
    arguments: [3, 5, 8, 11].map(Problem.init), [false, true])
  func momentum(_ problem: Problem, looksAhead: Bool) throws {
    let samples = try problem.samples()
    let form = MomentumForm(0.6, looksAhead: looksAhead)
    let noise = BatchNoise(samples, batch: problem.batch, form: form)
    let rate = 0.3 * (try #require(try noise.limit()))
    let shuffled = try #require(
      ReshuffledNoise(samples, batch: problem.batch, form: form, seed: 5)?.floor(rate: rate))
    let floor = try #require(try noise.floor(rate: rate))
    for (isShuffled, predicted) in [(false, floor), (true, shuffled.end)] {
      let memory = memory(problem, samples, rate: rate)
      let runs = Self.simulated(
        problem, rate: rate, isShuffled: isShuffled, runs: 200, settle: 5 * memory,
        passes: max(80, 10 * memory), momentum: 0.6, looksAhead: looksAhead)
      #expect(abs(predicted - runs.end.mean) <= 0.05 * runs.end.mean)
    }
  }
}
