import Foundation
import LinearMaps
import Testing

@testable import Training

/// Steps of descent whose rates repeat, against the steps themselves.
@Suite struct CycleForecastTests {
  @Test func countsAsStepByStep() {
    var generator = SeededGenerator(seed: 12)
    for _ in 0..<60 {
      let n = Int.random(in: 1...6, using: &generator)
      let eigenvalues = (0..<n).map { _ in exp(6 * generator.nextUniform() - 4) }
      let weights = (0..<n).map { _ in 0.01 + generator.nextUniform() }
      let model = QuadraticModel(eigenvalues: eigenvalues, weights: weights)
      let limit = 2 / (eigenvalues.max() ?? 1)
      let cycle = (0..<Int.random(in: 1...9, using: &generator)).map { _ in
        limit * (0.05 + 0.9 * generator.nextUniform())
      }
      var errors = zip(weights, eigenvalues).map { ($0 / (2 * $1)).squareRoot() }
      func gap() -> Double { errors.reduce(0) { $0 + $1 * $1 } }
      let aim = 1e-5 * gap()
      var steps = 0
      while gap() > aim {
        for index in 0..<n { errors[index] *= 1 - cycle[steps % cycle.count] * eigenvalues[index] }
        steps += 1
      }
      #expect(model.iterations(cycle: cycle, toRelativeGap: 1e-5) == steps)
    }
  }

  @Test func oneRateIsAnOrdinaryForecast() {
    let model = QuadraticModel(eigenvalues: [1000, 3, 0.001], weights: [5, 1, 0.01])
    for rate in [1e-3, 1.9e-3, 1e-6] {
      #expect(
        model.iterations(cycle: [rate], toRelativeGap: 1e-6)
          == model.forecast(rate: rate).iterations(toRelativeGap: 1e-6))
    }
    // A rate of 0 in between only takes its step.
    let once = model.iterations(cycle: [1e-3], toRelativeGap: 1e-6)!
    #expect(model.iterations(cycle: [1e-3, 0], toRelativeGap: 1e-6) == 2 * once - 1)
    #expect(model.iterations(cycle: [3e-3], toRelativeGap: 1e-6) == nil)
    #expect(model.iterations(cycle: [0], toRelativeGap: 1e-6) == nil)
  }
}
