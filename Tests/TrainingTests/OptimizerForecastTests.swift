import Curvature
import Foundation
import TensorPrograms
import Testing
import Training

/// The forecast of each optimizer against its own run on a quadratic.
@Suite struct OptimizerForecastTests {
  static let eigenvalues = [4, 1, 0.3, 0.05]
  static let start = [0.5, -1, 2, 3.0]

  static var model: QuadraticModel {
    QuadraticModel(
      eigenvalues: eigenvalues,
      weights: zip(eigenvalues, start).map { $0 * $1 * $0 * $1 })
  }

  @Test(arguments: OptimizerRow.all, [0.03, 0.2, 0.5, 0.9])
  func equalsARun(_ row: OptimizerRow, _ share: Double) throws {
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    guard optimizer.hasForecast, let rule = optimizer.stability else {
      #expect(Self.model.forecast(rate: 0.1, by: optimizer) == nil && row.name == "adam")
      return
    }
    let rate = try share * #require(rule.limit(curvature: 4))
    let forecast = try #require(Self.model.forecast(rate: rate, by: optimizer))
    let run = try TrainingRun(
      quadratic(Self.eigenvalues), optimizer, rate: rate, from: Self.start)
    var losses: [Double] = []
    var norms: [Double] = []
    let initial = Self.model.initialGap
    while losses.count < 200_000,
      losses.suffix(400).contains(where: { $0 > 1e-9 * initial })
        || losses.count < 400
    {
      let report = try run.step()
      let (loss, norm) = (report.loss, report.gradientNorm)
      losses.append(loss)
      norms.append(norm)
    }
    #expect(losses.last! < 1e-9 * initial)
    let (peak, steepest) = (losses.max()!, norms.max()!)
    for k in losses.indices.prefix(400) {
      #expect(abs(forecast.gap(after: k) - losses[k]) <= 1e-9 * peak, "k = \(k)")
      #expect(abs(forecast.gradientNorm(after: k) - norms[k]) <= 1e-7 * steepest, "k = \(k)")
    }
    for tolerance in [0.3, 1e-2, 1e-4, 1e-6] {
      let arrival = (losses.lastIndex { $0 > tolerance * initial } ?? -1) + 1
      #expect(forecast.iterations(toRelativeGap: tolerance) == arrival, "to \(tolerance)")
    }
    let foretold = try #require(forecast.peakRelativeGap(within: losses.count))
    #expect(abs(foretold * initial - peak) <= 1e-9 * peak)
    // Beyond the limit nothing arrives.
    let beyond = try #require(Self.model.forecast(rate: rate / share * 1.01, by: optimizer))
    #expect(beyond.iterations(toRelativeGap: 1e-6) == nil)
  }

  @Test func momentumBothWays() throws {
    for beta in [0.3, 0.9] {
      let own = Self.model.forecast(rate: 0.2, momentum: beta)
      let by = try #require(Self.model.forecast(rate: 0.2, by: Momentum(beta: beta)))
      for k in [0, 1, 10, 1000] { #expect(own.gap(after: k) == by.gap(after: k)) }
    }
    #expect(
      Momentum().hasForecast && GradientDescent().isPlainDescent && !Momentum().isPlainDescent)
    #expect(!Adam().hasForecast && Adam().hasBoundedSteps && !GradientDescent().hasBoundedSteps)
    #expect(!DiagonalDescent(inverse: [1]).isPlainDescent)
  }
}
