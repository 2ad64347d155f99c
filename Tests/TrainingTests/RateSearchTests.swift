import Foundation
import KnownLosses
import LinearMaps
import Testing
import Training

@Suite struct RateSearchTests {
  @Test func `the fastest rate beats a dense scan`() {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<12 {
      let n = Int.random(in: 1...5, using: &generator)
      let eigenvalues = (0..<n).map { _ in exp(Double.random(in: -5...0, using: &generator)) }
      let weights = (0..<n).map { _ in exp(Double.random(in: -12...0, using: &generator)) }
      let model = QuadraticModel(eigenvalues: eigenvalues, weights: weights)
      let bound = eigenvalues.max()! * 1.01
      let best = model.fastestRate(upperBound: bound, tolerance: 1e-6)!
      #expect(best.rate <= 1.9 / bound * (1 + 1e-12))
      #expect(model.forecast(rate: best.rate).iterations(toRelativeGap: 1e-6) == best.iterations)
      let scanned = (1...400).compactMap {
        model.forecast(rate: 1.9 / bound * Double($0) / 400).iterations(toRelativeGap: 1e-6)
      }.min()!
      #expect(best.iterations <= scanned)
    }
  }

  @Test func `a round bowl takes one step`() {
    let best = QuadraticModel(eigenvalues: [4, 4], weights: [1, 2])
      .fastestRate(upperBound: 4, tolerance: 1e-6)
    #expect(best?.iterations == 1)
    #expect(close(best?.rate ?? 0, 0.25, 1e-3))
  }

  @Test func `the effective smallest eigenvalue bounds 99 percent of the reachable decrease`() {
    // The flattest direction holds almost all of the gap, and none of what 1,000 steps reach.
    let eigenvalues = [1, 0.1, 0.01, 1e-9]
    let weights = [1, 0.05, 0.003, 1e-7]
    let model = QuadraticModel(eigenvalues: eigenvalues, weights: weights)
    var run = NaiveDescent(eigenvalues: eigenvalues, weights: weights)
    let start = run.gap
    for _ in 0..<1000 { run.step(rate: 1) }
    #expect(close(model.reachableDecrease(steps: 1000, rate: 1), start - run.gap, 1e-12))
    #expect(model.effectiveSmallest(rate: 1) == 0.01)
    #expect(model.effectiveSmallest(rate: 1, share: 0.5) == 1)
  }

  @Test func `wide spectra are quick`() {
    let n = 3000
    let eigenvalues = (0..<n).map { exp(-Double($0) / 100) }
    let model = QuadraticModel(
      eigenvalues: eigenvalues, weights: eigenvalues.map { $0 * $0 }, zeroThreshold: 1e-12)
    let clock = ContinuousClock()
    let time = clock.measure {
      #expect(model.fastestRate(upperBound: 1, tolerance: 1e-6) != nil)
    }
    #expect(time < .seconds(20))
  }
}
