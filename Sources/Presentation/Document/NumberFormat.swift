/// How a number is shown.
public enum NumberFormat: Sendable, Equatable, Codable {
  /// `0.0213`, `665,841`, `4.59e8`: this many significant digits.
  case significant(Int)
  /// A whole number with separators.
  case count
  /// A number in `0...1` with as many digits as tell it from 1: `0.99995`.
  case share
  /// A share in hundredths: `12 %`.
  case percent
  /// A factor per step; next to one as its distance from one, which is what counts: `1 - 2e-7`.
  case kept
  /// The error of the number before it: `+- 0.3`.
  case plusMinus

  public func text(_ value: Double) -> String {
    switch self {
    case .significant(let digits): Wording.number(value, digits: digits)
    case .count: value.isFinite ? Wording.count(value) : Wording.number(value)
    case .share: Wording.share(value)
    case .percent: "\(Wording.number(100 * value)) %"
    case .kept: Wording.kept(value)
    case .plusMinus: "+- \(Wording.number(value))"
    }
  }

  /// An interval: `9 to 13 %`; one number where both ends look alike.
  public func text(_ lower: Double, to upper: Double) -> String {
    if case .percent = self {
      let (low, high) = (Wording.number(100 * lower), Wording.number(100 * upper))
      return low == high ? "\(low) %" : "\(low) to \(high) %"
    }
    let (low, high) = (text(lower), text(upper))
    return low == high ? low : "\(low) to \(high)"
  }
}
