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
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]? = nil, seed: UInt64 = 0
  ) throws -> CurvatureMap<Scalar> {
    try CurvatureMap(self, kind, at: point, parameters: parameters, seed: seed)
  }

  /// The Hessian at a point, linearised once.
  public func hessian(at parameters: [Scalar]) throws -> CurvatureMap<Scalar> {
    try curvature(.hessian, at: parameters)
  }

  /// The Gauss-Newton matrix `J' H_loss J` at a point, or nil for a loss without a model output.
  public func gaussNewton(at parameters: [Scalar]) throws -> CurvatureMap<Scalar>? {
    definition.composite == nil ? nil : try curvature(.gaussNewton, at: parameters)
  }

  /// The entries of the flat vector that the parameters at `indices` take.
  public func coordinates(of indices: [Int]) -> [Range<Int>] {
    indices.map { layout.offsets[$0]..<layout.offsets[$0] + layout.types[$0].shape.count }
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
