/// The trace of a symmetric map from random probes, with its standard error.
///
/// Hutchinson's error falls like `1/sqrt(products)` whatever the spectrum; Hutch++ and XTrace remove
/// the range of `A` that their probes show, and gain orders of magnitude on spectra that decay.
/// On flat spectra they cost about `sqrt(2)` in error. Where the number of products allowed makes
/// the exact trace affordable (`n` products), that is what comes back in the end, with a standard
/// error of 0.
///
/// Memory: 8 vectors for Hutchinson, two per probe for the others.
/// Reference: Girard (1989) and Hutchinson (1990); Meyer, Musco, Musco and Woodruff, "Hutch++:
/// Optimal Stochastic Trace Estimation" (2021); Epperly, Tropp and Webber, "XTrace: Making the Most
/// of Every Sample in Stochastic Trace Estimation" (2024).
public struct TraceEstimate: Codable, Sendable, Equatable {
  public enum Method: String, Codable, Sendable, CaseIterable {
    /// The mean of `omega'A omega`: one product per probe, drawn as the options say.
    case hutchinson
    /// `tr(Q'AQ)` for `Q` spanning `A S`, and Hutchinson's mean on the complement of `Q`: three
    /// products per probe.
    case hutchPlusPlus = "hutch++"
    /// As Hutch++, with every probe in the role of the complement's in turn and the others spanning
    /// `Q`, each scaled to its expected length there: two products per probe.
    case xTrace = "xtrace"
  }

  public let value: Double
  /// Of the mean over probes; for XTrace from the scatter of its leave-one-out values, times
  /// `sqrt(2)` because each pair of probes shares in two of them. 0 where exact.
  public let standardError: Double
  /// What rounding in the map's precision may add: `eps sqrt(n) ‖A‖_F`.
  public let rounding: Double
  /// `‖A‖_F²` from the same products.
  public let squaredFrobeniusNorm: EstimatedValue
  public let method: Method
  public let probes: Int
  public let operatorApplications: Int
  public let seed: UInt64
  public let convergence: Convergence

  /// Estimates the trace of `map` until the stopping rule of the options is met.
  ///
  /// Throws `nonFiniteProduct`, and what the map throws.
  public init<Map: LinearMap>(
    of map: Map, method: Method = .xTrace, options: EstimatorOptions = EstimatorOptions()
  ) throws {
    var estimator = TraceEstimator(map, method: method, options: options)
    let (state, convergence) = try estimator.run(options)
    value = state.estimate.value
    standardError = state.estimate.standardError
    rounding = state.floor
    squaredFrobeniusNorm = estimator.squaredFrobeniusNorm
    self.method = method
    probes = estimator.probes
    operatorApplications = estimator.meter.applications
    seed = options.seed
    self.convergence = convergence
  }
}

private struct TraceEstimator<Map: LinearMap>: ProbeEstimator {
  let map: Map
  let method: TraceEstimate.Method
  let options: EstimatorOptions
  var meter: ProductMeter
  private(set) var probes = 0
  private var generator: SeededGenerator
  private var exact: (trace: Double, squares: Double)?
  /// `omega'A omega` of each probe, in the order of `vectors` where those are kept.
  private var quadratics: [Double] = []
  private var squaredNorms: [Double] = []
  private var sketch: RangeSketch<Map.Scalar>
  /// The probes whose part outside `Q` is measured, column-major.
  private var vectors: [Map.Scalar] = []
  /// The products of `vectors`, for Hutch++ alone; XTrace has them as `Q R`.
  private var images: [Map.Scalar] = []

  init(_ map: Map, method: TraceEstimate.Method, options: EstimatorOptions) {
    self.map = map
    self.method = method
    self.options = options
    meter = ProductMeter(options)
    generator = SeededGenerator(seed: options.seed)
    sketch = RangeSketch(dimension: map.dimension)
  }

  var exactApplications: Int? { map.dimension }

  var applicationsPerProbe: Int {
    switch method {
    case .hutchinson: 1
    case .hutchPlusPlus: 3
    case .xTrace: 2
    }
  }

  var squaredFrobeniusNorm: EstimatedValue {
    exact.map { EstimatedValue(value: $0.squares, standardError: 0) }
      ?? EstimatedValue(samples: squaredNorms)
  }

