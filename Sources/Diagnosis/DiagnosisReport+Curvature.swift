extension DiagnosisReport {
  /// The range of a condition number whose flat end is lost in rounding.
  public struct OpenConditionNumber: Sendable, Equatable, Codable {
    /// Directions that rounding does not let tell from flat.
    public var unresolved: Int
    /// The condition number is not below this.
    public var atLeast: Double
    /// With unresolved directions: it is not below this if any of them curves upwards. Without: it is not
    /// above this; nil where nothing bounds it.
    public var other: Double?

    public init(unresolved: Int, atLeast: Double, other: Double?) {
      self.unresolved = unresolved
      self.atLeast = atLeast
      self.other = other
    }
  }
}

/// What the numbers of a report's curvature come to.
extension DiagnosisReport.Curvature {
  /// Whether an eigenvalue counts as zero.
  package func countsAsZero(_ eigenvalue: Double) -> Bool { abs(eigenvalue) <= zeroThreshold ?? 0 }

  /// An eigenvalue, or 0 where it counts as that.
  package func rounded(_ eigenvalue: Double) -> Double {
    countsAsZero(eigenvalue) ? 0 : eigenvalue
  }

  /// How far apart the curvatures lie that are not zero.
  package enum Spread: Equatable {
    case conditionNumber(Double)
    /// The loss curves downwards somewhere, so that no number would mean anything.
    case indefinite
    /// Some directions are flat; of the others it is this.
    case ofTheOthers(Double)
    case unresolved
    /// Rounding leaves it open; it is at least this, and of the directions so many may be flat.
    case atLeast(Double, flat: Int)
    /// Nothing was measured.
    case unknown
  }

  package var spread: Spread {
    if let open = conditionNumberOpen { return .atLeast(open.atLeast, flat: open.unresolved) }
    if let conditionNumber { return .conditionNumber(conditionNumber) }
    if indefinite { return .indefinite }
    guard let value = largest.value else { return .unknown }
    return (smallestPositive?.value).map { .ofTheOthers(value / $0) } ?? .unresolved
  }

  /// The Gauss-Newton matrix's condition number, where it is another than the Hessian's.
  package var otherGaussNewtonConditionNumber: Double? {
    gaussNewtonConditionNumber.flatMap { other in
      switch spread {
      case .conditionNumber(let known), .ofTheOthers(let known):
        abs(other - known) > 1e-6 * known ? other : nil
      case .indefinite, .unresolved, .unknown, .atLeast: other
      }
    }
  }

  /// Whether the effective condition number is an estimate, for want of a dense solve.
  package var isEffectiveEstimated: Bool {
    effectiveConditionNumber != nil && largest.failureProbability.map { $0 > 0 } == true
  }
}
