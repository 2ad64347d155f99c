@testable import LinearMaps

/// Symmetric matrices of known character, seeded; the spectra that the bounds must survive.
enum TestMatrices {
  static func laplacian(_ n: Int) -> [Double] {
    var a = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      a[i * n + i] = 2
      if i + 1 < n {
        a[i * n + i + 1] = -1
        a[(i + 1) * n + i] = -1
      }
    }
    return a
  }

  static func hilbert(_ n: Int) -> [Double] {
    (0..<n * n).map { 1 / Double($0 / n + $0 % n + 1) }
  }

  static func normals(_ count: Int, _ generator: inout SeededGenerator) -> [Double] {
    (0..<count).map { _ in generator.nextNormal() }
  }

  /// `X'X / samples` for a normal `X` of `samples` x `n`.
  static func wishart(_ n: Int, samples: Int, _ generator: inout SeededGenerator) -> [Double] {
    let x = normals(samples * n, &generator)
    var a = [Double](repeating: 0, count: n * n)
    Double.gemm(
      transposedA: true, transposedB: false, m: n, n: n, k: samples, alpha: 1 / Double(samples), x,
      lda: samples, x, ldb: samples, beta: 0, &a, ldc: n)
    return symmetrized(a, n)
  }

  /// `(G + G') / sqrt(2n)` for a normal `G`.
  static func wigner(_ n: Int, _ generator: inout SeededGenerator) -> [Double] {
    let g = normals(n * n, &generator)
    let scale = 1 / Double(2 * n).squareRoot()
    return (0..<n * n).map { (g[$0] + g[$0 % n * n + $0 / n]) * scale }
  }

  /// `Q diag(values) Q'` for a random orthogonal `Q` (three Householder reflections).
  static func withSpectrum(_ values: [Double], _ generator: inout SeededGenerator) -> [Double] {
    let n = values.count
    var a = [Double](repeating: 0, count: n * n)
    for i in 0..<n { a[i * n + i] = values[i] }
    var product = [Double](repeating: 0, count: n)
    for _ in 0..<3 {
      let u = generator.unitSphere(n, as: Double.self)
      // H A H with H = I - 2uu': A - 2u(Au)' - 2(Au)u' + 4(u'Au)uu'.
      Double.gemv(
        transposed: false, rows: n, columns: n, alpha: 1, a, lda: n, u, beta: 0, &product)
      let curvature = Double.dot(n, u, product)
      let w = zip(product, u).map { $0 - curvature * $1 }
      Double.gemm(
        transposedA: false, transposedB: false, m: n, n: n, k: 1, alpha: -2, u, lda: n, w, ldb: 1,
        beta: 1, &a, ldc: n)
      Double.gemm(
        transposedA: false, transposedB: false, m: n, n: n, k: 1, alpha: -2, w, lda: n, u, ldb: 1,
        beta: 1, &a, ldc: n)
    }
    return symmetrized(a, n)
  }

  static func symmetrized(_ a: [Double], _ n: Int) -> [Double] {
    (0..<n * n).map { 0.5 * (a[$0] + a[$0 % n * n + $0 / n]) }
  }

  enum Family: String, CaseIterable, Sendable {
    case wishart, wigner, spiked, clustered, geometric, lowRank, twoPoint, indefinitePairs

    func matrix(_ n: Int, _ generator: inout SeededGenerator) -> [Double] {
      switch self {
      case .wishart: return TestMatrices.wishart(n, samples: 2 * n, &generator)
      case .wigner: return TestMatrices.wigner(n, &generator)
      case .spiked:
        var values = (0..<n).map { _ in generator.nextUniform() }
        values[n - 1] = 1.02
        values[0] = -0.3
        return TestMatrices.withSpectrum(values, &generator)
      case .clustered:
        let values: [Double] = (0..<n).map { index in
          index % 2 == 0 ? 1 - 1e-9 * Double(index) : generator.nextUniform()
        }
        return TestMatrices.withSpectrum(values, &generator)
      case .geometric:
        var value = 2.0
        let values = (0..<n).map { _ in
          value *= 0.7
          return value
        }
        return TestMatrices.withSpectrum(values, &generator)
      case .lowRank:
        let values: [Double] = (0..<n).map { $0 < 3 ? Double($0 + 1) : 0 }
        return TestMatrices.withSpectrum(values, &generator)
      case .twoPoint:
        let values: [Double] = (0..<n).map { $0 % 3 == 0 ? 5 : 1 }
        return TestMatrices.withSpectrum(values, &generator)
      case .indefinitePairs:
        let values: [Double] = (0..<n).map { index in
          let size = 1 + 1e-4 * Double(index / 2)
          return index % 2 == 0 ? size : -size
        }
        return TestMatrices.withSpectrum(values, &generator)
      }
    }
  }
}
