import Foundation

/// `S_k = constant + sum_i c_i p_k(i)^2`, and the first step at which it is small enough.
struct DecayingSum: Sendable {
  let coefficients: [Double]
  let factors: [StepFactor]
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

  /// The smallest whole `k` from which on `S` stays at or below `target`; nil where a term grows, or
  /// past `limit`.
  ///
  /// Without momentum `S` falls with `k` and bisection is exact. With momentum it swings, and a dip below
  /// the target is no arrival: from the step on at which a falling bound of `S` has come down to the
  /// target, the recurrence is stepped backwards to the last step above it. Where that would cost too
  /// much, the bound's step is the answer.
  func firstStep(below target: Double, limit: Int) -> Int? {
    guard target.isFinite, factors.allSatisfy({ $0.logPerStep <= 0 }), constant <= target else {
      return nil
    }
    if factors.allSatisfy(\.isMonotone) {
      if value(after: 0) <= target { return 0 }
      return bisect(from: 0, limit: limit) { value(after: Double($0)) <= target }
    }
    guard let upper = boundedStep(below: target, limit: limit) else { return nil }
    return lastStep(above: target, before: upper).map { $0 + 1 } ?? upper
  }

  /// The smallest `k`, past the rise of all terms, at which the sum of the terms' bounds is at or below
  /// `target`: at most a swing later than `S` itself.
  func boundedStep(below target: Double, limit: Int) -> Int? {
    guard factors.allSatisfy({ $0.logPerStep < 0 }), constant <= target else { return nil }
    let crest = (factors.map(\.crest).max() ?? 0).rounded(.up)
    guard crest < Double(limit) else { return nil }
    return bisect(from: Int(crest), limit: limit) { envelope(after: $0) <= target }
  }

  /// The largest value of `S_k` over `k` up to `end`; in runs too long to step through its bound, which
  /// swings of unlike length nearly meet sooner or later.
  func peak(upTo end: Int) -> Double {
    guard !factors.allSatisfy(\.isMonotone) else { return value(after: 0) }
    let scanned = min(end, Int(Self.scanBudget / Double(factors.count)))
    var best = stride(from: 0, through: scanned, by: Self.scanBlock).reduce(value(after: 0)) {
      peak, start in
      max(peak, sums(from: start, count: min(Self.scanBlock, scanned + 1 - start)).max() ?? 0)
    }
    var step = Double(scanned)
    while step < Double(end) {
      // The bound has no swing that a grid could miss.
      step = max(step + 1, step * 1.01)
      best = max(best, envelope(after: Int(step)))
    }
    return best
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

  /// The last step before `upper` at which the sum is above `target`; nil where none was found for the
  /// budget.
  private func lastStep(above target: Double, before upper: Int) -> Int? {
    let affordable = Int(Self.scanBudget / Double(max(1, factors.count)))
    var end = upper
    while end > 0, upper - end < affordable {
      let start = max(0, end - Self.scanBlock)
      let values = sums(from: start, count: end - start)
      if let offset = values.lastIndex(where: { $0 > target }) { return start + offset }
      end = start
    }
    return end == 0 ? -1 : nil
  }

  /// `S_k` for `count` steps from `start`, by the recurrence; at most `scanBlock` of them, which keep
  /// rounding from piling up.
  private func sums(from start: Int, count: Int) -> [Double] {
    var sums = [Double](repeating: constant, count: count)
    for index in factors.indices {
      let factor = factors[index]
      let (trace, determinant) = (factor.trace, factor.determinant)
      var current = factor.value(after: Double(start))
      var next =
        start == 0
        ? factor.first ?? trace * current - determinant
        : trace * current - determinant * factor.value(after: Double(start - 1))
      let coefficient = coefficients[index]
      sums.withUnsafeMutableBufferPointer { sums in
        for offset in 0..<sums.count {
          sums[offset] += coefficient * current * current
          (current, next) = (next, trace * next - determinant * current)
        }
      }
    }
    return sums
  }
}
