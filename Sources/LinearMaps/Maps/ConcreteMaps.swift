/// `A x` for a symmetric matrix held as a full column-major array of `dimension²` numbers.
public struct DenseSymmetricMap<Scalar: LinearMapScalar>: LinearMap, Sendable {
  public let dimension: Int
  /// Column-major entries.
  public let columns: [Scalar]

  /// Wraps a full matrix; both triangles are read, so they should agree.
  public init(columnMajor columns: [Scalar], dimension: Int) {
    precondition(dimension >= 1, "a map has at least one dimension")
    precondition(
      columns.count == dimension * dimension,
      "\(columns.count) entries are not a matrix of \(dimension) x \(dimension)")
    self.columns = columns
    self.dimension = dimension
  }

  public func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) {
    columns.withUnsafeBufferPointer {
      Scalar.gemv(
        transposed: false, rows: dimension, columns: dimension, alpha: 1, $0.baseAddress!,
        lda: dimension, x, beta: 0, y)
    }
  }

  public func apply(
    columns count: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>
  ) {
    columns.withUnsafeBufferPointer {
      Scalar.gemm(
        transposedA: false, transposedB: false, m: dimension, n: count, k: dimension, alpha: 1,
        $0.baseAddress!, lda: dimension, x, ldb: dimension, beta: 0, y, ldc: dimension)
    }
  }
}

/// `y_i = d_i x_i`.
public struct DiagonalMap<Scalar: LinearMapScalar>: LinearMap, Sendable {
  public let diagonal: [Scalar]
  public var dimension: Int { diagonal.count }

  public init(_ diagonal: [Scalar]) {
    precondition(!diagonal.isEmpty, "a map has at least one dimension")
    self.diagonal = diagonal
  }

  public func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) {
    diagonal.withUnsafeBufferPointer { d in
      for i in 0..<d.count { y[i] = d[i] * x[i] }
    }
  }
}

/// A map given by a function that writes `A x` into its second argument.
public struct ClosureMap<Scalar: LinearMapScalar>: LinearMap {
  public typealias Product = (UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>) throws -> Void

  public let dimension: Int
  private let product: Product

  public init(dimension: Int, _ product: @escaping Product) {
    precondition(dimension >= 1, "a map has at least one dimension")
    self.dimension = dimension
    self.product = product
  }

  public func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    try product(x, y)
  }
}

/// `A + shift I`: the same eigenvectors, every eigenvalue moved by `shift`.
public struct ShiftedMap<Base: LinearMap>: LinearMap {
  public let base: Base
  public let shift: Base.Scalar
  public var dimension: Int { base.dimension }

  public init(_ base: Base, shift: Base.Scalar) {
    self.base = base
    self.shift = shift
  }

  public func apply(
    _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try base.apply(x, into: y)
    Base.Scalar.axpy(dimension, shift, x, y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try base.apply(columns: columns, x, into: y)
    for column in 0..<columns {
      Base.Scalar.axpy(dimension, shift, x + column * dimension, y + column * dimension)
    }
  }
}
