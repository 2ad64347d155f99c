import Foundation
import LinearMaps

/// The largest eigenvalue of a symmetric map that has moved since it was last looked at: Lanczos from the last
/// Ritz vector `v`, mixed with a little noise `z`,
///
///     s = v + noise z,   |v| = |z| = 1,
///
/// so that a direction which has become the sharpest can show. It stops at a relative residual or at a number
/// of products. Without a last vector it starts from a random one.
///
/// The residual `|A u - lambda u|` certifies that some eigenvalue lies within it of `lambda`; the largest is
/// not below `lambda` but for rounding. `lambda` is off by about the residual's square over the gap to the next
/// eigenvalue, so that a residual of some per cent makes an error of far less.
public struct WarmSharpness: Sendable, Equatable {
  /// The relative residual at which it stops.
  public var tolerance = 0.05
  /// Products of a look that has a vector to start from.
  public var productLimit = 4
  /// Products of a look without.
  public var coldProductLimit = 40
  /// The length of the noise beside that of the last vector.
  public var noise = 0.02

  public init() {}

  /// What a look found.
  public struct Found<Scalar: LinearMapScalar>: Sendable {
    /// The largest Ritz value.
    public let value: Double
    public let residual: Double
    /// The Ritz vector, of unit norm: the next look's start.
    public let vector: [Scalar]
    public let products: Int

    /// The residual as a share of the value; infinity where the value is zero.
    public var relativeResidual: Double { value == 0 ? .infinity : residual / abs(value) }
    /// Whether the residual is at most 10 % of the value.
    public var isReliable: Bool { relativeResidual <= 0.1 }
  }

  /// Looks at a map.
  ///
  /// - Parameters:
  ///   - start: the last vector; nil for none. One of another length or of zeros counts as none.
  ///   - seed: of the noise; another one for each look.
  /// - Throws: what the map throws; `LinearMapError` where its products are not finite.
  public func callAsFunction<Map: LinearMap>(
    of map: Map, start: [Map.Scalar]? = nil, seed: UInt64
  ) throws -> Found<Map.Scalar> {
    let count = map.dimension
    var generator = SeededGenerator(seed: seed)
    var first: [Map.Scalar] = generator.unitSphere(count)
    let norm = start.map { $0.count == count ? Map.Scalar.nrm2(count, $0) : 0 } ?? 0
    let isWarm = norm > 0 && norm.isFinite
    if isWarm, let start {
      for index in 0..<count {
        first[index] = start[index] / Map.Scalar(norm) + Map.Scalar(noise) * first[index]
      }
    }
    let lanczos = try LanczosFactorization(start: first)
    let limit = max(1, min(count, isWarm ? productLimit : coldProductLimit))
    while true {
      try lanczos.extend(by: map)
      let ritz = try lanczos.ritzSystem(vectors: .all)
      let (top, steps) = (ritz.dimension - 1, lanczos.count)
      let residual = abs(lanczos.betas[steps - 1] * ritz.last[top])
      guard steps == limit || lanczos.isInvariant || residual <= tolerance * abs(ritz.values[top])
      else { continue }
      let coefficients = Array(ritz.vectors[top * steps..<(top + 1) * steps])
      return Found(
        value: ritz.values[top], residual: residual,
        vector: lanczos.combination(coefficients, normalized: true), products: steps)
    }
  }
}
