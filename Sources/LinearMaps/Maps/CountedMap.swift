/// A map that counts its products and refuses those that are not finite.
final class CountedMap<Base: LinearMap>: LinearMap {
  let base: Base
  let dimension: Int
  private(set) var products = 0

  init(_ base: Base) {
    self.base = base
    dimension = base.dimension
  }

  func apply(_ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>) throws {
    try base.apply(x, into: y)
    try count(1, y)
  }

  func apply(
    columns: Int, _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try base.apply(columns: columns, x, into: y)
    try count(columns, y)
  }

  private func count(_ columns: Int, _ y: UnsafeMutablePointer<Base.Scalar>) throws {
    if let index = Base.Scalar.firstNonFinite(dimension * columns, y) {
      throw LinearMapError.nonFiniteProduct(
        application: products + index / dimension + 1, index: index % dimension)
    }
    products += columns
  }
}

extension LinearMap {
  /// `A X` for a column-major block, as a new array.
  func block(_ x: [Scalar]) throws -> [Scalar] {
    var y = [Scalar](repeating: 0, count: x.count)
    try y.withUnsafeMutableBufferPointer { y in
      try x.withUnsafeBufferPointer { x in
        try apply(columns: x.count / dimension, x.baseAddress!, into: y.baseAddress!)
      }
    }
    return y
  }
}
