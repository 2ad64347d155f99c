import Foundation

/// What a quadratic model says of descent at one rate: loss gap, gradient norm and step counts.
///
/// Every quantity is a closed form in the step `k`, so that `k = 1e15` costs as much as `k = 1`.
/// Made by ``QuadraticModel/forecast(rate:momentum:)`` or ``QuadraticModel/forecast(rate:by:)``.
public struct Forecast: Sendable {
  public let rate: Double
  /// `f_0 - f*` over the directions of positive curvature.
  public let initialGap: Double

  private let gapTerms: DecayingSum
  private let gradientTerms: DecayingSum

  /// - Parameter factor: of the error along a direction of this eigenvalue.
  init(model: QuadraticModel, rate: Double, factor: (_ eigenvalue: Double) -> StepFactor) {
    precondition(rate.isFinite, "the learning rate \(rate) is not finite")
    self.rate = rate
    initialGap = model.initialGap
    let reachable = model.reachable
    let factors = reachable.map { factor($0.eigenvalue) }
    gapTerms = DecayingSum(
      coefficients: reachable.map { $0.weight / (2 * $0.eigenvalue) }, factors: factors, constant: 0
    )

    var escaping: [QuadraticModel.Mode] = []
    for (eigenvalue, weight) in zip(model.eigenvalues, model.weights)
    where eigenvalue < -model.zeroThreshold && weight > 0 {
      escaping.append(QuadraticModel.Mode(eigenvalue: eigenvalue, weight: weight))
    }
    gradientTerms = DecayingSum(
      coefficients: (reachable + escaping).map(\.weight),
      factors: factors + escaping.map { factor($0.eigenvalue) }, constant: model.flatWeight)
  }

  /// `f_k - f* = sum_i w_i p_k(lambda_i)^2 / (2 lambda_i)`, where `p_k = (1 - eta lambda)^k` for
  /// plain descent.
  public func gap(after steps: Int) -> Double { gapTerms.value(after: Double(steps)) }

  /// `(f_k - f*) / (f_0 - f*)`; nil where there is nothing to gain.
  public func relativeGap(after steps: Int) -> Double? {
    initialGap > 0 ? gap(after: steps) / initialGap : nil
  }

  /// `||g_k||`, flat directions (which keep their slope) and negative ones (which steepen) included.
  public func gradientNorm(after steps: Int) -> Double {
    gradientTerms.value(after: Double(steps)).squareRoot()
  }

  /// `f_k` for each `k`, from the loss at the start.
  public func losses(at steps: [Int], from start: Double) -> [Double] {
    steps.map { start - (initialGap - gap(after: $0)) }
  }

  /// The smallest `k` from which on `gap <= tolerance * initialGap`, at `k` and ever after: with momentum
  /// the gap swings, and a dip is no arrival.
  ///
  /// Nil when some direction with a slope diverges at this rate, when nothing can be gained, or when
  /// no `k` up to `limit` will do.
  public func iterations(toRelativeGap tolerance: Double, limit: Int = Forecast.limit) -> Int? {
    guard initialGap > 0 else { return nil }
    return gapTerms.firstStep(below: tolerance * initialGap, limit: limit)
  }

  /// The smallest `k` with `||g_k|| <= fraction * ||g_0||`; nil as for the relative gap.
  public func iterations(toGradientFraction fraction: Double, limit: Int = Forecast.limit) -> Int? {
    let start = gradientTerms.value(after: 0)
    guard start > 0 else { return nil }
    return gradientTerms.firstStep(below: fraction * fraction * start, limit: limit)
  }

  /// A step from which on the relative gap stays below the tolerance, by a bound that only falls: at most
  /// a swing later than ``iterations(toRelativeGap:limit:)``, and cheap.
  package func boundedIterations(toRelativeGap tolerance: Double) -> Int? {
    guard initialGap > 0 else { return nil }
    return gapTerms.boundedStep(below: tolerance * initialGap, limit: Self.limit)
  }

  /// The largest relative gap over the first `steps` steps, or a close bound on it where they are too many
  /// to step through: above 1 where momentum first throws the loss up.
  public func peakRelativeGap(within steps: Int) -> Double? {
    guard initialGap > 0 else { return nil }
    let peak = gapTerms.peak(upTo: steps) / initialGap
    return peak.isFinite ? peak : nil
  }

  /// Steps beyond which no count is sought: far above anything that can be run, and exact as a
  /// double.
  public static let limit = 1_000_000_000_000_000

  /// The real `k` at which plain descent meets the tolerance: smooth in the rate, so a search over
  /// rates meets no plateaus.
  package func realIterations(toRelativeGap tolerance: Double) -> Double? {
    guard initialGap > 0 else { return nil }
    return gapTerms.realStep(at: tolerance * initialGap)
  }
}
