import Foundation

extension QuadraticModel {
  /// `sum_i w_i (1 - (1 - eta lambda_i)^(2N)) / (2 lambda_i)` over `lambda_i > zeroThreshold`: what
  /// plain descent gains in `N` steps.
  public func reachableDecrease(steps: Int, rate: Double) -> Double {
    decreases(steps: steps, rate: rate).reduce(0) { $0 + $1.decrease }
  }

  /// The eigenvalue above which 99 % of the decrease reachable in 1,000 steps lies.
  ///
  /// The smallest eigenvalue of a large problem says nothing about training: descent never gets
  /// there. This one bounds the curvature that matters within `steps` steps at `rate`, usually
  /// `1 / upperBound`. Nil where nothing can be gained.
  public func effectiveSmallest(steps: Int = 1000, rate: Double, share: Double = 0.99) -> Double? {
    let modes = decreases(steps: steps, rate: rate).sorted { $0.eigenvalue > $1.eigenvalue }
    let target = share * modes.reduce(0) { $0 + $1.decrease }
    guard target > 0, target.isFinite else { return nil }
    var sum = 0.0
    for mode in modes {
      sum += mode.decrease
      if sum >= target { return mode.eigenvalue }
    }
    return modes.last?.eigenvalue
  }

  /// A rate and the number of steps it is predicted to need.
  public struct RatedIterations: Sendable, Equatable {
    public let rate: Double
    public let iterations: Int
  }

  /// The rate, at most `1.9 / upperBound` (a margin of 5 % below the stability limit), at which plain
  /// descent needs the fewest predicted steps.
  ///
  /// For every `k` the gap is convex in the rate, so the rates that meet the tolerance within `k`
  /// steps form an interval: a golden-section search over the logarithm of the rate cannot be
  /// caught in a local minimum. It minimises the real-valued count, which has no plateaus.
  /// Nil where nothing can be gained.
  /// - Precondition: `upperBound > 0`, and no node lies above it by more than 5 %.
  public func fastestRate(upperBound: Double, tolerance: Double) -> RatedIterations? {
    precondition(upperBound > 0, "the bound \(upperBound) on the curvature is not positive")
    guard let sharpest = reachable.map(\.eigenvalue).max(), initialGap > 0 else { return nil }
    let ceiling = 1.9 / upperBound
    let floor = min(1 / sharpest, ceiling)
    func count(_ logRate: Double) -> Double {
      forecast(rate: exp(logRate)).realIterations(toRelativeGap: tolerance) ?? .infinity
    }
    let candidates = [
      exp(goldenSection(from: log(floor), to: log(ceiling), minimising: count)), floor, ceiling,
    ]
    var best: RatedIterations?
    for rate in candidates {
      guard
        let iterations = forecast(rate: rate).iterations(toRelativeGap: tolerance),
        iterations < best?.iterations ?? .max
      else { continue }
      best = RatedIterations(rate: rate, iterations: iterations)
    }
    return best
  }

  private func decreases(steps: Int, rate: Double) -> [(eigenvalue: Double, decrease: Double)] {
    reachable.map { mode in
      let factor = StepFactor(rate: rate, eigenvalue: mode.eigenvalue)
      let lost = -expm1(2 * Double(steps) * factor.logPerStep)
      return (mode.eigenvalue, mode.weight * lost / (2 * mode.eigenvalue))
    }
  }
}

private func goldenSection(
  from low: Double, to high: Double, minimising value: (Double) -> Double
) -> Double {
  let ratio = (5.0.squareRoot() - 1) / 2
  var (a, b) = (low, high)
  var (x, y) = (b - ratio * (b - a), a + ratio * (b - a))
  var (atX, atY) = (value(x), value(y))
  for _ in 0..<80 where b - a > 1e-12 * max(1, abs(a)) {
    if atX <= atY {
      (b, y, atY) = (y, x, atX)
      x = b - ratio * (b - a)
      atX = value(x)
    } else {
      (a, x, atX) = (x, y, atY)
      y = a + ratio * (b - a)
      atY = value(y)
    }
  }
  return (a + b) / 2
}
