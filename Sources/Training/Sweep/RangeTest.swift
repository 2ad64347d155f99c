import Curvature
import Foundation
import LinearMaps

/// The learning-rate range test: one run whose rate grows by the same factor in every step, and the loss of
/// each step's samples over it.
///
/// The rate suggested is where the smoothed loss falls steepest, as fast.ai's and torch-lr-finder's default
/// has it. It is one number of one noisy run: nothing in it says how sure it is.
///
/// Reference: Smith, "Cyclical learning rates for training neural networks", arXiv:1506.01186, section 3.3.
public struct RangeTest: Sendable, Equatable, Codable {
  public var rates: [Double]
  /// Of each step, smoothed with the ones before: `0.05 l + 0.95 s`.
  public var losses: [Double]
  /// Where the smoothed loss falls steepest; nil for fewer than three steps, or where it never falls.
  public var suggestion: Double?

  /// - Parameters:
  ///   - lower: the rate of the first step.
  ///   - upper: that of the last; the test ends before it where the loss is five times its least, or not
  ///     finite.
  /// - Throws: what `TrainingRun` throws.
  public init<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, from start: [Scalar],
    gradients source: GradientSource<Scalar>, rules: StepRules = StepRules(), lower: Double,
    upper: Double, steps: Int = 100
  ) throws {
    precondition(lower > 0 && upper > lower && steps >= 2, "a range of rates over several steps")
    let run = try TrainingRun(
      loss, optimizer, rate: lower, from: start, gradients: source, rules: rules)
    (rates, losses) = ([], [])
    var least = Double.infinity
    for step in 0..<steps {
      let share = Double(step) / Double(steps - 1)
      let rate = step == 0 ? lower : exp(log(lower) + share * (log(upper) - log(lower)))
      run.rate = rate
      let raw = try run.step().loss
      let smoothed = losses.last.map { 0.05 * raw + 0.95 * $0 } ?? raw
      guard smoothed.isFinite, smoothed <= 5 * least || least <= 0 else { break }
      least = min(least, smoothed)
      rates.append(rate)
      losses.append(smoothed)
    }
    suggestion = Self.steepest(rates, losses)
  }

  /// The rate at the least slope of the losses over the steps, by central differences; ten steps at the
  /// beginning and five at the end are left out where there are enough.
  static func steepest(_ rates: [Double], _ losses: [Double]) -> Double? {
    let isLong = rates.count >= 20
    let range = (isLong ? 10 : 0)..<(isLong ? rates.count - 5 : rates.count)
    guard range.count >= 3 else { return nil }
    func slope(_ index: Int) -> Double {
      let (before, after) = (max(range.lowerBound, index - 1), min(range.upperBound - 1, index + 1))
      return (losses[after] - losses[before]) / Double(after - before)
    }
    guard let best = range.min(by: { slope($0) < slope($1) }), slope(best) < 0 else { return nil }
    return rates[best]
  }
}
