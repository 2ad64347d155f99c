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

/// `D^{1/2} A D^{1/2}` for a positive diagonal `D`: the symmetric form of `D A`, which has the same
/// eigenvalues; the curvature that a diagonally preconditioned method meets.
public struct ScaledMap<Base: LinearMap>: LinearMap {
  public let base: Base
  /// The diagonal of `D^{1/2}`.
  public let rootDiagonal: [Base.Scalar]
  public var dimension: Int { base.dimension }

  /// Takes the diagonal of `D`, `dimension` numbers, none negative.
  public init(_ base: Base, diagonal: [Base.Scalar]) {
    precondition(
      diagonal.count == base.dimension,
      "a diagonal of \(diagonal.count) meets a map of dimension \(base.dimension)")
    precondition(
      diagonal.allSatisfy { $0 >= 0 }, "the diagonal of a symmetric scaling is not negative")
    self.base = base
    self.rootDiagonal = diagonal.map { $0.squareRoot() }
  }

  public func apply(
    _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try apply(columns: 1, x, into: y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    let n = dimension
    try rootDiagonal.withUnsafeBufferPointer { root in
      try withUnsafeTemporaryAllocation(of: Base.Scalar.self, capacity: n * columns) { scaled in
        for index in 0..<n * columns {
          scaled.initializeElement(at: index, to: root[index % n] * x[index])
        }
        try base.apply(columns: columns, scaled.baseAddress!, into: y)
        for index in 0..<n * columns { y[index] *= root[index % n] }
      }
    }
  }
}
