import Foundation
import LinearMaps

/// A dense inverse Hessian `H` in double precision, learnt from steps `s` and changes `y` of the gradient.
struct DenseInverse {
  let dimension: Int
  /// Column-major; empty before the first step, which stands for the identity.
  private(set) var entries: [Double] = []

  /// - Returns: whether the numbers are those of a matrix, or of none.
  mutating func restore(_ numbers: [Double]) -> Bool {
    entries = numbers
    return numbers.isEmpty || numbers.count == dimension * dimension
  }

  init(dimension: Int) { self.dimension = dimension }

  var isIdentity: Bool { entries.isEmpty }

  mutating func reset() { entries = [] }

  /// `H v`.
  func product(_ v: [Double]) -> [Double] {
    guard !isIdentity else { return v }
    var result = [Double](repeating: 0, count: dimension)
    Double.gemv(
      transposed: false, rows: dimension, columns: dimension, alpha: 1, entries, lda: dimension, v,
      beta: 0, &result)
    return result
  }

  /// The matrix as numbers, those of the identity where there was none.
  private mutating func fill() {
    guard isIdentity else { return }
    entries = [Double](repeating: 0, count: dimension * dimension)
    for i in 0..<dimension { entries[i * dimension + i] = 1 }
  }

  /// `H = scale H + sum_k c_k u_k w_k'`, kept symmetric.
  private mutating func update(
    scale: Double, _ terms: [(factor: Double, u: [Double], w: [Double])]
  ) {
    let n = dimension
    entries.withUnsafeMutableBufferPointer { h in
      for column in 0..<n {
        let rows = column + 1
        let h = h.baseAddress! + column * n
        Double.scal(rows, scale, h)
        for term in terms {
          // The half above the diagonal, of both orders of the product.
          Double.axpy(rows, 0.5 * term.factor * term.w[column], term.u, h)
          Double.axpy(rows, 0.5 * term.factor * term.u[column], term.w, h)
        }
      }
      for column in 0..<n {
        for row in 0..<column { h[row * n + column] = h[column * n + row] }
      }
    }
  }

  /// The BFGS update `(I - s y'/y's) H (I - y s'/y's) + s s'/y's`.
  ///
  /// Reference: Nocedal and Wright, "Numerical Optimization" (2006), equation (6.17).
  mutating func bfgs(s: [Double], y: [Double]) {
    let ys = Double.dot(dimension, y, s)
    fill()
    let hy = product(y)
    let yhy = Double.dot(dimension, y, hy)
    update(scale: 1, [((1 + yhy / ys) / ys, s, s), (-2 / ys, hy, s)])
  }

  /// The self-scaled Broyden update
  ///
  ///     H = (H - H y y'H / y'Hy + phi y'Hy v v') / tau + s s' / y's,   v = s / y's - H y / y'Hy,
  ///
  /// with `b = s'Bs / y's`, `h = y'Hy / y's`, `a = b h - 1` and
  ///
  ///     rho- = min(1, h (1 - sqrt(a / (a + 1)))),   rho+ = min(1, 1 / b),
  ///     theta = max((rho- - 1) / a, min(1 / rho-, (1 - b) / b)),
  ///     sigma = 1 + a theta,   phi = (1 - theta) / sigma,
  ///     tau = rho+ min(sigma^(-1/(n-1)), 1 / theta), for theta <= 0 min(rho+ sigma^(-1/(n-1)), sigma),
  ///
  /// the first one from the identity with `tau = h / sigma`.
  ///
  /// - Parameter curvature: `s'Bs`, which is `-t s'g` after a step `s = -t H g`.
  ///
  /// Reference: Al-Baali, Spedicato and Maggioni, "Broyden's quasi-Newton methods for a nonlinear system of
  /// equations and unconstrained optimization", Optimization Methods and Software 29 (2014); Urban, Stefanou
  /// and Pons, "Unveiling the optimization process of physics informed neural networks", arXiv:2405.04230.
  mutating func selfScaledBroyden(s: [Double], y: [Double], curvature: Double) {
    let n = dimension
    let isFirst = isIdentity
    fill()
    let ys = Double.dot(n, y, s)
    let hy = product(y)
    let yhy = Double.dot(n, y, hy)
    let (b, h) = (curvature / ys, yhy / ys)
    let a = b * h - 1
    // In one dimension only the last term is left, whatever theta.
    guard n > 1 else { return update(scale: 0, [(1 / ys, s, s)]) }
    let rhoMinus = min(1, h * (1 - abs(a / (a + 1)).squareRoot()))
    let rhoPlus = min(1, 1 / b)
    // Where a is zero, y is a multiple of B s, and v vanishes.
    let lowest = abs(a) > 1e-14 ? (rhoMinus - 1) / a : -.infinity
    let theta = max(lowest, min(1 / rhoMinus, (1 - b) / b))
    let sigma = 1 + a * theta
    let power = pow(abs(sigma), 1 / (1 - Double(n)))
    let tau =
      isFirst
      ? h / sigma
      : theta <= 0 ? min(rhoPlus * power, sigma) : rhoPlus * min(power, 1 / theta)
    let phi = (1 - theta) / sigma
    let v = (0..<n).map { s[$0] / ys - hy[$0] / yhy }
    update(scale: 1 / tau, [(-1 / yhy / tau, hy, hy), (phi * yhy / tau, v, v), (1 / ys, s, s)])
  }
}
