import LinearMaps

/// The path of conjugate gradients for `H p = -g` from zero on: its iterates grow, and a trust region cuts the
/// path where it leaves it. A smaller region cuts the same path earlier, without another product.
///
/// Reference: Steihaug, "The conjugate gradient method and trust regions in large scale optimization", SIAM J.
/// Numerical Analysis 20 (1983).
struct SteihaugPath<Map: LinearMap> {
  typealias Scalar = Map.Scalar

  /// Where a region cuts the path.
  struct Cut {
    var step: [Scalar]
    /// `-(g'p + p'Hp / 2)`.
    var decrease: Double
    var isAtBoundary: Bool
    /// Whether the way there is one of negative curvature.
    var isNegative: Bool
  }

  private let map: Map
  private let tolerance: Double
  private let maxIterations: Int
  /// Iterates, the first at zero, with the decrease of the model there.
  private var points: [(step: [Scalar], norm: Double, decrease: Double)]
  /// From each iterate on: the direction `d`, `-r'd` and `d'Hd`.
  private var legs: [(direction: [Scalar], slope: Double, bend: Double)] = []
  private var residual: [Scalar]
  private var isFinished = false

  /// - Parameters:
  ///   - tolerance: of the residual's norm.
  ///   - maxIterations: products at most.
  init(_ map: Map, gradient: [Scalar], tolerance: Double, maxIterations: Int) {
    self.map = map
    self.tolerance = tolerance
    self.maxIterations = maxIterations
    residual = gradient
    points = [([Scalar](repeating: 0, count: gradient.count), 0, 0)]
  }

  /// The path's end within a radius, more of the path made as needed.
  mutating func cut(_ radius: Double) throws -> Cut {
    var index = 0
    while true {
      if index == points.count - 1, index == legs.count, !isFinished { try extend() }
      guard index < legs.count else {
        let last = points[index]
        return Cut(step: last.step, decrease: last.decrease, isAtBoundary: false, isNegative: false)
      }
      if index + 1 < points.count, points[index + 1].norm < radius {
        index += 1
        continue
      }
      let (point, leg) = (points[index], legs[index])
      let t = Self.reach(point.step, leg.direction, radius)
      var step = point.step
      Scalar.axpy(step.count, Scalar(t), leg.direction, &step)
      return Cut(
        step: step, decrease: point.decrease + t * leg.slope - t * t / 2 * leg.bend,
        isAtBoundary: true, isNegative: leg.bend <= 0)
    }
  }

  /// One product more.
  private mutating func extend() throws {
    let n = residual.count
    let square = Scalar.dot(n, residual, residual)
    guard square.squareRoot() > tolerance, legs.count < maxIterations else {
      isFinished = true
      return
    }
    var direction = residual.map { -$0 }
    if let last = legs.last {
      Scalar.axpy(n, Scalar(square / last.slope), last.direction, &direction)
    }
    let image = try map(direction)
    if let index = Scalar.firstNonFinite(n, image) {
      throw LinearMapError.nonFiniteProduct(application: legs.count + 1, index: index)
    }
    let bend = Scalar.dot(n, direction, image)
    // In exact arithmetic -r'd is r'r.
    legs.append((direction, square, bend))
    guard bend > 0 else {
      isFinished = true
      return
    }
    let t = square / bend
    var (step, _, decrease) = points[points.count - 1]
    Scalar.axpy(n, Scalar(t), direction, &step)
    Scalar.axpy(n, Scalar(t), image, &residual)
    decrease += t * square / 2
    points.append((step, Scalar.nrm2(n, step), decrease))
  }

  /// The positive `t` with `|p + t d| = radius`.
  private static func reach(_ p: [Scalar], _ d: [Scalar], _ radius: Double) -> Double {
    let n = p.count
    let (dd, pd, pp) = (Scalar.dot(n, d, d), Scalar.dot(n, p, d), Scalar.dot(n, p, p))
    let room = max(0, radius * radius - pp)
    let root = (pd * pd + dd * room).squareRoot()
    return pd > 0 ? room / (pd + root) : (root - pd) / dd
  }
}
