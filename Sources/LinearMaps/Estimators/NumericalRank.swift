/// The number of eigenvalues above a threshold in absolute value.
///
/// A map whose range a few random products span is counted exactly, from the eigenvalues of its
/// compression to that range; a map of dimension up to 2048, where the products allowed reach that
/// far, from all its eigenvalues. Otherwise the count is a trace of a step function, by stochastic
/// Lanczos quadrature: `quadratureError` then says how far the rule still moved, which is much
/// where many eigenvalues crowd around the threshold.
///
/// Reference: Ubaru and Saad, "Fast methods for estimating the numerical rank of large matrices"
/// (2016); Halko, Martinsson and Tropp, "Finding structure with randomness" (2011).
public struct NumericalRank: Codable, Sendable, Equatable {
  public let value: Double
  /// Across the probes; 0 where counted.
  public let standardError: Double
  /// What stopping the quadrature early may add, from its last changes.
  public let quadratureError: Double
  /// Eigenvalues not above this in absolute value count as zero.
  public let threshold: Double
  public let probes: Int
  public let operatorApplications: Int
  public let seed: UInt64
  public let convergence: Convergence

  /// Counts the eigenvalues of `map` beyond `threshold`; nil stands for `min(n eps, sqrt(eps)) |A|`,
  /// the level of rounding, with the largest `|lambda|` seen for `|A|`.
  ///
  /// Throws `nonFiniteProduct`, and what the map throws.
  public init<Map: LinearMap>(
    of map: Map, threshold: Double? = nil, maxSteps: Int = 100,
    options: EstimatorOptions = EstimatorOptions()
  ) throws {
    precondition(threshold.map { $0 >= 0 } ?? true, "a threshold is not negative")
    let eps = Double(Map.Scalar.ulpOfOne)
    let relative = min(Double(map.dimension) * eps, eps.squareRoot())
    let level: (Double) -> Double = { threshold ?? relative * $0 }
    seed = options.seed
    var meter = ProductMeter(options)
    if let values = try Self.compressedSpectrum(of: map, options: options, meter: &meter) {
      let beyond = level(values.reduce(0) { max($0, abs($1)) })
      value = Double(values.count { abs($0) > beyond })
      standardError = 0
      quadratureError = 0
      self.threshold = beyond
      probes = 2 * options.minProbes
      operatorApplications = meter.applications
      convergence = Convergence(
        reason: .invariantSubspace, operatorApplications: meter.applications,
        advice: "\(probes) products span the range of the map; nothing to do")
      return
    }
    var estimator = SpectralSum(
      map, maxSteps: maxSteps, options: options,
      function: { abs($0) > level($1) ? 1 : 0 },
      finding: { _, _ in preconditionFailure("a step function is defined everywhere") })
    estimator.meter = meter
    let (state, convergence) = try estimator.run(options)
    value = state.estimate.value
    standardError = state.estimate.standardError
    quadratureError = estimator.quadratureError
    self.threshold = level(estimator.largest)
    probes = estimator.probes
    operatorApplications = estimator.meter.applications
    self.convergence = convergence
  }

  /// The eigenvalues of `Q'AQ` where `Q` holds the range of `A`, or nil where its rank is too large
  /// or the products are needed for the exact spectrum.
  private static func compressedSpectrum<Map: LinearMap>(
    of map: Map, options: EstimatorOptions, meter: inout ProductMeter
  ) throws -> [Double]? {
    let n = map.dimension
    let probes = 2 * options.minProbes
    let affordsDense = n <= SpectralSum<Map>.largestDense && n <= options.maxApplications
    let isCheap = 8 * probes <= options.maxApplications
    guard n > 2 * probes, isCheap, !affordsDense || n + 2 * probes <= options.maxApplications
    else { return nil }
    // A stream of its own, so that the quadrature's probes are those of the seed all the same.
    var generator = SeededGenerator(seed: ~options.seed)
    let products = try meter.products(
      of: map, with: generator.probes(probes, dimension: n, .sphere))
    var sketch = RangeSketch<Map.Scalar>(dimension: n)
    try sketch.extend(by: products, map: map, meter: &meter)
    guard sketch.rank < probes else { return nil }
    guard sketch.rank > 0 else { return [] }
    return try SymmetricEigensystem(
      columnMajor: sketch.compressed.flatMap { $0 }, dimension: sketch.rank, withVectors: false
    ).values
  }
}
