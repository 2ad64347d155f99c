import Foundation
import KnownLosses
import LinearMaps
import Testing
import Training

@Suite struct ForecastTests {
  static func bowl(_ kappa: Double) -> QuadraticModel {
    QuadraticModel(eigenvalues: [kappa, 1], weights: [kappa * kappa, 1])
  }

  /// Steps of the published protocol: one more than the first step with a small enough gradient.
  static func count(_ kappa: Double, rate: Double, momentum: Double = 0) -> Int? {
    let fraction = 1e-6 / (kappa * kappa + 1).squareRoot()
    return bowl(kappa).forecast(rate: rate, momentum: momentum)
      .iterations(toGradientFraction: fraction).map { $0 + 1 }
  }

  /// Polyak's optimum between two curvatures.
  static func optimalMomentum(smallest: Double, largest: Double) -> (rate: Double, momentum: Double)
  {
    let root = largest.squareRoot() + smallest.squareRoot()
    let share = (largest.squareRoot() - smallest.squareRoot()) / root
    return (4 / (root * root), share * share)
  }

  @Test(arguments: NaiveDescent.publishedBowls)
  func `bowls need the published counts`(kappa: Double, steps: Int) {
    #expect(Self.count(kappa, rate: 2 / (kappa + 1)) == steps)
  }

  @Test(arguments: [
    (10.0, 1.0, 133), (50, 1, 685), (10, 0.1, 1376), (50, 0.1, 6902), (10, 1.99, 1605),
    (50, 1.99, 1765),
  ])
  func `bowls at other rates`(kappa: Double, timesSharpness: Double, steps: Int) {
    #expect(Self.count(kappa, rate: timesSharpness / kappa) == steps)
  }

  @Test(arguments: [(1.0, 2), (10, 32), (50, 81), (1000, 436)])
  func `heavy ball at its optimum needs the published counts`(kappa: Double, steps: Int) {
    let best = Self.optimalMomentum(smallest: 1, largest: kappa)
    #expect(Self.count(kappa, rate: best.rate, momentum: best.momentum) == steps)
    var run = NaiveDescent(eigenvalues: [kappa, 1], start: [1, 1])
    var taken = 0
    while true {
      taken += 1
      let small = run.gradientNorm < 1e-6
      run.step(rate: best.rate, momentum: best.momentum)
      if small { break }
    }
    #expect(taken == steps)
  }

