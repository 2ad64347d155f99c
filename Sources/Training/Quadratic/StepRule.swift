/// Which learning rates of an optimizer are stable.
///
/// Along a direction of curvature `lambda > 0` a step map of constant rate `eta` is stable where
/// `eta lambda` stays below ``criticalProduct``. For a preconditioned rule the curvature is that of
/// `P^(-1/2) H P^(-1/2)`.
///
/// Reference: Cohen et al., arXiv:2103.00065 (appendix B) and arXiv:2207.14484.
public struct StepRule: Sendable, Equatable {
  /// The product of rate and curvature at which the direction starts to diverge.
  public let criticalProduct: Double
  /// The share of the limit below which a rate is too small for every direction: there even the
  /// sharpest keeps more than 90 % of its error per step.
  public let slowBelow: Double
  /// The share of its last move that a step repeats.
  public let momentum: Double
  /// Whether the curvature is that of the Hessian divided by the optimizer's preconditioner.
  public let isPreconditioned: Bool

  public init(
    criticalProduct: Double, slowBelow: Double, momentum: Double = 0,
    isPreconditioned: Bool = false
  ) {
    self.criticalProduct = criticalProduct
    self.slowBelow = slowBelow
    self.momentum = momentum
    self.isPreconditioned = isPreconditioned
  }

  /// The rates below this are stable along curvature `curvature`; nil unless it is positive.
  public func limit(curvature: Double) -> Double? {
    curvature > 0 ? criticalProduct / curvature : nil
  }

  /// By how much an error grows per step along the direction that sets the limit, at so many times the
  /// limit: that of heavy-ball momentum.
  package func growth(timesLimit: Double) -> Double {
    StepFactor(rate: timesLimit, eigenvalue: 2 + 2 * momentum, momentum: momentum).perStep
  }
}
