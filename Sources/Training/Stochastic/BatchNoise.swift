import Foundation
import LinearMaps

/// Mini-batch descent on least squares, each batch drawn independently of the others: the exact second
/// moments.
///
/// With `S = E[e e']` and `m = E[e]`, plain descent at the rate `eta` has
///
///     m+ = (I - eta H) m
///     S+ = (I - eta H) S (I - eta H) + eta^2 f (V(S) + K(m) + K(m)' + C),
///
/// `V(S) = mean (x x' - G) S (x x' - G)`, `C` a sample gradient's covariance at the minimum, `K` the
/// covariance of both kinds of noise: closed and linear. The factor `f` is `1/B` for batches of `B` samples
/// drawn with replacement, and `(n - B) / (B (n - 1))` for batches of `B` different ones of the `n` samples:
/// a batch of all has no noise. In the eigenvectors of `H` the first part acts entry by entry. A noise of
/// unit covariance is answered by `eta^2 R_ij` at the points where gradients are taken (see `MomentumForm`),
/// so that the stationary second moments `Y` there solve `Y / R - eta^2 f V(Y) = eta^2 f C`, a symmetric system,
/// positive definite up to the rate at which its least eigenvalue is zero: there the spectral radius of
/// the recursion is one. With heavy-ball momentum `b`
///
///     1 / (eta R_ij) = (1 - b) (l_i + l_j) - eta ((1 - b) l_i l_j / (1 + b) - b (l_i - l_j)^2 / (1 - b^2)).
///
/// For plain descent both parts of it are positive, and one eigenvalue gives the limit; with momentum the part in
/// `eta` is indefinite, and the limit is where `eta` times the largest eigenvalue of the positive `eta R f V` is one.
///
/// Above the limit the mean of the squared error is unbounded. Single runs stay finite for long and burst
/// rarely, up to the rate at which the mean logarithm of the error grows (see `ErrorGrowth`).
///
/// Reference: Ma, Bassily and Belkin, "The power of interpolation" (arXiv:1712.06559) for the limit of
/// small batches; Liu, Ziyin and Ueda, "Noise and fluctuation of finite learning rate stochastic gradient
/// descent" (arXiv:2012.03636) for the stationary covariance; Cochran, "Sampling techniques" (1977), 2,
/// for the factor of draws without replacement.
package struct BatchNoise {
  /// How a batch is drawn.
  package enum Draw: Sendable {
    case replacement
    /// All samples of a batch are different ones.
    case subsets
  }

  package let samples: LeastSquaresSamples
  package let batch: Int
  package let draw: Draw
  package let form: MomentumForm
  private let noise: [Double]

  /// - Parameter population: of how many samples the given ones are a random part; nil where they are all.
  /// - Precondition: `batch >= 1`.
  package init(
    _ samples: LeastSquaresSamples, batch: Int, draw: Draw = .replacement,
    form: MomentumForm = .plain, population: Int? = nil
  ) {
    precondition(batch >= 1, "no such batch")
    self.samples = samples
    self.batch = batch
    self.draw = draw
    self.form = form
    factor = Self.factor(batch, draw, of: population ?? samples.count)
    noise = samples.noise
  }

  /// What the covariance of a mean over a batch is of one sample's.
  package let factor: Double

  /// `1/B`, or `(n - B) / (B (n - 1))`.
  package static func factor(_ batch: Int, _ draw: Draw, of n: Int) -> Double {
    switch draw {
    case .replacement: 1 / Double(batch)
    case .subsets:
      batch >= n ? 0 : Double(n - batch) / (Double(batch) * Double(n - 1))
    }
  }

  /// The limit of all samples at once.
  package var limitOnAll: Double { form.criticalProduct / (samples.curvatures.last ?? 1) }

  /// `1 / (eta R)` of the points where gradients are taken, and of the parameters.
  private func responses(rate: Double) -> (points: [Double], parameters: [Double]) {
    let (l, k) = (samples.curvatures, samples.dimension)
    guard form.looksAhead else {
      let own = QuadraticNoise.response(l, rate: rate, momentum: form.momentum)
      return (own, own)
    }
    var (points, parameters) = ([Double](), [Double]())
    for index in 0..<k * k {
      let answer = form.response(l[index % k], l[index / k], rate: rate)
      points.append(1 / (rate * answer.points))
      parameters.append(1 / (rate * answer.parameters))
    }
    return (points, parameters)
  }

  /// The rate up to which second moments stay bounded; at most that of all samples. Nil where it is not found.
  ///
  /// - Throws: what `TopEigenpairs` throws.
  package func limit(tolerance: Double = 1e-12) throws -> Double? {
    let whole = limitOnAll
    guard factor > 0 else { return whole }
    do {
      let found =
        form.momentum == 0 ? try plainLimit(tolerance) : try crossing(max(tolerance, 1e-10))
      return found > 0 && found.isFinite ? min(found, whole) : nil
    } catch is Unsettled {
      return nil
    }
  }

  /// An eigenvalue did not converge.
  private struct Unsettled: Error {}

  private func plainLimit(_ tolerance: Double) throws -> Double {
    let (l, k) = (samples.curvatures, samples.dimension)
    let sums = (0..<k * k).map { l[$0 / k] + l[$0 % k] }
    let products = (0..<k * k).map { l[$0 / k] * l[$0 % k] }
    return 1 / (try ratio(products: products, to: sums, tolerance))
  }

  /// As much of the noise as the rate leaves is eta / reach(eta): one at the limit.
  private func crossing(_ tolerance: Double) throws -> Double {
    func left(_ rate: Double) throws -> Double {
      let points = responses(rate: rate).points
      guard points.allSatisfy({ $0 > 0 && $0.isFinite }) else { throw Unsettled() }
      return 1 / (try ratio(products: nil, to: points, tolerance)) - rate
    }
    var high = limitOnAll * (1 - 1e-9)
    guard try left(high) < 0 else { return limitOnAll }
    // With strong momentum it may be many powers of ten lower.
    var low = high / 10
    while try left(low) <= 0 {
      (low, high) = (low / 10, low)
      guard low > 1e-30 * limitOnAll else { throw Unsettled() }
    }
    return try Bracket(low: low, high: high).root(tolerance, left)
  }

  /// The largest eigenvalue of `products + f V` over `sums`, entries all positive.
  ///
  /// - Throws: `Unsettled` where its error is not known to be small.
  private func ratio(
    products: [Double]?, to sums: [Double], _ tolerance: Double, scale: Double? = nil
  ) throws -> Double {
    let roots = sums.map { 1 / $0.squareRoot() }
    let scale = scale ?? factor
    let map = MomentMap(dimension: samples.dimension) { second in
      let inner = second.indices.map { second[$0] * roots[$0] }
      let spread = samples.spread(inner)
      return second.indices.map {
        roots[$0] * ((products?[$0] ?? 0) * inner[$0] + spread[$0] * scale)
      }
    }
    var options = TopEigenpairs<Double>.Options()
    options.tolerance = tolerance
    options.boundTolerance = nil
    options.maxApplications = 400
    let pair = try TopEigenpairs(of: map, options: options).largest[0]
    guard pair.value >= 0, pair.residual <= 1e-5 * pair.value else { throw Unsettled() }
    return pair.value
  }

  /// The second moments that the errors settle at, column-major; nil from the limit on.
  ///
  /// - Throws: what `conjugateGradients` throws.
  package func stationary(rate: Double) throws -> [Double]? {
    guard factor > 0 else {
      return rate < limitOnAll ? .init(repeating: 0, count: noise.count) : nil
    }
    guard rate < limitOnAll else { return nil }
    let response = responses(rate: rate)
    guard response.points.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
    let share = rate * factor
    let map = MomentMap(dimension: samples.dimension) { second in
      let spread = samples.spread(second)
      return second.indices.map { response.points[$0] * second[$0] - share * spread[$0] }
    }
    let inverse = MomentMap(dimension: samples.dimension) { second in
      second.indices.map { second[$0] / response.points[$0] }
    }
    let result = try conjugateGradients(
      map, rhs: noise.map { $0 * share }, preconditioner: inverse, tolerance: 1e-11,
      maxIterations: 2_000)
    guard result.negativeCurvature == nil else { return nil }
    var (x, k) = (result.solution, samples.dimension)
    // From the limit on the system is indefinite, which a right side may hide.
    guard (0..<k).allSatisfy({ x[$0 * k + $0] >= 0 }) else { return nil }
    if form.looksAhead {
      for index in x.indices { x[index] *= response.points[index] / response.parameters[index] }
    }
    return x
  }

  /// The mean loss gap that runs settle at, `tr(H S) / 2`; nil from the limit on.
  package func floor(rate: Double) throws -> Double? {
    try stationary(rate: rate).map { samples.gap($0) }
  }

  /// The batch, drawn with replacement, at which the limit is half of what it would be on all samples at
  /// once: below about it the stable rate grows in proportion to the batch, above it hardly. Nil where it is not
  /// found.
  ///
  /// - Throws: what `TopEigenpairs` throws.
  package func halfLimitBatch() throws -> Double? {
    let half = limitOnAll / 2
    do {
      return half * (try ratio(products: nil, to: responses(rate: half).points, 1e-6, scale: 1))
    } catch is Unsettled {
      return nil
    }
  }

  /// The same of batches of different samples, by the factor of their draws.
  package func halfLimitBatch(of n: Int) throws -> Double? {
    // (n - B) / (B (n - 1)) = 1 / B'.
    guard let other = try halfLimitBatch() else { return nil }
    return other == 0 ? 0 : Double(n) * other / (Double(n - 1) + other)
  }
}