  @Test func `random problems: gap, norm and counts equal a run`() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<40 {
      let n = Int.random(in: 1...6, using: &generator)
      let eigenvalues = (0..<n).map { _ in exp(Double.random(in: -4...1, using: &generator)) }
      let weights = (0..<n).map { _ in Double.random(in: 0.01...1, using: &generator) }
      let momentum = [0, 0, 0.5, 0.9, 0.97].randomElement(using: &generator)!
      let rate =
        Double.random(in: 0.05...0.98, using: &generator) * (2 + 2 * momentum) / eigenvalues.max()!
      let forecast = QuadraticModel(eigenvalues: eigenvalues, weights: weights)
        .forecast(rate: rate, momentum: momentum)
      var run = NaiveDescent(eigenvalues: eigenvalues, weights: weights)
      let start = run.gap
      #expect(close(forecast.initialGap, start, 1e-13))
      for k in 0...50 {
        #expect(abs(forecast.gap(after: k) - run.gap) <= 1e-10 * start)
        #expect(abs(forecast.gradientNorm(after: k) - run.gradientNorm) <= 1e-7)
        run.step(rate: rate, momentum: momentum)
      }
      for tolerance in [0.5, 1e-2, 1e-6] {
        var run = NaiveDescent(eigenvalues: eigenvalues, weights: weights)
        let measured = run.steps(
          toRelativeGap: tolerance, rate: rate, momentum: momentum, limit: 200_000)
        #expect(forecast.iterations(toRelativeGap: tolerance) == measured)
      }
    }
  }

  /// A direction that swings through its minimum has no gap for a step, and is not there.
  @Test func `a dip is no arrival`() throws {
    let (rate, momentum, tolerance) = (0.1, 0.99, 1e-3)
    var run = NaiveDescent(eigenvalues: [1], weights: [1])
    let start = run.gap
    var firstDip: Int?
    for k in 0..<2000 {
      if firstDip == nil, run.gap <= tolerance * start { firstDip = k }
      run.step(rate: rate, momentum: momentum)
    }
    var fresh = NaiveDescent(eigenvalues: [1], weights: [1])
    let arrival = fresh.steps(
      toRelativeGap: tolerance, rate: rate, momentum: momentum, limit: 100_000)
    let forecast = QuadraticModel(eigenvalues: [1], weights: [1])
      .forecast(rate: rate, momentum: momentum)
    #expect(try 20 * #require(firstDip) < #require(arrival))
    #expect(forecast.iterations(toRelativeGap: tolerance) == arrival)
  }

  /// Heavy-ball momentum at the edge of instability: the sharp direction swings up far above the start
  /// and back.
  @Test func `the peak of momentum is foretold`() throws {
    let (eigenvalues, weights) = ([1e4, 1], [1e4, 1e-3])
    let (rate, momentum) = Self.optimalMomentum(smallest: 1, largest: 1e4)
    let forecast = QuadraticModel(eigenvalues: eigenvalues, weights: weights)
      .forecast(rate: rate, momentum: momentum)
    var run = NaiveDescent(eigenvalues: eigenvalues, weights: weights)
    let start = run.gap
    var peak = 1.0
    for _ in 0..<5000 {
      peak = max(peak, run.gap / start)
      run.step(rate: rate, momentum: momentum)
    }
    #expect(peak > 1000)
    let arrival = try #require(forecast.iterations(toRelativeGap: 1e-3))
    let foretold = try #require(forecast.peakRelativeGap(within: arrival))
    #expect(close(foretold, peak, 0.01))
    let bound = try #require(forecast.boundedIterations(toRelativeGap: 1e-3))
    #expect(bound >= arrival && bound <= 2 * arrival)
  }

  @Test func `a rate beyond the limit never gets there`() {
    let model = Self.bowl(10)
    #expect(model.forecast(rate: 0.1999).iterations(toRelativeGap: 1e-6) != nil)
    #expect(model.forecast(rate: 0.2001).iterations(toRelativeGap: 1e-6) == nil)
    #expect(model.forecast(rate: 0.2001).gap(after: 1_000_000) > model.initialGap)
    #expect(model.forecast(rate: 0.379, momentum: 0.9).iterations(toRelativeGap: 1e-6) != nil)
    #expect(model.forecast(rate: 0.381, momentum: 0.9).iterations(toRelativeGap: 1e-6) == nil)
    #expect(model.forecast(rate: 0.01).iterations(toRelativeGap: 1e-6, limit: 10) == nil)
  }

  @Test func `counts are exact at enormous condition numbers`() {
    let flat = 1e-12
    let model = QuadraticModel(eigenvalues: [1, flat], weights: [1e-30, 1])
    let steps = model.forecast(rate: 1).iterations(toRelativeGap: 1e-6)
    let exact = log(1e-6) / (2 * log1p(-flat))
    #expect(steps == Int(exact.rounded(.up)))
    let heavy = model.forecast(rate: 1, momentum: 0.9).iterations(toRelativeGap: 1e-6)!
    #expect(close(Double(heavy), exact / 10, 1e-6))
  }

  @Test func `flat and negative directions carry no gap but keep their slope`() {
    let model = QuadraticModel(
      eigenvalues: [2, 1e-18, -1], weights: [4, 9, 1], zeroThreshold: 1e-12)
    #expect(model.initialGap == 1)
    #expect(model.flatWeight == 9)
    #expect(model.negativeWeight == 1)
    #expect(model.squaredGradientNorm == 14)
    let forecast = model.forecast(rate: 0.5)
    #expect(forecast.iterations(toRelativeGap: 1e-6) == 1)
    #expect(close(forecast.gradientNorm(after: 1), (9 + 2.25).squareRoot(), 1e-14))
    #expect(forecast.iterations(toGradientFraction: 0.5) == nil)
    let convex = QuadraticModel(eigenvalues: [2, 0], weights: [4, 1])
    #expect(convex.forecast(rate: 0.5).iterations(toGradientFraction: 0.5) == 1)
    #expect(convex.forecast(rate: 0.5).iterations(toGradientFraction: 0.4) == nil)
  }

  @Test func `the loss curve starts at the loss`() {
    let forecast = Self.bowl(10).forecast(rate: 0.1)
    let losses = forecast.losses(at: [0, 1, 1_000_000], from: 7)
    #expect(losses[0] == 7)
    #expect(close(losses[1], 7 - 5.5 + 0.5 * 0.81, 1e-14))
    #expect(close(losses[2], 1.5, 1e-14))
    #expect(forecast.relativeGap(after: 0) == 1)
  }

  @Test func `nothing to gain is said, not counted`() {
    let none = QuadraticModel(eigenvalues: [1, 0], weights: [0, 1])
    #expect(none.forecast(rate: 1).iterations(toRelativeGap: 0.1) == nil)
    #expect(none.forecast(rate: 1).relativeGap(after: 3) == nil)
    #expect(none.effectiveSmallest(rate: 1) == nil)
    #expect(none.fastestRate(upperBound: 1, tolerance: 0.1) == nil)
    let atMinimum = QuadraticModel(eigenvalues: [1], weights: [0])
    #expect(atMinimum.forecast(rate: 1).iterations(toGradientFraction: 0.1) == nil)
  }

  @Test func `contraction examples`() {
    func factor(_ lambda: Double, _ rate: Double, _ k: Double) -> Double {
      abs(StepFactor(rate: rate, eigenvalue: lambda).value(after: k))
    }
    #expect(close(factor(100, 0.005, 5), 0.03125, 1e-12))
    #expect(close(factor(0.01, 0.005, 10_000), 0.606523077874078, 1e-12))
    let minimax = 2 / (100 + 0.01)
    let both = exp(-2 * 10_000 * atanh(1e-4))
    #expect(close(factor(100, minimax, 10_000), both, 1e-11))
    #expect(close(factor(0.01, minimax, 10_000), both, 1e-11))
    for (rate, steps) in [(0.005, 69313), (minimax, 17329)] {
      let model = QuadraticModel(eigenvalues: [0.01], weights: [1])
      #expect(model.forecast(rate: rate).iterations(toGradientFraction: 0.03125) == steps)
    }
  }

  @Test func `a step falls short by the truncation error`() {
    let model = Self.bowl(10)
    let rate = 0.03
    var run = NaiveDescent(eigenvalues: [10, 1], start: [1, 1])
    let before = run.gap
    run.step(rate: rate)
    let shortfall = run.gap - (before - rate * model.squaredGradientNorm)
    #expect(close(model.truncationError(rate: rate), shortfall, 1e-12))
    #expect(close(model.truncationError(rate: 2 * rate), 4 * shortfall, 1e-12))
  }

  @Test func `bounds of convergence theory hold`() {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<20 {
      let eigenvalues = (0..<5).map { _ in Double.random(in: 0.01...1, using: &generator) }
      let weights = (0..<5).map { _ in Double.random(in: 0.01...1, using: &generator) }
      let model = QuadraticModel(eigenvalues: eigenvalues, weights: weights)
      let distance = zip(eigenvalues, weights).reduce(0) { $0 + $1.1 / ($1.0 * $1.0) }
      let forecast = model.forecast(rate: 1)
      for k in [1, 3, 10, 100] {
        #expect(forecast.gap(after: k) <= distance / (2 * Double(k)))
        #expect(
          forecast.gap(after: k)
            <= pow(1 - eigenvalues.min()!, Double(k)) * model.initialGap * (1 + 1e-12))
      }
    }
  }
}
