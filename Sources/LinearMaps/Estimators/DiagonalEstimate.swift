/// The diagonal of a symmetric map from random sign vectors, with a standard error per entry.
///
/// What `TraceEstimate` says of Hutchinson and XTrace holds here entry by entry, the exact diagonal
/// from `n` products included.
///
/// Memory: two doubles per entry and 8 vectors for Hutchinson, three vectors per probe for XDiag.
/// Reference: Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix" (2007);
/// Epperly, Tropp and Webber (2024), section 2.4; Yao et al., "AdaHessian" (2021) and Liu et al.,
/// "Sophia" (2023) for the use of Hutchinson's in optimizers.
public struct DiagonalEstimate: Codable, Sendable, Equatable {
  public enum Method: String, Codable, Sendable, CaseIterable {
    /// The mean of `omega * (A omega)`: one product per probe.
    case hutchinson
    /// `diag(Q_i Q_i'A) + omega_i * ((I - Q_i Q_i') A omega_i)` averaged over the probes, `Q_i` spanning
    /// the products of the others: two products per probe.
    case xDiag = "xdiag"
  }

  public let values: [Double]
  /// One per entry, for XDiag with the factor that XTrace has; 0 where exact.
  public let standardErrors: [Double]
  /// What rounding in the map's precision may add to an entry: `eps ‖A‖_F`.
  public let rounding: Double
  public let method: Method
  public let probes: Int
  public let operatorApplications: Int
  public let seed: UInt64
  public let convergence: Convergence

  /// The Euclidean norm of the standard errors, which the tolerance compares with that of the
  /// values (or with `‖A‖_F`).
  public var errorNorm: Double { Double.nrm2(standardErrors.count, standardErrors) }

  /// Estimates the diagonal of `map` until the stopping rule of the options is met; the probes are
  /// signs whatever the options say.
  ///
  /// Throws `nonFiniteProduct`, and what the map throws.
  public init<Map: LinearMap>(
    of map: Map, method: Method = .xDiag, options: EstimatorOptions = EstimatorOptions()
  ) throws {
    var estimator = DiagonalEstimator(map, method: method, options: options)
    let (state, convergence) = try estimator.run(options)
    (values, standardErrors) = estimator.entries()
    rounding = state.floor
    self.method = method
    probes = estimator.probes
    operatorApplications = estimator.meter.applications
    seed = options.seed
    self.convergence = convergence
  }
}

/// Hutchinson's estimate of a diagonal from a fixed number of sign vectors, the mean of `v * (A v)`, for
/// use where the number of products is set and no error is asked for.
///
/// Throws what the map throws.
/// Reference: Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix" (2007).
public func hutchinsonDiagonal<Map: LinearMap>(
  of map: Map, probes: Int, seed: UInt64
) throws -> [Double] {
  precondition(probes >= 1, "an estimate takes at least one probe")
  var generator = SeededGenerator(seed: seed)
  var mean = [Double](repeating: 0, count: map.dimension)
  for _ in 0..<probes {
    let signs: [Map.Scalar] = generator.rademacher(map.dimension)
    let product = try map(signs)
    for index in mean.indices {
      mean[index] += Double(signs[index] * product[index]) / Double(probes)
    }
  }
  return mean
}

private struct DiagonalEstimator<Map: LinearMap>: ProbeEstimator {
  let map: Map
  let method: DiagonalEstimate.Method
  let options: EstimatorOptions
  var meter: ProductMeter
  private(set) var probes = 0
  private var generator: SeededGenerator
  private var exact: [Double]?
  /// `sum ‖A omega‖²`, or `‖A‖_F²` itself.
  private var squares = 0.0
  private var moments: RunningMoments
  private var sketch: RangeSketch<Map.Scalar>
  /// The probes of XDiag, column-major.
  private var vectors: [Map.Scalar] = []

  init(_ map: Map, method: DiagonalEstimate.Method, options: EstimatorOptions) {
    self.map = map
    self.method = method
    self.options = options
    meter = ProductMeter(options)
    generator = SeededGenerator(seed: options.seed)
    moments = RunningMoments(dimension: map.dimension)
    sketch = RangeSketch(dimension: map.dimension, keepsImages: true)
  }

  var exactApplications: Int? { map.dimension }

  var applicationsPerProbe: Int {
    switch method {
    case .hutchinson: 1
    case .xDiag: 2
    }
  }

  mutating func add(probes count: Int) throws {
    let n = map.dimension
    let width = method == .hutchinson ? ProductMeter.blockColumns : count
    for start in stride(from: 0, to: count, by: width) {
      let x: [Map.Scalar] = generator.probes(
        min(width, count - start), dimension: n, .rademacher)
      let y = try meter.products(of: map, with: x)
      squares += Map.Scalar.dot(y.count, y, y)
      switch method {
      case .hutchinson:
        moments.add(productsOf: x, y)
      case .xDiag:
        vectors += x
        try sketch.extend(by: y, map: map, meter: &meter)
      }
    }
    probes += count
  }

