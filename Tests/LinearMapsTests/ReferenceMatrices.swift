@testable import LinearMaps

/// Dense references for the stochastic estimates, written from the definitions.
enum ReferenceMatrices {
  /// `Q diag(values) Q'` with `Q` uniform over the orthogonal matrices: the eigenvectors of a
  /// matrix of the Gaussian orthogonal ensemble.
  static func inRandomBasis(_ values: [Double], seed: UInt64) throws -> [Double] {
    let n = values.count
    var generator = SeededGenerator(seed: seed)
    let q = try SymmetricEigensystem(
      columnMajor: TestMatrices.wigner(n, &generator), dimension: n
    ).vectors
    var scaled = q
    for index in 0..<n * n { scaled[index] *= values[index / n] }
    var a = [Double](repeating: 0, count: n * n)
    Double.gemm(
      transposedA: false, transposedB: true, m: n, n: n, k: n, alpha: 1, scaled, lda: n, q, ldb: n,
      beta: 0, &a, ldc: n)
    return TestMatrices.symmetrized(a, n)
  }

  static func times(_ a: [Double], _ x: [Double]) -> [Double] {
    let n = x.count
    return (0..<n).map { row in (0..<n).reduce(0) { $0 + a[$1 * n + row] * x[$1] } }
  }

  static func dot(_ x: [Double], _ y: [Double]) -> Double {
    zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// Orthonormal columns spanning the given ones, by modified Gram-Schmidt done twice.
  static func orthonormalized(_ columns: [[Double]]) -> [[Double]] {
    var basis: [[Double]] = []
    for column in columns {
      var y = column
      for _ in 0..<2 {
        for q in basis {
          let h = dot(q, y)
          y = zip(y, q).map { $0 - h * $1 }
        }
      }
      let norm = dot(y, y).squareRoot()
      if norm > 1e-12 * dot(column, column).squareRoot() { basis.append(y.map { $0 / norm }) }
    }
    return basis
  }

  static func projectedOut(_ basis: [[Double]], _ x: [Double]) -> [Double] {
    basis.reduce(x) { y, q in
      let h = dot(q, x)
      return zip(y, q).map { $0 - h * $1 }
    }
  }

  /// The median of at least one number.
  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