/// The mean and the second moments, column-major, of an error.
package struct ErrorMoments: Sendable, Equatable {
  package var mean: [Double]
  package var second: [Double]

  /// Of an error that is known.
  package init(of error: [Double]) {
    mean = error
    second = error.flatMap { b in error.map { $0 * b } }
  }

  package init(mean: [Double], second: [Double]) {
    self.mean = mean
    self.second = second
  }
}

/// A symmetric map of symmetric matrices, which are held column-major.
private struct MomentMap: LinearMap {
  typealias Scalar = Double
  let order: Int
  let image: (_ symmetric: [Double]) -> [Double]

  init(dimension: Int, _ image: @escaping ([Double]) -> [Double]) {
    order = dimension
    self.image = image
  }

  var dimension: Int { order * order }

  /// What is not symmetric in a matrix is mapped to zero.
  func apply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>) throws {
    let k = order
    let result = image((0..<k * k).map { (x[$0] + x[$0 % k * k + $0 / k]) / 2 })
    for index in result.indices {
      y[index] = (result[index] + result[index % k * k + index / k]) / 2
    }
  }
}

/// Where a function that falls through zero does so, by regula falsi with Illinois' halving.
///
/// Reference: Dowell and Jarratt, "A modified regula falsi method for computing the root of an equation"
/// (1971).
struct Bracket {
  /// Positive there.
  var low: Double
  /// Negative there.
  var high: Double

  func root(_ tolerance: Double, _ value: (Double) throws -> Double) rethrows -> Double {
    var (low, high) = (low, high)
    var (below, above) = (try value(low), try value(high))
    var (last, before) = (0, 0.0)
    for _ in 0..<100 where high - low > tolerance * high {
      var next = (low * above - high * below) / (above - below)
      if !(next > low && next < high) { next = (low + high) / 2 }
      let here = try value(next)
      if here == 0 || abs(next - before) <= tolerance * next { return next }
      before = next
      if here > 0 {
        (low, below) = (next, here)
        if last == 1 { above /= 2 }
        last = 1
      } else {
        (high, above) = (next, here)
        if last == -1 { below /= 2 }
        last = -1
      }
    }
    return (low + high) / 2
  }
}
