import Foundation

/// The factor `p_k` with `e_k = p_k e_0` for the error along one eigen-direction, without iterating.
///
/// Gradient descent and heavy-ball momentum (`v = b v + g`, `x -= eta v`, at rest before the first
/// step) obey `e_{k+1} = (1 + b - m) e_k - b e_{k-1}` with `m = eta lambda` and `e_{-1} = e_0`.
/// The roots of `r^2 - (1 + b - m) r + b` decide the shape. Each shape is written so that nothing
/// cancels: a root near one is carried as its distance from one, so that `k` may reach 1e15.
///
/// Reference: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
public struct StepFactor: Sendable, Equatable {
  enum Shape: Sendable, Equatable {
    /// `factor^k`, by the logarithm of its magnitude: descent without momentum.
    case power(factor: Double, logMagnitude: Double)
    /// Two real roots `r1 > r2 >= 0`: `r1^(k+1) (1 + s (1 - (r2/r1)^(k+1)) / d)`, `s = 1 - r1`,
    /// `d = r1 - r2`.
    case overdamped(logRoot: Double, shortfall: Double, separation: Double, logRatio: Double)
    /// Complex roots of modulus `sqrt(b)`; `angle` is measured from the nearer half-axis, and
    /// `alternates` says that it is the negative one.
    case oscillating(logModulus: Double, angle: Double, alternates: Bool)
    /// Two negative roots `-q1`, `-q2`:
    /// `(-1)^k q1^(k+1) ((1 + q1) (1 - (q2/q1)^(k+1)) / d - 1)`, `d = q1 - q2`.
    case alternating(logRoot: Double, separation: Double, logRatio: Double)
    /// Two real roots of any signs or a complex pair, and any `p_1`.
    case pair(RootPair)
  }

  let shape: Shape
  /// `p_{k+1} = trace p_k - determinant p_{k-1}`.
  let trace: Double
  let determinant: Double
  /// `p_1`, where it is not that of a start from rest, `p_{-1} = p_0`.
  let first: Double?

  public init(rate: Double, eigenvalue: Double, momentum: Double = 0) {
    trace = 1 + momentum - rate * eigenvalue
    determinant = momentum
    first = nil
    shape =
      momentum == 0
      ? Self.descent(rate: rate, eigenvalue: eigenvalue)
      : Self.heavyBall(rate: rate, eigenvalue: eigenvalue, momentum: momentum)
  }

  /// Any recurrence `p_{k+1} = trace p_k - determinant p_{k-1}` from `p_0 = 1` and `p_1 = first`.
  ///
  /// - Parameters:
  ///   - gapAtOne: `1 - trace + determinant = (1 - r1) (1 - r2)`, free of cancellation.
  ///   - gapAtMinusOne: `1 + trace + determinant`, likewise.
  ///   - discriminant: `trace^2 - 4 determinant`, likewise.
  public init(
    trace: Double, determinant: Double, first: Double, gapAtOne: Double, gapAtMinusOne: Double,
    discriminant: Double
  ) {
    self.trace = trace
    self.determinant = determinant
    self.first = first
    shape = .pair(
      RootPair(
        trace: trace, determinant: determinant, first: first, gapAtOne: gapAtOne,
        gapAtMinusOne: gapAtMinusOne, discriminant: discriminant))
  }

  private static func descent(rate: Double, eigenvalue: Double) -> Shape {
    let product = rate * eigenvalue
    let factor = (1.0).addingProduct(-rate, eigenvalue)
    let logMagnitude: Double
    if product < 0.5 {
      logMagnitude = log1p(-product)
    } else if product > 1.5 {
      logMagnitude = log1p((-2.0).addingProduct(rate, eigenvalue))
    } else {
      logMagnitude = log(abs(factor))
    }
    return .power(factor: factor, logMagnitude: logMagnitude)
  }

  private static func heavyBall(rate: Double, eigenvalue: Double, momentum b: Double) -> Shape {
    let m = rate * eigenvalue
    let root = b.squareRoot()
    let low = (1 - b) / (1 + root) * ((1 - b) / (1 + root))
    let high = (1 + root) * (1 + root)
    if m <= low {
      let separation = ((low - m) * (high - m)).squareRoot()
      let larger = (1 - b + m + separation) / 2
      let shortfall = m / larger
      return .overdamped(
        logRoot: log1p(-shortfall), shortfall: shortfall, separation: separation,
        logRatio: logRatio(separation, root: 1 - shortfall, momentum: b))
    }
    if m < high {
      let height = ((m - low) * (high - m)).squareRoot()
      let trace = 1 + b - m
      return .oscillating(
        logModulus: log1p(-(1 - b)) / 2, angle: atan2(height, abs(trace)), alternates: trace < 0)
    }
    // The product of both would overflow for rates far beyond the limit.
    let separation = (m - low).squareRoot() * (m - high).squareRoot()
    let trace = m - 1 - b
    let q1 = (trace + separation) / 2
    let logRoot: Double
    if trace < 2 {
      let beyond = (2 + 2 * b).addingProduct(-rate, eigenvalue)
      logRoot = log1p(beyond / ((trace - 2 - separation) / 2))
    } else {
      logRoot = log(q1)
    }
    return .alternating(
      logRoot: logRoot, separation: separation,
      logRatio: logRatio(separation, root: q1, momentum: b))
  }