  mutating func add(probes count: Int) throws {
    switch method {
    case .hutchinson:
      for start in stride(from: 0, to: count, by: ProductMeter.blockColumns) {
        _ = try measure(min(ProductMeter.blockColumns, count - start), options.probes)
      }
    case .hutchPlusPlus:
      let directions: [Map.Scalar] = generator.probes(count, dimension: map.dimension, .sphere)
      let products = try meter.products(of: map, with: directions)
      try sketch.extend(by: products, map: map, meter: &meter)
      let (complement, image) = try measure(count, .rademacher)
      vectors += complement
      images += image
    case .xTrace:
      let (directions, products) = try measure(count, .sphere)
      vectors += directions
      try sketch.extend(by: products, map: map, meter: &meter)
    }
    probes += count
  }

  private mutating func measure(
    _ count: Int, _ distribution: ProbeDistribution
  ) throws -> (vectors: [Map.Scalar], products: [Map.Scalar]) {
    let n = map.dimension
    let x: [Map.Scalar] = generator.probes(count, dimension: n, distribution)
    let y = try meter.products(of: map, with: x)
    x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer { y in
        for column in stride(from: 0, to: x.count, by: n) {
          let (x, y) = (x.baseAddress! + column, y.baseAddress! + column)
          quadratics.append(Map.Scalar.dot(n, x, y))
          squaredNorms.append(Map.Scalar.dot(n, y, y))
        }
      }
    }
    return (x, y)
  }

  mutating func solveExactly() throws {
    var (trace, squares) = (0.0, 0.0)
    let n = map.dimension
    try meter.forEachColumn(of: map) { index, column in
      trace += Double(column[index])
      squares += Map.Scalar.dot(n, column, column)
    }
    exact = (trace, squares)
  }

  func state() throws -> EstimatorState {
    let estimate = exact.map { EstimatedValue(value: $0.trace, standardError: 0) } ?? sampled
    let frobenius = squaredFrobeniusNorm.value.squareRoot()
    guard frobenius.isFinite, estimate.value.isFinite else {
      throw LinearMapError.tooLarge(size: frobenius)
    }
    let rounding =
      Double(Map.Scalar.ulpOfOne) * Double(map.dimension).squareRoot() * frobenius
    return EstimatorState(
      estimate: estimate,
      scale: options.toleranceScale == .value ? abs(estimate.value) : frobenius, floor: rounding)
  }

  private var sampled: EstimatedValue {
    switch method {
    case .hutchinson: return EstimatedValue(samples: quadratics)
    case .hutchPlusPlus: return EstimatedValue(samples: complementValues())
    case .xTrace:
      let values = EstimatedValue(samples: leaveOneOutValues())
      return EstimatedValue(
        value: values.value,
        standardError: EstimatedValue.leaveOneOutFactor * values.standardError)
    }
  }

  /// `tr H + u_j'A u_j` with `u_j = (I - QQ') omega_j`.
  private func complementValues() -> [Double] {
    let r = sketch.rank
    let n = map.dimension
    let inside = crossProducts(sketch.basis, vectors, rows: n)
    let cross = crossProducts(sketch.basis, images, rows: n)
    let trace = (0..<r).reduce(0) { $0 + sketch.compressed[$1][$1] }
    return quadratics.indices.map { j in
      let w = Array(inside[j * r..<(j + 1) * r])
      let c = Array(cross[j * r..<(j + 1) * r])
      return trace + quadratics[j] - 2 * inner(w, c) + curvature(w)
    }
  }

  /// `tr(Q_i'AQ_i) + (n - rank Q_i) u_i'A u_i / u_i'u_i`, where `Q_i` spans the products of all probes
  /// but `i`, and `u_i = (I - Q_iQ_i') omega_i = omega_i - Q x_i`.
  private func leaveOneOutValues() -> [Double] {
    let r = sketch.rank
    let n = map.dimension
    let inside = crossProducts(sketch.basis, vectors, rows: n)
    let trace = (0..<r).reduce(0) { $0 + sketch.compressed[$1][$1] }
    return sketch.leaveOneOutDirections().enumerated().map { i, s in
      let w = Array(inside[i * r..<(i + 1) * r])
      let along = inner(s, w)
      let x = zip(w, s).map { $0 - along * $1 }
      let leaves = s.contains { $0 != 0 }
      let quadratic = quadratics[i] - 2 * inner(x, sketch.coefficients[i]) + curvature(x)
      let squaredLength = Double(n) - inner(x, x)
      let rest = Double(n - r + (leaves ? 1 : 0))
      return trace - curvature(s) + rest * quadratic / squaredLength
    }
  }

  /// `x'Hx`.
  private func curvature(_ x: [Double]) -> Double {
    zip(x, sketch.compressed).reduce(0) { $0 + $1.0 * inner($1.1, x) }
  }
}
