import Foundation
import LinearMaps

/// Mini-batch descent on least squares, each batch drawn with replacement: the exact second moments.
///
/// With `S = E[e e']` and `m = E[e]`, plain descent at the rate `eta` on batches of `B` has
///
///     m+ = (I - eta H) m
///     S+ = (I - eta H) S (I - eta H) + eta^2/B (V(S) + K(m) + K(m)' + C),
///
/// `V(S) = mean (x x' - G) S (x x' - G)`, `C` a sample gradient's covariance at the minimum, `K` the
/// covariance of both kinds of noise: closed and linear. In the eigenvectors of `H` the first part of it
/// acts entry by entry. Heavy-ball momentum `b` (`v = b v + g`, `w -= eta v`) answers a noise of unit
/// covariance by `1 / (eta Q_ij)` with
///
///     Q_ij = (1 - b) (l_i + l_j) - eta ((1 - b) l_i l_j / (1 + b) - b (l_i - l_j)^2 / (1 - b^2)),
///
/// so that the stationary `S` solves `Q o S - eta/B V(S) = eta/B C`, a symmetric system. It is linear in
/// `eta`, and positive definite up to the rate at which its least eigenvalue is zero: there the spectral
/// radius of the recursion is one. Above it single runs stay finite for long and burst rarely; their mean
/// is unbounded.
///
/// Reference: Ma, Bassily and Belkin, "The power of interpolation" (arXiv:1712.06559) for the limit of
/// small batches; Liu, Ziyin and Ueda, "Noise and fluctuation of finite learning rate stochastic gradient
/// descent" (arXiv:2012.03636) for the stationary covariance.
package struct ReplacementNoise {
  package let samples: LeastSquaresSamples
  package let batch: Int
  package let momentum: Double
  private let noise: [Double]

  /// - Precondition: `0 <= momentum < 1`, `batch >= 1`.
  package init(_ samples: LeastSquaresSamples, batch: Int, momentum: Double = 0) {
    precondition(batch >= 1 && momentum >= 0 && momentum < 1, "no such batch or momentum")
    self.samples = samples
    self.batch = batch
    self.momentum = momentum
    noise = samples.noise
  }

  private var size: Int { samples.dimension * samples.dimension }

  /// `(1 - b) (l_i + l_j)`.
  private var sums: [Double] {
    let (l, k) = (samples.curvatures, samples.dimension)
    return (0..<size).map { (1 - momentum) * (l[$0 / k] + l[$0 % k]) }
  }

  /// What `eta` takes off it.
  private var products: [Double] {
    let (l, k, b) = (samples.curvatures, samples.dimension, momentum)
    return (0..<size).map { index in
      let (p, q) = (l[index / k], l[index % k])
      return (1 - b) * p * q / (1 + b) - b * (p - q) * (p - q) / (1 - b * b)
    }
  }

  /// The rate up to which second moments stay bounded; at most that of all samples,
  /// `2 (1 + b) / l_max`.
  ///
  /// - Throws: what `TopEigenpairs` throws.
  package func limit(tolerance: Double = 1e-12) throws -> Double {
    let roots = sums.map { 1 / $0.squareRoot() }
    let products = products
    let map = MomentMap(dimension: samples.dimension) { second in
      let inner = second.indices.map { second[$0] * roots[$0] }
      let spread = samples.spread(inner)
      return second.indices.map {
        roots[$0] * (products[$0] * inner[$0] + spread[$0] / Double(batch))
      }
    }
    var options = TopEigenpairs<Double>.Options()
    options.tolerance = tolerance
    options.boundTolerance = nil
    options.maxApplications = 400
    return 1 / (try TopEigenpairs(of: map, options: options)).largest[0].value
  }

  /// The spectral radius of the recursion of second moments at a rate, of descent without momentum.
  ///
  /// - Throws: what `TopEigenpairs` throws.
  package func growth(rate: Double) throws -> Double {
    precondition(momentum == 0, "the recursion with momentum has another size")
    let (l, k) = (samples.curvatures, samples.dimension)
    let map = MomentMap(dimension: k) { second in
      let spread = samples.spread(second)
      return second.indices.map {
        (1 - rate * l[$0 / k]) * (1 - rate * l[$0 % k]) * second[$0]
          + rate * rate / Double(batch) * spread[$0]
      }
    }
    var options = TopEigenpairs<Double>.Options()
    options.tolerance = 1e-12
    options.boundTolerance = nil
    options.end = .both
    options.maxApplications = 400
    let pairs = try TopEigenpairs(of: map, options: options)
    return max(pairs.largest[0].value, -pairs.smallest[0].value)
  }

  /// The second moments that the errors settle at, column-major; nil from the limit on.
  ///
  /// - Parameter isMultiplicative: whether the batches' own curvatures count, or the gradient's noise at
  ///   the minimum alone.
  /// - Throws: what `conjugateGradients` throws.
  package func stationary(rate: Double, isMultiplicative: Bool = true) throws -> [Double]? {
    let response = QuadraticNoise.response(
      samples.curvatures, rate: rate, momentum: momentum)
    guard response.allSatisfy({ $0 > 0 }) else { return nil }
    let share = rate / Double(batch)
    guard isMultiplicative else { return noise.indices.map { share * noise[$0] / response[$0] } }
    let map = MomentMap(dimension: samples.dimension) { second in
      let spread = samples.spread(second)
      return second.indices.map { response[$0] * second[$0] - share * spread[$0] }
    }
    let inverse = MomentMap(dimension: samples.dimension) { second in
      second.indices.map { second[$0] / response[$0] }
    }
    let result = try conjugateGradients(
      map, rhs: noise.map { $0 * share }, preconditioner: inverse, tolerance: 1e-11,
      maxIterations: 2_000)
    guard result.negativeCurvature == nil else { return nil }
    let (x, k) = (result.solution, samples.dimension)
    // From the limit on the system is indefinite, which a right side may hide.
    guard (0..<k).allSatisfy({ x[$0 * k + $0] >= 0 }) else { return nil }
    return x
  }

  /// The mean loss gap that runs settle at, `tr(H S) / 2`; nil from the limit on.
  package func floor(rate: Double, isMultiplicative: Bool = true) throws -> Double? {
    try stationary(rate: rate, isMultiplicative: isMultiplicative).map(samples.gap)
  }

  /// Mean and second moments after one more step of plain descent.
  package func stepped(_ moments: ErrorMoments, rate: Double) -> ErrorMoments {
    precondition(momentum == 0, "the recursion with momentum has another size")
    let (l, k) = (samples.curvatures, samples.dimension)
    let spread = samples.spread(moments.second)
    let cross = samples.cross(moments.mean)
    let share = rate * rate / Double(batch)
    return ErrorMoments(
      mean: (0..<k).map { (1 - rate * l[$0]) * moments.mean[$0] },
      second: (0..<size).map { index in
        let (i, j) = (index % k, index / k)
        return (1 - rate * l[i]) * (1 - rate * l[j]) * moments.second[index]
          + share * (spread[index] + noise[index] + cross[index] + cross[i * k + j])
      })
  }

  /// The batch at which the limit is half of what it would be on all samples at once: below about it the
  /// stable rate grows in proportion to the batch, above it hardly.
  ///
  /// - Throws: what `TopEigenpairs` throws.
  package func halfLimitBatch() throws -> Double {
    let (sums, products) = (sums, products)
    let whole = (2 + 2 * momentum) / (samples.curvatures.last ?? 1)
    // Q - eta/B V is singular at half that rate.
    let roots = sums.indices.map { 1 / (2 * sums[$0] / whole - products[$0]).squareRoot() }
    let map = MomentMap(dimension: samples.dimension) { second in
      let spread = samples.spread(second.indices.map { second[$0] * roots[$0] })
      return second.indices.map { roots[$0] * spread[$0] }
    }
    var options = TopEigenpairs<Double>.Options()
    options.tolerance = 1e-6
    options.boundTolerance = nil
    return max(0, try TopEigenpairs(of: map, options: options).largest[0].value)
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
