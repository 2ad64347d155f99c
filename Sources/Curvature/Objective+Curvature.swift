import LinearMaps
import TensorPrograms

extension Objective {
  /// A curvature matrix at a point, linearised once.
  ///
  /// - Parameters:
  ///   - parameters: positions (ascending) of the parameters whose principal submatrix is wanted, as
  ///     `LossDefinition.parameters(matching:)` gives; all by default. Only they are differentiated, so
  ///     that a part costs less than the whole.
  ///   - seed: of the targets that `sampledFisher` draws.
  /// - Throws: `CurvatureError` where the loss lacks what the matrix is made of; what the executor throws.
  public func curvature(
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]?, seed: UInt64
  ) throws -> CurvatureMap<Scalar> {
    try curvature(kind, at: point, parameters: parameters, batches: nil, seed: seed)
  }

  /// The matrix of some micro-batches alone; all by default.
  func curvature(
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]?, batches: Range<Int>?,
    seed: UInt64
  ) throws -> CurvatureMap<Scalar> {
    let products = try LinearizedProducts(
      self, kind, at: point, parameters: parameters, batches: batches, seed: seed)
    return CurvatureMap(products, kind, parameters: products.parameters)
  }

  /// The block diagonal of a curvature matrix: each layer's own part, everything between layers zero.
  ///
  /// - Parameter blocks: the groups of parameters; the layers by default. They must not overlap, and
  ///   parameters in none of them have a zero block.
  public func blockDiagonal(
    _ kind: CurvatureKind, at point: [Scalar], blocks: [LossDefinition.Layer]? = nil,
    seed: UInt64 = 0
  ) throws -> BlockDiagonalMap<CurvatureMap<Scalar>> {
    BlockDiagonalMap(
      dimension: parameterCount,
      blocks: try (blocks ?? definition.layers).map { layer in
        (
          coordinates(of: layer.parameters),
          try curvature(kind, at: point, parameters: layer.parameters, seed: seed)
        )
      })
  }
}
