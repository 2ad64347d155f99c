/// The largest rate `r` along a direction up to which a loss `f(r)` is no higher than `f(0)`, by a few values.
///
/// With `psi(r) = (f(r) - f(0)) / r`, which for a quadratic is a straight line, it is where `psi` crosses zero:
/// two values give it exactly there. A first guess, and twice or half of it; further out until there is a rate on
/// either side; then the secant's crossing, three times at the most. A rise followed by another fall is not looked for.
///
/// Reference: Kalra et al., arXiv:2601.16979, whose search this one's interpolation shortens.
struct CriticalRate {
  /// Zero where no rate that was tried lowers the loss by more than its rounding; the largest that was tried where
  /// none raises it.
  let rate: Double
  /// Values of the loss that were taken, that at 0 among them.
  let values: Int

  private static let mostValues = 40
  private static let mostInterpolations = 3
  /// The relative width of a bracket that needs no interpolation.
  private static let width = 0.01

  private typealias Trial = (rate: Double, rise: Double)

  /// - Parameters:
  ///   - guess: that of the last search, or the rate of the run.
  ///   - precision: the relative rounding of the loss.
  ///   - loss: at a rate along the direction.
  /// - Throws: what `loss` throws.
  init(
    from guess: Double, precision: Double = .ulpOfOne, _ loss: (Double) throws -> Double
  ) throws {
    let base = try loss(0)
    guard base.isFinite, guess > 0, guess.isFinite else {
      (rate, values) = (0, 1)
      return
    }
    var count = 1
    var fall = 0.0
    var (low, high): (Trial?, Trial?)
    func take(_ rate: Double) throws -> Trial {
      let value = try loss(rate)
      count += 1
      fall = max(fall, base - value)
      let trial = (rate, value.isFinite ? (value - base) / rate : .infinity)
      if trial.1 <= 0 { low = trial } else { high = trial }
      return trial
    }
    var last = try take(guess)
    var next = low == nil ? guess / 2 : guess * 2
    while low == nil || high == nil, count < Self.mostValues, next > 0, next.isFinite {
      let trial = try take(next)
      let crossing = Self.crossing(last, trial)
      next =
        low == nil
        ? trial.rate * min(0.5, max(0.1, 0.95 * crossing / trial.rate))
        : trial.rate * max(2, min(10, 1.05 * crossing / trial.rate))
      last = trial
    }
    var found = low?.rate ?? 0
    if let low, let high { found = try Self.interpolated(low, high, take) }
    // A trial at the crossing itself shows no fall, but one half as far does.
    let rounding = 16 * precision * abs(base)
    if found > 0, fall <= rounding { _ = try take(found / 2) }
    rate = fall > rounding ? found : 0
    values = count
  }

  /// Where the line through two trials is zero; NaN where that is nowhere.
  private static func crossing(_ a: Trial, _ b: Trial) -> Double {
    let root = (a.rate * b.rise - b.rate * a.rise) / (b.rise - a.rise)
    return root > 0 && root.isFinite ? root : .nan
  }

  /// The crossing between a rate without a rise and one with.
  private static func interpolated(
    _ first: Trial, _ second: Trial, _ take: (Double) throws -> Trial
  ) throws -> Double {
    var (low, high) = (first, second)
    func root() -> Double {
      let crossing = crossing(low, high)
      // Of a loss that is not finite there is only the middle.
      return crossing.isNaN ? (low.rate * high.rate).squareRoot() : crossing
    }
    for _ in 0..<mostInterpolations where high.rate - low.rate > width * high.rate {
      let guess = root()
      let trial = try take(guess)
      if trial.rise <= 0 { low = trial } else { high = trial }
      // Where the line was right, the crossing stays.
      if abs(root() - guess) <= width * guess { return root() }
    }
    return high.rise.isFinite ? root() : low.rate
  }
}
