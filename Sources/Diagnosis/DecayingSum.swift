import Foundation

/// `S_k = constant + sum_i c_i p_k(i)^2`, and the first step at which it is small enough.
struct DecayingSum: Sendable {
  let coefficients: [Double]
  let factors: [StepFactor]
  /// `eta lambda_i`, for stepping the recurrence.
  let products: [Double]
  let momentum: Double
  let constant: Double

  /// Node-steps of the recurrence that a count may cost before its envelope is taken instead.
  private static let scanBudget = 20_000_000.0
  /// Steps between two returns to the closed form, which keep rounding from piling up.
  private static let scanBlock = 4096

  func value(after k: Double) -> Double {
    var sum = constant
    for (coefficient, factor) in zip(coefficients, factors) {
      let p = factor.value(after: k)
      sum += coefficient * p * p
    }
    return sum
  }

  /// The smallest whole `k` with `S_k <= target`; nil where a term grows, or past `limit`.
  ///
  /// Without momentum `S` falls with `k` and bisection is exact. With momentum it oscillates: terms
  /// that fall steadily bound the step from below, an upper bound of the others bounds it from
  /// above, and the recurrence is stepped in between. Where that would cost too much, the answer is
  /// the step from which on the bound, and so `S` itself, stays below the target.
  func firstStep(below target: Double, limit: Int) -> Int? {
    guard target.isFinite, factors.allSatisfy({ $0.logPerStep <= 0 }) else { return nil }
    if value(after: 0) <= target { return 0 }
    guard constant <= target else { return nil }
    if factors.allSatisfy(\.isMonotone) {
      return bisect(from: 0, limit: limit) { value(after: Double($0)) <= target }
    }
    let lower =
      bisect(from: 0, limit: limit) { steadyPart(after: Double($0)) <= target } ?? limit
    guard
      let upper = bisect(from: lower, limit: limit, holds: { envelope(after: $0) <= target })
    else { return nil }
    let work = Double(upper - lower) * Double(max(1, factors.count))
    return work <= Self.scanBudget ? scan(from: lower, to: upper, target: target) : upper
  }

  /// The real `k > 0` with `S_k = target`, for sums without oscillation: Newton's method on the
  /// convex `ln S`, which climbs to the root from the left without overshooting.
  func realStep(at target: Double) -> Double? {
    guard factors.allSatisfy({ $0.logPerStep < 0 }), constant == 0, target > 0 else { return nil }
    let rates = factors.map { 2 * $0.logPerStep }
    var k = 0.0
    for _ in 0..<200 {
      var sum = 0.0
      var slope = 0.0
      for (coefficient, rate) in zip(coefficients, rates) {
        if rate == -.infinity { continue }
        let term = coefficient * exp(rate * k)
        sum += term
        slope += rate * term
      }
      guard sum > target else { return k }
      let step = log(sum / target) * sum / -slope
      k += step
      if step <= 1e-13 * k { return k }
    }
    return k
  }

  private func steadyPart(after k: Double) -> Double {
    var sum = constant
    for (coefficient, factor) in zip(coefficients, factors) where factor.isMonotone {
      let p = factor.value(after: k)
      sum += coefficient * p * p
    }
    return sum
  }

  private func envelope(after k: Int) -> Double {
    var sum = constant
    for (coefficient, factor) in zip(coefficients, factors) {
      let p = factor.envelope(after: Double(k))
      sum += coefficient * p * p
    }
    return sum
  }

  /// The first step from `start` at which `holds`, if it holds ever after; else some such step.
  private func bisect(from start: Int, limit: Int, holds: (Int) -> Bool) -> Int? {
    if holds(start) { return start }
    var low = start
    var stride = 1
    while true {
      let high = min(limit, start + stride)
      if holds(high) {
        var (bad, good) = (low, high)
        while good - bad > 1 {
          let middle = bad + (good - bad) / 2
          if holds(middle) { good = middle } else { bad = middle }
        }
        return good
      }
      if high >= limit { return nil }
      low = high
      stride *= 2
    }
  }

  private func scan(from lower: Int, to upper: Int, target: Double) -> Int {
    var start = lower
    while start < upper {
      let end = min(upper, start + Self.scanBlock)
      var sums = [Double](repeating: constant, count: end - start)
      for index in factors.indices {
        let trace = 1 + momentum - products[index]
        var current = factors[index].value(after: Double(start))
        var previous = start == 0 ? 1 : factors[index].value(after: Double(start - 1))
        let coefficient = coefficients[index]
        sums.withUnsafeMutableBufferPointer { sums in
          for offset in 0..<sums.count {
            sums[offset] += coefficient * current * current
            (current, previous) = (trace * current - momentum * previous, current)
          }
        }
      }
      if let offset = sums.firstIndex(where: { $0 <= target }) { return start + offset }
      start = end
    }
    return upper
  }
}
