import Curvature
import LinearMaps

/// What rounding does to a loss and its gradient at a point: the run's own precision beside float64.
///
/// A loss of cancelling terms, as the residuals of an equation, is off by far more than the last place of its
/// value; so the difference between both precisions is measured, at the point and at four others whose entries
/// differ from it by about a millionth.
struct RoundingNoise {
  /// In float64.
  let loss: Double
  /// Standard deviation of the difference of losses over the points.
  let lossNoise: Double
  /// `|g32 - g64| / |g64|` at the point.
  let gradientShare: Double
  /// Of the gradient in float64.
  let largestEntry: Double

  /// - Throws: what the executor throws.
  init<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, _ double: any Loss<Double>, at point: [Scalar]
  ) throws {
    let (value, exact) = try double.valueAndGradient(at: point.map { Double($0) })
    let (rounded, gradient) = try loss.valueAndGradient(at: point)
    var (error, size, largest) = (0.0, 0.0, 0.0)
    for (exact, rounded) in zip(exact, gradient) {
      error += (exact - Double(rounded)) * (exact - Double(rounded))
      size += exact * exact
      largest = max(largest, abs(exact))
    }
    var differences = [rounded - value]
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<4 {
      let near = point.map { $0 * Scalar(1 + 1e-6 * generator.nextNormal()) }
      differences.append(
        try loss.value(at: near) - double.value(at: near.map { Double($0) }))
    }
    let mean = differences.reduce(0, +) / 5
    let spread = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.loss = value
    lossNoise = (spread / 4).squareRoot()
    gradientShare = size > 0 ? (error / size).squareRoot() : 0
    largestEntry = largest
  }
}
