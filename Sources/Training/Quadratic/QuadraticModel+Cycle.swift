import Foundation

extension QuadraticModel {
  /// The first step at which descent whose rates repeat has come down to a relative gap, where none of them
  /// overshoots: `f_k - f* = sum_i w_i / (2 lambda_i) prod_t (1 - eta_t lambda_i)^2`.
  ///
  /// Whole cycles are taken in closed form, so that a long way costs as much as a short one.
  /// - Parameter cycle: the rates of a cycle, each below `2 / lambda_max`, so that the gap only falls.
  /// - Returns: nil where nothing can be gained, or where it takes more than `Forecast.limit` steps.
  package func iterations(cycle: [Double], toRelativeGap tolerance: Double) -> Int? {
    let modes = reachable
    let aim = tolerance * initialGap
    guard initialGap > 0, !cycle.isEmpty, cycle.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
      return nil
    }
    // By logarithms: a factor that is tiny to a large power is no NaN.
    let perCycle = modes.map { mode in
      cycle.reduce(0.0) { sum, rate in
        let product = rate * mode.eigenvalue
        return sum + (product < 1 ? log1p(-product) : log(product - 1))
      }
    }
    guard perCycle.allSatisfy({ $0 < 0 }) else { return nil }
    func gap(_ cycles: Double, _ factors: [Double]) -> Double {
      modes.indices.reduce(0) { sum, index in
        let left = factors[index] * exp(cycles * perCycle[index])
        return sum + modes[index].weight / (2 * modes[index].eigenvalue) * left * left
      }
    }
    let ones = modes.map { _ in 1.0 }
    // Whole cycles that do not suffice, and that do.
    var (low, high) = (0.0, 1.0)
    while gap(high, ones) > aim {
      (low, high) = (high, 2 * high)
      if high * Double(cycle.count) > Double(Forecast.limit) { return nil }
    }
    while high - low > 1 {
      let middle = ((low + high) / 2).rounded(.down)
      if gap(middle, ones) > aim { low = middle } else { high = middle }
    }
    var factors = ones
    for (step, rate) in cycle.enumerated() {
      if gap(low, factors) <= aim { return Int(low) * cycle.count + step }
      for index in modes.indices {
        factors[index] *= (1.0).addingProduct(-rate, modes[index].eigenvalue)
      }
    }
    return Int(low + 1) * cycle.count
  }
}
