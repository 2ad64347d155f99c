/// How an iteration ended: the reason, what it cost, and one sentence of advice.
public struct Convergence: Codable, Sendable, Equatable {
  public enum Reason: String, Codable, Sendable, CaseIterable {
    /// The tolerance was reached.
    case converged
    /// The basis spans an invariant subspace: its values are exact up to rounding.
    case invariantSubspace
    /// The operator applications allowed were spent first.
    case budget
    /// Rounding of the arithmetic or of the products forbids more accuracy.
    case stagnatedAtRounding
    /// A direction of negative curvature was met.
    case negativeCurvature
    /// A direction with no curvature was met, along which the problem has no solution.
    case flatDirection
  }

  public let reason: Reason
  /// Products with the operator, everything counted.
  public let operatorApplications: Int
  /// One sentence: what was reached, and what to do for more.
  public let advice: String

  public init(reason: Reason, operatorApplications: Int, advice: String) {
    self.reason = reason
    self.operatorApplications = operatorApplications
    self.advice = advice
  }

  /// Whether the result meets what was asked for.
  public var isConverged: Bool { reason == .converged || reason == .invariantSubspace }
}
