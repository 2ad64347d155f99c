import Foundation

/// `p_k = r1^k + (p_1 - r1) (r1^k - r2^k) / (r1 - r2)`: the solution of a recurrence of second order from
/// `p_0 = 1`, for real roots `|r1| >= |r2|`; for a complex pair `rho e^(+-i angle)`
/// `rho^k (cos k angle + (p_1 / rho - cos angle) sin k angle / sin angle)`, or next to the negative half-axis
/// the same of `-rho` and `pi - angle`.
struct RootPair: Sendable, Equatable {
  /// The root of the larger modulus, with its sign; for a complex pair the modulus.
  let dominant: Double
  /// `ln |dominant|`, exact next to one.
  let logDominant: Double
  /// `p_1 - r1`, or `p_1 / +-rho - cos angle`.
  private let excess: Double
  private let kind: Kind

  private enum Kind: Equatable {
    /// The other root over the dominant one, and the dominant less the other.
    case real(ratio: Double, separation: Double)
    /// The angle is measured from the nearer half-axis: next to the negative one `k angle` would lose what
    /// it is away from a multiple of pi.
    case complex(angle: Double, alternates: Bool)
  }

  init(
    trace: Double, determinant: Double, first: Double, gapAtOne: Double, gapAtMinusOne: Double,
    discriminant: Double
  ) {
    guard discriminant >= 0 else {
      dominant = determinant.squareRoot()
      logDominant = log(determinant) / 2
      let angle = atan2((-discriminant).squareRoot(), abs(trace))
      kind = .complex(angle: angle, alternates: trace < 0)
      excess = (trace < 0 ? -first : first) / dominant - cos(angle)
      return
    }
    // Where the discriminant overflows, the determinant is nothing beside the trace's square.
    let size = discriminant.isFinite ? discriminant.squareRoot() : abs(trace)
    let separation = trace >= 0 ? size : -size
    let root = (trace + separation) / 2
    // The determinant is the product of the roots; their difference cancels where one of them is tiny.
    let other = root == 0 ? 0 : determinant / root
    let shortfall =
      trace >= 0
      ? (other == 1 ? 1 - root : gapAtOne / (1 - other))
      : (other == -1 ? 1 + root : gapAtMinusOne / (1 + other))
    dominant = root
    logDominant = abs(shortfall) < 0.5 ? log1p(-shortfall) : log(abs(root))
    kind = .real(ratio: root == 0 ? 0 : max(-1, min(1, other / root)), separation: separation)
    excess = first - root
  }

  func value(after k: Double) -> Double {
    if k == 0 { return 1 }
    let power = sign(k) * exp(k * logDominant)
    switch kind {
    case .complex(let angle, _):
      return power * (cos(k * angle) + excess * sin(k * angle) / sin(angle))
    case .real(let ratio, let separation):
      // Without a dominant root, what is left after the first step is zero.
      guard dominant != 0 else { return k == 1 ? excess : 0 }
      return power * (1 + excess * spread(ratio, separation, k))
    }
  }

  /// `(1 - (r2/r1)^k) / (r1 - r2)`.
  private func spread(_ ratio: Double, _ separation: Double, _ k: Double) -> Double {
    separation == 0
      ? k / dominant : oneLessPower(ratio, k, abs(separation / dominant)) / separation
  }

  /// A bound on `|p_k|` without swings.
  func envelope(after k: Double) -> Double {
    if k == 0 { return 1 }
    switch kind {
    case .complex(let angle, _):
      let lean = abs(excess / sin(angle))
      return exp(k * logDominant) * min((1 + lean * lean).squareRoot(), 1 + k * abs(excess))
    case .real(let ratio, let separation):
      if isMonotone || dominant == 0 { return abs(value(after: k)) }
      guard ratio < 0 else {
        // The bracket of `p_k` may pass through zero; this one only grows.
        return exp(k * logDominant) * (1 + abs(excess * spread(ratio, separation, k)))
      }
      // The two roots' signs differ: their powers swing against each other.
      let share = abs(excess / separation)
      return exp(k * logDominant) * (1 + share * (1 + exp(k * log(-ratio))))
    }
  }

  /// The step from which on `envelope` only falls.
  var crest: Double {
    guard logDominant < 0 else { return 0 }
    switch kind {
    case .complex(let angle, _):
      guard excess != 0 else { return 0 }
      return max(0, min(-1 / logDominant - 1 / abs(excess), 1 / abs(sin(angle))))
    case .real(let ratio, let separation):
      if isMonotone { return 0 }
      // The first step may be a rise of its own. Then `1 + k c` times `exp(k log)` at the worst, until the
      // smaller root's part is gone.
      if ratio < 0 { return 1 }
      guard ratio > 0, separation != 0 else { return max(1, -2 / logDominant) }
      return max(1, min(-2 / logDominant, -40 / logRatio(ratio, abs(separation / dominant))))
    }
  }

  /// Whether `p_k` falls to zero from above: no root is negative, and the first step neither overshoots
  /// nor climbs.
  var isMonotone: Bool {
    guard case .real(let ratio, _) = kind, dominant >= 0, ratio >= 0 else { return false }
    return excess + dominant >= ratio * dominant * (1 - 1e-12) && excess + dominant <= 1
  }

  private func sign(_ k: Double) -> Double {
    let alternates = if case .complex(_, let alternates) = kind { alternates } else { dominant < 0 }
    return alternates && k.truncatingRemainder(dividingBy: 2) == 1 ? -1 : 1
  }

  /// `ln ratio` of a ratio above zero that is `distance` below one.
  private func logRatio(_ ratio: Double, _ distance: Double) -> Double {
    distance < 0.5 ? log1p(-distance) : log(ratio)
  }

  /// `1 - ratio^k` of a ratio in [-1, 1] that is `distance` below one.
  private func oneLessPower(_ ratio: Double, _ k: Double, _ distance: Double) -> Double {
    if ratio > 0 { return -expm1(k * logRatio(ratio, distance)) }
    let size = ratio == 0 ? 0 : exp(k * log(-ratio))
    return 1 - (k.truncatingRemainder(dividingBy: 2) == 1 ? -size : size)
  }
}
