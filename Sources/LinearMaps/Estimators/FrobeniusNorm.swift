/// `‖A‖_F = sqrt(sum lambda_i²)` of a symmetric map, from `E ‖A omega‖² = ‖A‖_F²`: one product per probe.
///
/// The square is unbiased; the norm's standard error is that of the square over `2 ‖A‖_F`. Exact
/// where the number of products allowed makes `n` of them affordable.
public struct FrobeniusNorm: Codable, Sendable, Equatable {
  public let value: Double
  public let standardError: Double
  /// The unbiased estimate of `‖A‖_F²`.
  public let squared: EstimatedValue
  public let probes: Int
  public let operatorApplications: Int
  public let seed: UInt64
  public let convergence: Convergence

  /// Estimates the norm of `map` until the stopping rule of the options is met.
  ///
  /// Throws `nonFiniteProduct`, and what the map throws.
  public init<Map: LinearMap>(of map: Map, options: EstimatorOptions = EstimatorOptions()) throws {
    var estimator = FrobeniusEstimator(map, options: options)
    let (state, convergence) = try estimator.run(options)
    value = state.estimate.value
    standardError = state.estimate.standardError
    squared = estimator.squared
    probes = estimator.probes
    operatorApplications = estimator.meter.applications
    seed = options.seed
    self.convergence = convergence
  }

  /// `‖A‖_F² / ‖A‖₂²`, the stable rank, for a spectral norm known from elsewhere; nil for the zero map.
  public func stableRank(spectralNorm: Double) -> EstimatedValue? {
    guard spectralNorm > 0 else { return nil }
    let scale = 1 / (spectralNorm * spectralNorm)
    return EstimatedValue(
      value: squared.value * scale, standardError: squared.standardError * scale)
  }
}

private struct FrobeniusEstimator<Map: LinearMap>: ProbeEstimator {
  let map: Map
  let options: EstimatorOptions
  var meter: ProductMeter
  private var generator: SeededGenerator
  private var exact: Double?
  private var squaredNorms: [Double] = []

  init(_ map: Map, options: EstimatorOptions) {
    self.map = map
    self.options = options
    meter = ProductMeter(options)
    generator = SeededGenerator(seed: options.seed)
  }

  var exactApplications: Int? { map.dimension }
  var applicationsPerProbe: Int { 1 }
  var probes: Int { squaredNorms.count }
  var squared: EstimatedValue {
    exact.map { EstimatedValue(value: $0, standardError: 0) }
      ?? EstimatedValue(samples: squaredNorms)
  }

  mutating func add(probes count: Int) throws {
    let n = map.dimension
    for start in stride(from: 0, to: count, by: ProductMeter.blockColumns) {
      let x: [Map.Scalar] = generator.probes(
        min(ProductMeter.blockColumns, count - start), dimension: n, options.probes)
      let y = try meter.products(of: map, with: x)
      y.withUnsafeBufferPointer { y in
        for column in stride(from: 0, to: y.count, by: n) {
          let y = y.baseAddress! + column
          squaredNorms.append(Map.Scalar.dot(n, y, y))
        }
      }
    }
  }

  mutating func solveExactly() throws {
    let n = map.dimension
    var sum = 0.0
    try meter.forEachColumn(of: map) { sum += Map.Scalar.dot(n, $1, $1) }
    exact = sum
  }

  func state() throws -> EstimatorState {
    let squared = squared
    let norm = squared.value.squareRoot()
    return EstimatorState(
      estimate: EstimatedValue(
        value: norm,
        standardError: norm > 0 ? squared.standardError / (2 * norm) : 0),
      scale: norm, floor: Double(Map.Scalar.ulpOfOne) * norm)
  }
}
