/// How hard a condition number makes training, in words.
///
/// Below 10 a bowl is round; below 1,000 one rate still serves; below a million plain descent crawls;
/// above, it does not get anywhere; from `1 / eps` on, the arithmetic cannot see the flat end.
public enum Conditioning: String, Sendable, Codable, CaseIterable {
  case good
  case moderate
  case bad
  case severe
  case unresolved

  /// - Parameter epsilon: the relative rounding unit of the arithmetic (`2^-52` for float64).
  public init(conditionNumber: Double, epsilon: Double = Double.ulpOfOne) {
    switch conditionNumber {
    case ..<10: self = .good
    case ..<1e3: self = .moderate
    case ..<min(1e6, 1 / epsilon): self = .bad
    case ..<(1 / epsilon): self = .severe
    default: self = .unresolved
    }
  }

  /// What it means for training, to be read after "The condition number is ...".
  public var meaning: String {
    switch self {
    case .good: "the bowl is nearly round, and one learning rate suits every direction"
    case .moderate: "one learning rate serves, with some patience in the flat directions"
    case .bad:
      "any learning rate small enough for the sharpest direction crawls in the flattest"
    case .severe:
      "plain gradient descent makes no visible progress in the flat directions"
    case .unresolved:
      "the flattest direction is below what this precision can resolve"
    }
  }

  /// `tau = max(n eps, rounding) |lambda|_max`: an eigenvalue within tau counts as zero.
  ///
  /// - Parameters:
  ///   - parameters: the number `n` of parameters.
  ///   - epsilon: the relative rounding unit of the arithmetic.
  ///   - productRounding: the measured rounding of a Hessian product, relative to `|lambda|_max`.
  ///   - largestMagnitude: the largest absolute eigenvalue.
  public static func zeroThreshold(
    parameters: Int, epsilon: Double, productRounding: Double = 0, largestMagnitude: Double
  ) -> Double {
    max(Double(parameters) * epsilon, productRounding) * abs(largestMagnitude)
  }
}
