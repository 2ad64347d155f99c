import Foundation
import LinearMaps

/// The largest eigenvalue of a symmetric map that has moved since it was last looked at: Lanczos from the last
/// Ritz vector `v`, mixed with a little noise `z`,
///
///     s = v + noise z,   |v| = |z| = 1,  z_i = +-1 / sqrt(n),
///
/// so that a direction which has become the sharpest can show. It stops after two products or more, at a relative
/// residual or at a number of them, and leaves for the next look the Ritz vector with a fiftieth of the second
/// one: what rises second comes closer with each look. Without a last vector it starts from a random one.
///
/// The residual `|A u - lambda u|` certifies that some eigenvalue lies within it of `lambda`; the largest is
/// not below `lambda` but for rounding. `lambda` is off by about the residual's square over the gap to the next
/// eigenvalue, so that a residual of some per cent makes an error of far less.
public struct WarmSharpness: Sendable, Equatable {
  /// The relative residual at which it stops.
  public var tolerance = 0.1
  /// Products of a look that has a vector to start from.
  public var productLimit = 3
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
    public let products: Int
    private let basis: ShortBasis<Scalar>
    /// What the Ritz vector and the next start have of the basis.
    private let ofVector: [Double]
    private let ofNext: [Double]

    fileprivate init(
      _ value: Double, residual: Double, _ basis: ShortBasis<Scalar>, ofVector: [Double],
      ofNext: [Double]
    ) {
      (self.value, self.residual, self.basis) = (value, residual, basis)
      (self.ofVector, self.ofNext, products) = (ofVector, ofNext, ofVector.count)
    }

    /// The Ritz vector, of unit norm but for rounding; made when it is asked for.
    public var vector: [Scalar] { scalars(combined(ofVector)) }
    /// Where the next look starts.
    public var next: [Scalar] { scalars(combined(ofNext)) }

    private func combined(_ coefficients: [Double]) -> [Double] {
      combination(of: basis.vectors, coefficients)
    }

    /// `next`, before it is rounded to the precision of a run.
    var nextNumbers: [Double] { combined(ofNext) }

    /// The residual as a share of the value; infinity where the value is zero.
    public var relativeResidual: Double { value == 0 ? .infinity : residual / abs(value) }
    /// Whether the residual is at most 10 % of the value.
    public var isReliable: Bool { relativeResidual <= 0.1 }
  }

  /// Looks at a map.
  ///
  /// - Parameters:
  ///   - start: the last look's `next`; nil for none. One of another length or of zeros counts as none.
  ///   - seed: of the noise; another one for each look.
  /// - Throws: what the map throws; `LinearMapError` where its products are not finite.
  public func callAsFunction<Map: LinearMap>(
    of map: Map, start: [Map.Scalar]? = nil, seed: UInt64
  ) throws -> Found<Map.Scalar> {
    try look(of: map, start: start.map { doubles($0) } ?? [], seed: seed)
  }

  /// Likewise, from a start in double precision; empty for none.
  func look<Map: LinearMap>(
    of map: Map, start: [Double], seed: UInt64
  ) throws -> Found<Map.Scalar> {
    let count = map.dimension
    let norm = start.count == count ? length(of: start) : 0
    let isWarm = norm > 0 && norm.isFinite
    var basis: ShortBasis<Map.Scalar>
    if isWarm {
      basis = ShortBasis(
        mixed(start, by: 1 / norm, noise: noise / Double(count).squareRoot(), seed: seed),
        tolerance: tolerance)
    } else {
      var generator = SeededGenerator(seed: seed)
      basis = ShortBasis(generator.unitSphere(count), tolerance: tolerance)
    }
    let limit = max(1, min(count, isWarm ? productLimit : coldProductLimit))
    while true {
      try basis.multiply(by: map)
      let steps = basis.alphas.count
      let ritz = try TridiagonalEigensystem(
        diagonal: basis.alphas, offDiagonal: Array(basis.betas.dropLast()), vectors: .all)
      let (top, last) = (ritz.values[steps - 1], basis.betas[steps - 1])
      let residual = abs(last * ritz.last[steps - 1])
      let isClose = steps >= 2 && residual <= tolerance * abs(top)
      guard steps == limit || last == 0 || isClose else {
        basis.grow()
        continue
      }
      let vector = Array(ritz.vectors.suffix(steps))
      var next = vector
      if steps >= 2 {
        for (index, part) in ritz.vectors.dropLast(steps).suffix(steps).enumerated() {
          next[index] += 0.02 * part
        }
      }
      return Found(top, residual: residual, basis, ofVector: vector, ofNext: next)
    }
  }
}

/// The same numbers in double precision; a copy of its own, since mapping an array of a generic number is
/// tens of times slower.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func doubles<Scalar: LinearMapScalar>(_ values: [Scalar]) -> [Double] {
  var all = [Double](repeating: 0, count: values.count)
  for index in values.indices { all[index] = Double(values[index]) }
  return all
}

/// The same numbers in the precision of a run.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func scalars<Scalar: LinearMapScalar>(_ values: [Double]) -> [Scalar] {
  var all = [Scalar](repeating: 0, count: values.count)
  for index in values.indices { all[index] = Scalar(values[index]) }
  return all
}
