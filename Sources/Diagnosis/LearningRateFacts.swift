import Training

/// What the extreme eigenvalues of a Hessian say about the learning rate.
///
/// The stability limit uses `upperBound`, not the largest eigenvalue found: an under-estimated
/// sharpness is an over-estimated limit.
public struct LearningRateFacts: Sendable, Equatable {
  /// Extreme curvatures of a Hessian, as measured.
  public struct Curvature: Sendable, Equatable {
    /// The largest eigenvalue found.
    public let largest: Double
    /// A bound that the largest eigenvalue does not exceed.
    public let upperBound: Double
    /// The smallest (most negative) eigenvalue.
    public let smallest: Double
    /// The smallest eigenvalue above the zero threshold, where it is known.
    public let smallestPositive: Double?
    /// Eigenvalues within this of zero count as zero.
    public let zeroThreshold: Double
    /// How far off `smallest` may be, where an iteration found it; 0 after a dense solve.
    public let smallestUncertainty: Double

    public init(
      largest: Double, upperBound: Double, smallest: Double, smallestPositive: Double? = nil,
      zeroThreshold: Double, smallestUncertainty: Double = 0
    ) {
      self.largest = largest
      self.upperBound = upperBound
      self.smallest = smallest
      self.smallestPositive = smallestPositive
      self.zeroThreshold = zeroThreshold
      self.smallestUncertainty = smallestUncertainty
    }

    /// Whether some direction curves downwards: an eigenvalue below `-zeroThreshold`.
    public var isIndefinite: Bool { smallest < -zeroThreshold }
    /// Whether no eigenvalue counts as zero or negative, and the smallest is known to 1 %.
    public var isPositiveDefinite: Bool {
      smallest > zeroThreshold && smallestUncertainty <= 0.01 * smallest
    }
    /// `lambda_max / lambda_min`, the spread of the ideal rates; nil unless positive definite, and where it
    /// overflows.
    public var conditionNumber: Double? {
      isPositiveDefinite ? Self.conditionNumber(largest, smallest) : nil
    }

    /// `largest / smallest`; nil where it overflows, and at least 1 where rounding says less.
    package static func conditionNumber(_ largest: Double, _ smallest: Double) -> Double? {
      let quotient = largest / smallest
      return quotient.isFinite ? max(1, quotient) : nil
    }
  }

  public let curvature: Curvature
  /// Nil for an optimizer of which no limit is known.
  public let rule: StepRule?
  /// The largest stable rate of the rule; nil without positive curvature.
  public let stabilityLimit: Double?
  /// `2 / (lambda_min + lambda_max)`, the best rate for the worst direction of plain descent; nil
  /// unless positive definite, and for a rule that is unstable where descent is stable. For large
  /// condition numbers it sits at the edge of instability.
  public let minimax: Double?
  /// `(kappa - 1) / (kappa + 1)`, the error per step at the minimax rate; nil likewise.
  public let contraction: Double?
  /// The rate asked about.
  public let given: Double?
  /// `given * largest`; nil where it overflows.
  public let givenTimesSharpness: Double?
  /// Nil without a given rate, or where the limit is not known.
  public let verdict: Verdict?

  /// - Parameter preconditionedBound: for a preconditioned rule such as Adam's, an upper bound on the
  ///   largest eigenvalue of its preconditioned Hessian; without one it has no limit and no verdict.
  public init(
    _ curvature: Curvature, rule: StepRule? = .gradientDescent, given: Double? = nil,
    preconditionedBound: Double? = nil
  ) {
    self.curvature = curvature
    self.rule = rule
    self.given = given
    let bound: Double?
    if rule?.isPreconditioned == true {
      bound = preconditionedBound
    } else {
      bound = curvature.largest > curvature.zeroThreshold ? curvature.upperBound : nil
    }
    stabilityLimit = bound.flatMap { rule?.limit(curvature: $0) }
    if let kappa = curvature.conditionNumber,
      rule?.criticalProduct ?? 2 >= StepRule.gradientDescent.criticalProduct
    {
      minimax = 2 / (curvature.smallest + curvature.largest)
      contraction = (kappa - 1) / (kappa + 1)
    } else {
      minimax = nil
      contraction = nil
    }
    givenTimesSharpness = given.map { $0 * curvature.largest }.flatMap { $0.isFinite ? $0 : nil }
    let limit = stabilityLimit
    verdict = given.flatMap {
      Verdict(
        rate: $0, limit: limit, indefinite: curvature.isIndefinite,
        slowBelow: rule?.slowBelow ?? Verdict.slowBelow)
    }
  }

