/// A symmetric operator `A` on `dimension` reals, known by its products alone.
///
/// The algorithms of this module need `A = A'`; what departs from it (rounding included) shows up
/// as asymmetry in their results and widens the stated bounds.
public protocol LinearMap<Scalar> {
  /// The numbers of its vectors.
  associatedtype Scalar: LinearMapScalar

  /// The length of the vectors, at least 1.
  var dimension: Int { get }

  /// `y = A x`; `x` and `y` hold `dimension` numbers and never alias.
  ///
  /// May throw (e.g. `CancellationError`); the algorithms pass the error through.
  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws

  /// `Y = A X` for a column-major block of `dimension` x `columns`.
  func apply(
    columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws
}

extension LinearMap {
  public func apply(
    columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>
  ) throws {
    for column in 0..<columns {
      try apply(x + column * dimension, into: y + column * dimension)
    }
  }

  /// `A x` as a new array; `x` holds `dimension` numbers.
  public func callAsFunction(_ x: [Scalar]) throws -> [Scalar] {
    precondition(
      x.count == dimension, "a vector of \(x.count) meets a map of dimension \(dimension)")
    var y = [Scalar](repeating: 0, count: dimension)
    try y.withUnsafeMutableBufferPointer { y in
      try x.withUnsafeBufferPointer { x in
        try apply(x.baseAddress!, into: y.baseAddress!)
      }
    }
    return y
  }
}