  /// `ln(r2 / r1)` of two roots `separation` apart whose product is the momentum.
  private static func logRatio(_ separation: Double, root: Double, momentum: Double) -> Double {
    separation < 0.5 * root ? log1p(-separation / root) : log(momentum) - 2 * log(root)
  }

  /// `p_k`; `k` is a whole number held as a double, except for `power`, where any `k >= 0` will do
  /// and `|p_k|` is smooth in it.
  package func value(after k: Double) -> Double {
    if k == 0 { return 1 }
    switch shape {
    case .power(let factor, let log):
      return sign(factor < 0, k) * exp(k * log)
    case .overdamped(let logRoot, let shortfall, let separation, let logRatio):
      if logRoot == -.infinity { return 0 }
      let lead = exp((k + 1) * logRoot)
      let spread =
        separation == 0 ? (k + 1) / exp(logRoot) : -expm1((k + 1) * logRatio) / separation
      return lead * (1 + shortfall * spread)
    case .oscillating(let logModulus, let angle, let alternates):
      let modulus = exp(logModulus)
      let other = alternates ? modulus : -modulus
      let wave = (sin((k + 1) * angle) + other * sin(k * angle)) / sin(angle)
      return sign(alternates, k) * exp(k * logModulus) * wave
    case .alternating(let logRoot, let separation, let logRatio):
      let q = exp(logRoot)
      let spread = separation == 0 ? (k + 1) / q : -expm1((k + 1) * logRatio) / separation
      return sign(true, k) * exp((k + 1) * logRoot) * ((1 + q) * spread - 1)
    case .pair(let roots):
      return roots.value(after: k)
    }
  }

  /// An upper bound on `|p_k|`, free of the oscillation.
  package func envelope(after k: Double) -> Double {
    if case .pair(let roots) = shape { return roots.envelope(after: k) }
    guard case .oscillating(let logModulus, let angle, let alternates) = shape else {
      return abs(value(after: k))
    }
    let modulus = exp(logModulus)
    let lean = (cos(angle) + (alternates ? modulus : -modulus)) / sin(angle)
    let wave = min((1 + lean * lean).squareRoot(), 1 + k * abs(lean * sin(angle)))
    return exp(k * logModulus) * wave
  }

  /// The step from which on the bound `envelope` only falls.
  package var crest: Double {
    switch shape {
    case .power, .overdamped: return 0
    case .oscillating(let logModulus, let angle, let alternates):
      let modulus = exp(logModulus)
      let lean = abs(cos(angle) + (alternates ? modulus : -modulus))
      // `(1 + k lean) exp(k logModulus)` is largest at `-1 / logModulus - 1 / lean`.
      guard lean > 0, logModulus < 0 else { return 0 }
      return max(0, min(-1 / logModulus - 1 / lean, 1 / sin(angle)))
    case .alternating(let logRoot, _, let logRatio):
      // `k exp(k logRoot)` at the worst, until the smaller root's part is gone.
      guard logRoot < 0 else { return 0 }
      return logRatio < 0 ? min(-2 / logRoot, -40 / logRatio) : -2 / logRoot
    case .pair(let roots):
      return roots.crest
    }
  }

  /// Whether the error falls without a swing that goes past the minimum, as with real roots near one.
  package var isOverdamped: Bool {
    switch shape {
    case .power(let factor, _): factor >= 0
    case .overdamped: true
    case .oscillating, .alternating: false
    case .pair(let roots): roots.isMonotone
    }
  }

  /// The factor per step in the long run, with its sign; for complex roots their modulus.
  package var perStep: Double {
    switch shape {
    case .power(let factor, _): return factor
    case .overdamped(let logRoot, _, _, _): return exp(logRoot)
    case .oscillating(let logModulus, _, _): return exp(logModulus)
    case .alternating(let logRoot, _, _): return -exp(logRoot)
    case .pair(let roots): return roots.dominant
    }
  }

  /// The natural logarithm of `|perStep|`: negative where the error shrinks.
  package var logPerStep: Double {
    switch shape {
    case .power(_, let log): return log
    case .overdamped(let logRoot, _, _, _): return logRoot
    case .oscillating(let logModulus, _, _): return logModulus
    case .alternating(let logRoot, _, _): return logRoot
    case .pair(let roots): return roots.logDominant
    }
  }

  /// Whether `|p_k|` never rises with `k` while the direction is stable.
  package var isMonotone: Bool {
    switch shape {
    case .power, .overdamped: return true
    case .oscillating, .alternating: return false
    case .pair(let roots): return roots.isMonotone
    }
  }

  private func sign(_ alternates: Bool, _ k: Double) -> Double {
    alternates && k.truncatingRemainder(dividingBy: 2) == 1 ? -1 : 1
  }
}