  /// Polyak's optimum for curvatures between `smallest` and `largest`:
  /// `rate = 4 / (sqrt L + sqrt mu)^2`, `momentum = ((sqrt kappa - 1) / (sqrt kappa + 1))^2`.
  ///
  /// - Precondition: `0 < smallest <= largest`.
  public static func optimalMomentum(
    smallest: Double, largest: Double
  ) -> (rate: Double, momentum: Double) {
    precondition(0 < smallest && smallest <= largest, "optimal momentum needs 0 < mu <= L")
    let (low, high) = (smallest.squareRoot(), largest.squareRoot())
    let root = (high - low) / (high + low)
    return (4 / ((high + low) * (high + low)), root * root)
  }
}

/// What one eigen-direction of the Hessian does at a given rate.
public struct EigenDirection: Sendable, Equatable, Codable {
  public enum Regime: String, Sendable, Codable, CaseIterable {
    /// The error shrinks without changing sign.
    case monotone
    /// The minimum along the direction is reached in one step.
    case oneStep = "one-step"
    /// Each step overshoots, and the error shrinks.
    case oscillating
    /// Each step overshoots to the mirror image; the error stays.
    case twoCycle = "two-cycle"
    /// The error grows.
    case diverging
    /// Zero curvature: nothing pulls towards a minimum.
    case frozen
  }

  public let eigenvalue: Double
  /// `1 / lambda`; nil for zero or negative curvature.
  public let idealRate: Double?
  /// The error's factor per step, `1 - eta lambda` for plain descent; with momentum the dominant
  /// root of its recurrence, or the modulus where that is complex. Nil where it overflows.
  public let contraction: Double?
  /// Steps until this direction's part of the loss gap has shrunk by the tolerance; nil if never.
  public let iterations: Int?
  public let regime: Regime?
  /// Steps in which the error halves, `ln 2 / -ln |contraction|`; nil unless it shrinks.
  public let halfLife: Double?

  /// - Parameters:
  ///   - rate: the rate in use; nil leaves only the eigenvalue and its ideal rate.
  ///   - optimizer: whose steps; of one without a closed form nothing but the ideal rate is said.
  ///   - tolerance: the relative loss gap that `iterations` counts to.
  public init(
    eigenvalue: Double, zeroThreshold: Double, rate: Double?,
    optimizer: any Optimizer = GradientDescent(), tolerance: Double
  ) {
    self.eigenvalue = eigenvalue
    idealRate = eigenvalue > zeroThreshold ? 1 / eigenvalue : nil
    guard let rate, let rule = optimizer.stability,
      let factor = optimizer.stepFactor(rate: rate, eigenvalue: eigenvalue)
    else {
      (contraction, iterations, regime, halfLife) = (nil, nil, nil, nil)
      return
    }
    let perStep = factor.perStep
    contraction = perStep.isFinite ? perStep : nil
    if eigenvalue > zeroThreshold {
      iterations = QuadraticModel(eigenvalues: [eigenvalue], weights: [1])
        .forecast(rate: rate, by: optimizer)?.iterations(toRelativeGap: tolerance)
      regime = Self.regime(product: rate * eigenvalue, critical: rule.criticalProduct, factor)
      let log = factor.logPerStep
      let half = -0.6931471805599453 / log
      halfLife = (regime == .monotone || regime == .oscillating) && half.isFinite ? half : nil
    } else {
      (iterations, halfLife) = (nil, nil)
      regime = eigenvalue < -zeroThreshold ? .diverging : .frozen
    }
  }

  /// Rounding of `1 / lambda` may move the product by an ulp or two off one or two.
  private static func regime(
    product: Double, critical edge: Double, _ factor: StepFactor
  ) -> Regime {
    let slack = 4 * Double.ulpOfOne
    if abs(product - edge) <= slack * edge { return .twoCycle }
    if product > edge { return .diverging }
    if abs(factor.perStep) <= slack { return .oneStep }
    return factor.isOverdamped ? .monotone : .oscillating
  }
}
