/// `P^{-1} = (lambda_l + mu) U (Lambda + mu)^{-1} U' + (I - U U')`, from a randomised low-rank
/// picture `U Lambda U'` of a positive semidefinite map `A`: it flattens the top of the spectrum of
/// `A + mu I`.
///
/// A sketch `Y = A Omega` of `columns` random orthonormal directions, one block of products, gives
/// `(Y + nu Omega) (Omega'Y + nu I)^{-1} (Y + nu Omega)'`, with a shift `nu` at rounding level that
/// is taken off its eigenvalues again; computed as `Q (R C^{-1} R') Q'` with `Y + nu Omega = Q R`
/// and the core `C`, so that `U` is orthonormal to rounding. With twice the effective dimension `tr
/// A (A + mu)^{-1}` in columns the preconditioned condition number is expected below 28; a slowly
/// decaying spectrum gains little: `lambda_l / mu` stays.
///
/// Where `A` has negative eigenvalues the core matrix is not positive: the directions of the sketch
/// that show it are left out (`dropped` counts them), and what remains is a positive definite
/// preconditioner that does nothing about negative curvature; shift the map first.
///
/// Memory: `columns` vectors. Throws what the map throws, and `nonFiniteProduct`.
///
/// Reference: Frangella, Tropp and Udell, "Randomized Nyström preconditioning" (2023), algorithm
/// 2.1, equation (1.3) and theorem 1.1.
public struct NystromPreconditioner<Scalar: LinearMapScalar>: LinearMap, Sendable {
  public let dimension: Int
  /// `Lambda`, descending, none negative; at most `columns` of them.
  public let eigenvalues: [Double]
  public let damping: Double
  public let seed: UInt64
  /// Directions of the sketch without positive curvature.
  public let dropped: Int
  public let operatorApplications: Int

  private let vectors: [Scalar]
  private let factors: [Scalar]

  /// Sketches `map` with `columns` directions for the system `(A + damping I) x = b`.
  public init<Map: LinearMap<Scalar>>(
    of map: Map, columns: Int, damping: Double, seed: UInt64 = 0
  ) throws {
    let n = map.dimension
    precondition(columns >= 1 && columns <= n, "a sketch has 1...\(n) columns, not \(columns)")
    precondition(damping >= 0, "the damping must not be negative")
    var generator = SeededGenerator(seed: seed)
    var omega = OrthonormalColumns<Scalar>(dimension: n, capacity: columns)
    while omega.count < columns { _ = omega.append(generator.unitSphere(n)) }
    let counted = CountedMap(map)
    let sketch = try counted.block(omega.entries)
    let scale = (0..<columns).map { column in
      sketch.withUnsafeBufferPointer { Scalar.nrm2(n, $0.baseAddress! + column * n) }
    }.max()!
    let nu = Double(n).squareRoot() * Double(Scalar.ulpOfOne) * scale
    var shifted = sketch
    Scalar.axpy(shifted.count, Scalar(nu), omega.entries, &shifted)

    // Y = Q R: the picture is Q (R C^{-1} R') Q' with the core C = Omega'Y, and Q is orthonormal.
    var range = OrthonormalColumns<Scalar>(dimension: n, capacity: columns)
    for column in 0..<columns { _ = range.append(Array(shifted[column * n..<(column + 1) * n])) }
    let rank = range.count
    let core = matrixProduct(
      omega.entries, transposed: true, rows: n, shifted, columns: columns
    ).map { Double($0) }
    let inner = try SymmetricEigensystem(columnMajor: core, dimension: columns)
    let level = max(0.5 * nu, Double(columns) * Double.ulpOfOne * scale)
    let kept = (0..<columns).filter { inner.values[$0] > level }
    var root: [Double] = []
    for index in kept {
      root += inner.vector(index).map { $0 / inner.values[index].squareRoot() }
    }
    let triangle =
      rank == 0
      ? []
      : matrixProduct(range.entries, transposed: true, rows: n, shifted, columns: columns)
        .map { Double($0) }
    let picture =
      rank == 0 || kept.isEmpty
      ? [] : matrixProduct(triangle, rows: rank, root, columns: kept.count)
    var values: [Double] = []
    var rotation: [Scalar] = []
    if !picture.isEmpty {
      var gram = [Double](repeating: 0, count: rank * rank)
      Double.gemm(
        transposedA: false, transposedB: true, m: rank, n: rank, k: kept.count, alpha: 1, picture,
        lda: rank, picture, ldb: rank, beta: 0, &gram, ldc: rank)
      let outer = try SymmetricEigensystem(columnMajor: gram, dimension: rank)
      for index in (0..<rank).reversed() where outer.values[index] - nu > 0 {
        values.append(outer.values[index] - nu)
        rotation += outer.vector(index).map { Scalar($0) }
      }
    }
    self.init(
      dimension: n, eigenvalues: values,
      vectors: values.isEmpty
        ? [] : matrixProduct(range.entries, rows: n, rotation, columns: values.count),
      damping: damping, seed: seed, dropped: columns - kept.count,
      operatorApplications: counted.products)
  }

  /// From eigenvalues, descending, and orthonormal vectors that are known already.
  init(
    dimension: Int, eigenvalues: [Double], vectors: [Scalar], damping: Double, seed: UInt64,
    dropped: Int = 0, operatorApplications: Int = 0
  ) {
    self.dimension = dimension
    self.eigenvalues = eigenvalues
    self.vectors = vectors
    self.damping = damping
    self.seed = seed
    self.dropped = dropped
    self.operatorApplications = operatorApplications
    let last = (eigenvalues.last ?? 0) + damping
    factors = eigenvalues.map { Scalar(last > 0 ? last / ($0 + damping) - 1 : 0) }
  }

  public func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) {
    y.update(from: x, count: dimension)
    let count = eigenvalues.count
    guard count > 0 else { return }
    vectors.withUnsafeBufferPointer { u in
      withUnsafeTemporaryAllocation(of: Scalar.self, capacity: count) { h in
        h.initialize(repeating: 0)
        Scalar.gemv(
          transposed: true, rows: dimension, columns: count, alpha: 1, u.baseAddress!,
          lda: dimension, x, beta: 0, h.baseAddress!)
        for i in 0..<count { h[i] *= factors[i] }
        Scalar.gemv(
          transposed: false, rows: dimension, columns: count, alpha: 1, u.baseAddress!,
          lda: dimension, h.baseAddress!, beta: 1, y)
      }
    }
  }
}
