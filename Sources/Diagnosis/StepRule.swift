/// The optimizer whose largest stable learning rate is asked for.
///
/// Along a direction of curvature `lambda > 0` a step map of constant rate `eta` is stable where
/// `eta lambda` stays below ``criticalProduct``. For `adam` the curvature is that of the
/// preconditioned Hessian `P^(-1/2) H P^(-1/2)`.
///
/// Reference: Cohen et al., arXiv:2103.00065 (appendix B) and arXiv:2207.14484.
public enum StepRule: Sendable, Equatable {
  case gradientDescent
  /// `v = b v + g`, `x -= eta v` (Polyak's heavy ball).
  case momentum(Double)
  /// `m = b m + (1 - b) g`, `x -= eta m`.
  case averagedMomentum(Double)
  /// Adam with first-moment coefficient `beta1`, on its preconditioned curvature.
  case adam(beta1: Double)

  /// The product of rate and curvature at which the direction starts to diverge: 2 for descent,
  /// `2 + 2b` for momentum, `(2 + 2b) / (1 - b)` for its averaged form and for Adam.
  public var criticalProduct: Double {
    switch self {
    case .gradientDescent: 2
    case .momentum(let b): 2 + 2 * b
    case .averagedMomentum(let b), .adam(let b): (2 + 2 * b) / (1 - b)
    }
  }

  /// The share of the limit below which a rate is too small for every direction: there even the
  /// sharpest keeps more than 90 % of its error per step. 0.05 for descent; momentum, which adds up
  /// `1 / (1 - b)` steps, gets as far with less.
  public var slowBelow: Double {
    switch self {
    case .gradientDescent: Verdict.slowBelow
    case .momentum(let b), .averagedMomentum(let b), .adam(let b):
      Verdict.slowBelow * (1 - b) / (1 + b)
    }
  }

  /// The rates below this are stable along curvature `curvature`; nil unless it is positive.
  public func limit(curvature: Double) -> Double? {
    curvature > 0 ? criticalProduct / curvature : nil
  }
}
