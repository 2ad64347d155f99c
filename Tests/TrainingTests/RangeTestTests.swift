import Foundation
import LinearMaps
import Testing
import Training

@Suite struct RangeTestTests {
  /// One direction of curvature 1: the loss is `prod_k (1 - eta_k)^2 / 2` for the rates so far.
  @Test func lossesAreThoseOfTheGrowingRate() throws {
    let test = try RangeTest(
      quadratic([1]), GradientDescent(), from: [1.0], gradients: .allSamples, lower: 1e-3,
      upper: 100,
      steps: 60)
    var (position, smoothed, rate) = (1.0, [Double](), [Double]())
    for step in 0..<60 {
      let loss = position * position / 2
      let next = smoothed.last.map { 0.05 * loss + 0.95 * $0 } ?? loss
      guard next <= 5 * (smoothed.min() ?? .infinity) else { break }
      smoothed.append(next)
      rate.append(1e-3 * pow(1e5, Double(step) / 59))
      position *= 1 - rate.last!
    }
    #expect(test.rates.count == rate.count && test.rates.count < 60)
    #expect(relativeDistance(test.rates, rate) < 1e-12)
    #expect(relativeDistance(test.losses, smoothed) < 1e-12)
    // Ten steps at the beginning and five at the end are left out of the search for the steepest fall.
    let inner = 10..<rate.count - 5
    let slopes = inner.map { index in
      let (a, b) = (max(inner.lowerBound, index - 1), min(inner.upperBound - 1, index + 1))
      return (smoothed[b] - smoothed[a]) / Double(b - a)
    }
    #expect(test.suggestion == test.rates[10 + slopes.firstIndex(of: slopes.min()!)!])
  }

  @Test func noFallNoSuggestion() throws {
    let test = try RangeTest(
      quadratic([1]), GradientDescent(), from: [0.0], gradients: .allSamples, lower: 1e-3, upper: 1,
      steps: 30)
    #expect(test.suggestion == nil)
  }
}
