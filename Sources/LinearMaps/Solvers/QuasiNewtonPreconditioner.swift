/// The inverse Hessian `P^-1` that an L-BFGS history stands for, as a product `L L'`.
///
/// The update `P+ = (I - rho s y') P (I - rho y s') + rho s s'`, `rho = 1 / y's`, is the congruence
/// `P+ = A P A'` with the rank-one factor
///
///     A = I - s c',   c = (y - alpha B s) / y's,   B = P^-1,   alpha = sqrt(y's / s'Bs),
///
/// so that `L = A_m ... A_1 sqrt(gamma)` from the start `gamma I`, `gamma = s'y / y'y` of the newest pair.
/// `B s` is had by running the inverses `A^-1 = I + alpha s c'` backwards. Costs `4 m n` operations to
/// apply `L` or `L'`, and `4 m^2 n` once.
///
/// Reference: Brodlie, Gourlay and Greenstadt, "Rank-one and rank-two corrections to positive definite
/// matrices expressed in product form", IMA J. Applied Mathematics 11 (1973); Nocedal and Wright,
/// "Numerical Optimization" (2006), section 7.2.
public struct QuasiNewtonPreconditioner<Scalar: LinearMapScalar>: PreconditionerFactor, Sendable {
  public let dimension: Int
  /// Pairs in use.
  public var pairCount: Int { updates.count }
  /// Pairs left out because `s'y` is not above `1e-10 |s| |y|`: no curvature was seen along them.
  public let skippedCount: Int
  /// The start `gamma`.
  public let scale: Double
  private let updates: [Update]

  private struct Update {
    var s: [Scalar]
    var c: [Scalar]
    var alpha: Double
  }

  /// - Parameter pairs: steps `s` and the changes `y` of the gradient over them, oldest first.
  /// - Throws: `LinearMapError.nonFiniteVector`.
  public init(dimension: Int, pairs: [(s: [Scalar], y: [Scalar])]) throws {
    precondition(
      pairs.allSatisfy { $0.s.count == dimension && $0.y.count == dimension },
      "the pairs are not all of dimension \(dimension)")
    let n = dimension
    for (s, y) in pairs {
      for (role, vector) in [("step of the history", s), ("gradient change of the history", y)] {
        if let index = Scalar.firstNonFinite(n, vector) {
          throw LinearMapError.nonFiniteVector(role: role, index: index)
        }
      }
    }
    let usable = pairs.filter { s, y in
      Scalar.dot(n, s, y) > 1e-10 * Scalar.nrm2(n, s) * Scalar.nrm2(n, y)
    }
    let gamma = usable.last.map { Scalar.dot(n, $0.s, $0.y) / Scalar.dot(n, $0.y, $0.y) } ?? 1
    var updates: [Update] = []
    for (s, y) in usable {
      // B s = A_k^-T ... A_1^-T A_1^-1 ... A_k^-1 s / gamma.
      var image = s
      for update in updates.reversed() {
        Scalar.axpy(n, Scalar(update.alpha * Scalar.dot(n, update.c, image)), update.s, &image)
      }
      for update in updates {
        Scalar.axpy(n, Scalar(update.alpha * Scalar.dot(n, update.s, image)), update.c, &image)
      }
      Scalar.scal(n, Scalar(1 / gamma), &image)
      let slope = Scalar.dot(n, s, y)
      let alpha = (slope / Scalar.dot(n, s, image)).squareRoot()
      let c = zip(y, image).map { Scalar((Double($0) - alpha * Double($1)) / slope) }
      updates.append(Update(s: s, c: c, alpha: alpha))
    }
    self.dimension = dimension
    self.updates = updates
    scale = gamma
    skippedCount = pairs.count - usable.count
  }

  public func multiply(_ x: UnsafeMutablePointer<Scalar>) {
    Scalar.scal(dimension, Scalar(scale.squareRoot()), x)
    for update in updates {
      Scalar.axpy(dimension, Scalar(-Scalar.dot(dimension, update.c, x)), update.s, x)
    }
  }

  public func multiplyTransposed(_ x: UnsafeMutablePointer<Scalar>) {
    for update in updates.reversed() {
      Scalar.axpy(dimension, Scalar(-Scalar.dot(dimension, update.s, x)), update.c, x)
    }
    Scalar.scal(dimension, Scalar(scale.squareRoot()), x)
  }
}
