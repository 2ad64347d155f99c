import LinearMaps

/// The largest eigenvalue of a map by Lanczos from where the last search ended.
///
/// The start is the last Ritz vector with a little seeded noise, so that an eigenvector that has become the
/// outermost one is found; the search stops at a relative residual.
struct ScheduleSharpness<Scalar: LinearMapScalar> {
  let value: Double
  /// `|A v - value v|` over `|value|`: some eigenvalue is this near.
  let relativeResidual: Double
  let vector: [Scalar]
  let products: Int

  /// The share of noise in the start, in norm.
  private static var noise: Double { 0.05 }

  /// - Parameters:
  ///   - last: the Ritz vector of the last search; nil for a random start.
  ///   - tolerance: the relative residual to stop at.
  ///   - most: products allowed.
  /// - Throws: what the map throws.
  init(
    of map: some LinearMap<Scalar>, from last: [Scalar]?, seed: UInt64, tolerance: Double = 0.03,
    most: Int = 40
  ) throws {
    var generator = SeededGenerator(seed: seed)
    var start: [Scalar] = generator.unitSphere(map.dimension)
    if let last {
      start = zip(start, last).map { Scalar(Self.noise) * $0 + $1 }
    }
    let lanczos = try LanczosFactorization(start: start)
    while true {
      try lanczos.extend(by: map)
      let ritz = try lanczos.ritzSystem(vectors: .all)
      let (top, steps) = (ritz.dimension - 1, lanczos.count)
      let residual = abs(lanczos.betas[steps - 1] * ritz.last[top])
      let size = abs(ritz.values[top])
      let isClose = residual <= tolerance * size && steps > 1
      guard isClose || lanczos.isInvariant || steps >= most else { continue }
      value = ritz.values[top]
      relativeResidual = size > 0 ? residual / size : 0
      vector = lanczos.combination(
        Array(ritz.vectors[top * steps..<(top + 1) * steps]), normalized: true)
      products = steps
      return
    }
  }
}
