/// How an optimizer adds up its gradients: `v = b v + g`, `x -= eta v`.
package struct MomentumForm: Sendable, Hashable {
  /// `b`, in [0, 1).
  package let momentum: Double
  /// Whether the gradient is taken where the velocity alone would lead, as Nesterov's is.
  package let looksAhead: Bool

  package static let plain = MomentumForm(0)

  package init(_ momentum: Double, looksAhead: Bool = false) {
    precondition(0 <= momentum && momentum < 1, "momentum \(momentum) is outside of [0, 1)")
    self.momentum = momentum
    self.looksAhead = looksAhead && momentum > 0
  }

  /// The product of rate and curvature from which a direction diverges.
  package var criticalProduct: Double {
    (2 + 2 * momentum) / (looksAhead ? 1 + 2 * momentum : 1)
  }

  /// What second moments of the parameters, and of the points where the gradient is taken, come to under
  /// a noise of unit covariance at each step, divided by the rate's square: sums over time of products of
  /// the directions' responses.
  ///
  /// Along a direction of curvature `l` the error goes on as `e_k+1 = p e_k - q e_k-1 + noise`, with
  /// `p = 1 + b - eta l`, `q = b`, or by Nesterov's method `p = (1 + b)(1 - eta l)`, `q = b (1 - eta l)`, whose
  /// gradient is taken at `e_k + b (e_k - e_k-1)`.
  func response(_ k: Double, _ l: Double, rate: Double) -> (parameters: Double, points: Double) {
    let b = momentum
    let (left, right) = (1 - rate * k, 1 - rate * l)
    let (p, s) = looksAhead ? ((1 + b) * left, (1 + b) * right) : (b + left, b + right)
    let (q, t) = looksAhead ? (b * left, b * right) : (b, b)
    // Covariances of one error with the other a step before it, as multiples of that at one time.
    let later = (p - q * s) / (1 - q * t)
    let earlier = (s - t * p) / (1 - q * t)
    let same = 1 / (1 - p * s - q * t + p * t * later + q * s * earlier)
    guard looksAhead else { return (same, same) }
    let ahead = (1 + b) * (1 + b) + b * b - b * (1 + b) * (later + earlier)
    return (same, ahead * same)
  }

  /// The rate from which the second moment along one direction grows, whose curvature varies from batch to
  /// batch by this variance.
  package func limit(curvature: Double, variance: Double) -> Double {
    let whole = criticalProduct / curvature
    guard variance > 0 else { return whole }
    func left(_ rate: Double) -> Double {
      1 / (rate * response(curvature, curvature, rate: rate).points) - rate * variance
    }
    let high = whole * (1 - 1e-12)
    return left(high) < 0 ? Bracket(low: 1e-9 * whole, high: high).root(1e-12, left) : whole
  }
}