  mutating func solveExactly() throws {
    var diagonal = [Double](repeating: 0, count: map.dimension)
    var sum = 0.0
    let n = map.dimension
    try meter.forEachColumn(of: map) { index, column in
      diagonal[index] = Double(column[index])
      sum += Map.Scalar.dot(n, column, column)
    }
    exact = diagonal
    squares = sum
  }

  /// The values and their standard errors.
  func entries() -> ([Double], [Double]) {
    if let exact { return (exact, [Double](repeating: 0, count: exact.count)) }
    switch method {
    case .hutchinson: return moments.meansAndErrors()
    case .xDiag:
      let (values, errors) = leaveOneOutMoments().meansAndErrors()
      return (values, errors.map { EstimatedValue.leaveOneOutFactor * $0 })
    }
  }

  func state() throws -> EstimatorState {
    let (values, errors) = entries()
    let n = values.count
    let norm = Double.nrm2(n, values)
    let frobenius = (exact == nil ? squares / Double(probes) : squares).squareRoot()
    return EstimatorState(
      estimate: EstimatedValue(value: norm, standardError: Double.nrm2(n, errors)),
      scale: options.toleranceScale == .value ? norm : frobenius,
      floor: Double(Map.Scalar.ulpOfOne) * frobenius)
  }

  /// `diag(QZ') - (Q s_i) * (Z s_i) + omega_i * (Q s_i) (s_i'r_i)` for each probe `i`, with `Z = AQ`: the
  /// projector without probe `i` is `Q (I - s_i s_i') Q'`, and `A omega_i = Q r_i`.
  private func leaveOneOutMoments() -> RunningMoments {
    let n = map.dimension
    let (r, m) = (sketch.rank, probes)
    let directions = sketch.leaveOneOutDirections()
    let lengths = zip(directions, sketch.coefficients).map { Map.Scalar(inner($0, $1)) }
    let s = directions.flatMap { $0.map { Map.Scalar($0) } }
    var result = RunningMoments(dimension: n)
    var base = [Double](repeating: 0, count: n)
    addRowProducts(sketch.basis, sketch.images, to: &base)
    guard r > 0 else {
      result.add(productsOf: vectors.map { _ in 0 }, vectors)
      return result
    }
    // A few probes at a time bound the memory for Q s_i and Z s_i.
    for start in stride(from: 0, to: m, by: ProductMeter.blockColumns) {
      let width = min(ProductMeter.blockColumns, m - start)
      let part = Array(s[start * r..<(start + width) * r])
      func combined(_ block: [Map.Scalar]) -> [Map.Scalar] {
        var product = [Map.Scalar](repeating: 0, count: n * width)
        Map.Scalar.gemm(
          transposedA: false, transposedB: false, m: n, n: width, k: r, alpha: 1, block, lda: n,
          part, ldb: r, beta: 0, &product, ldc: n)
        return product
      }
      let q = combined(sketch.basis)
      var rest = combined(sketch.images)
      for column in 0..<width {
        let probe = start + column
        rest.withUnsafeMutableBufferPointer { rest in
          vectors.withUnsafeBufferPointer {
            let target = rest.baseAddress! + column * n
            Map.Scalar.axpy(n, -lengths[probe], $0.baseAddress! + probe * n, target)
            Map.Scalar.scal(n, -1, target)
          }
        }
      }
      result.add(productsOf: q, rest, base: base)
    }
    return result
  }
}

/// Mean and squared deviations of vectors that come one at a time (Welford's recurrence).
private struct RunningMoments {
  private var count = 0
  private var means: [Double]
  private var squares: [Double]

  init(dimension: Int) {
    means = [Double](repeating: 0, count: dimension)
    squares = means
  }

  /// Takes `base + x * y` for each column of two column-major blocks.
  @_specialize(where Scalar == Double)
  @_specialize(where Scalar == Float)
  mutating func add<Scalar: LinearMapScalar>(
    productsOf x: [Scalar], _ y: [Scalar], base: [Double]? = nil
  ) {
    let n = means.count
    for column in stride(from: 0, to: x.count, by: n) {
      count += 1
      for i in 0..<n {
        let value = (base?[i] ?? 0) + Double(x[column + i]) * Double(y[column + i])
        let difference = value - means[i]
        means[i] += difference / Double(count)
        squares[i] += difference * (value - means[i])
      }
    }
  }

  func meansAndErrors() -> ([Double], [Double]) {
    precondition(count >= 2, "one sample has no standard error")
    let scale = 1 / Double(count * (count - 1))
    return (means, squares.map { ($0 * scale).squareRoot() })
  }
}

/// Adds the diagonal of `X Y'` to `sums`, for two column-major blocks.
@_specialize(where Scalar == Double)
@_specialize(where Scalar == Float)
private func addRowProducts<Scalar: LinearMapScalar>(
  _ x: [Scalar], _ y: [Scalar], to sums: inout [Double]
) {
  let n = sums.count
  for column in stride(from: 0, to: x.count, by: n) {
    for i in 0..<n { sums[i] += Double(x[column + i]) * Double(y[column + i]) }
  }
}
