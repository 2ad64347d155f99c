import LinearMaps
import TensorPrograms

/// What computes the products of a curvature matrix.
package protocol CurvatureProducts<Scalar>: AnyObject {
  associatedtype Scalar: LinearMapScalar
  var dimension: Int { get }
  func productOperations() throws -> Double
  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws
  func apply(columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws
}

extension CurvatureProducts {
  package func apply(
    columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>
  ) throws {
    for column in 0..<columns { try apply(x + column * dimension, into: y + column * dimension) }
  }
}

/// A curvature matrix of a loss at a point, known by its products: all of it, or its principal
/// submatrix on some of the parameters.
///
/// Products throw `CurvatureError` where NaN or an infinity arises, and `CancellationError`.
public final class CurvatureMap<Scalar: LinearMapScalar>: LinearMap {
  public let kind: CurvatureKind
  /// Positions in `Loss.parameters` of what the vectors are made of, ascending.
  public let parameters: [Int]
  private let products: any CurvatureProducts<Scalar>

  package init(_ products: any CurvatureProducts<Scalar>, _ kind: CurvatureKind, parameters: [Int])
  {
    self.products = products
    self.kind = kind
    self.parameters = parameters
  }

  public var dimension: Int { products.dimension }

  /// Operations of one product over all its samples, to be divided by `Loss.gradientOperations`.
  public func productOperations() throws -> Double { try products.productOperations() }

  public func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    try products.apply(x, into: y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>
  ) throws {
    try products.apply(columns: columns, x, into: y)
  }
}
