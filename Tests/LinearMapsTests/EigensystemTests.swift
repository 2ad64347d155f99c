import Foundation
import Testing

@testable import LinearMaps

@Suite struct EigensystemTests {
  /// Condition numbers of the 1-D Laplacian: `cot²(pi / 2(n+1))`.
  @Test(arguments: [
    (5, 13.9282032302755), (10, 48.3741500787082), (50, 1053.47899120011),
    (100, 4133.64292680113),
  ])
  func laplacian(_ n: Int, _ condition: Double) throws {
    let system = try SymmetricEigensystem(columnMajor: TestMatrices.laplacian(n), dimension: n)
    for k in 1...n {
      let exact = 4 * pow(sin(Double(k) * .pi / Double(2 * (n + 1))), 2)
      #expect(abs(system.values[k - 1] - exact) < 1e-13)
    }
    #expect(abs(system.conditionNumber! / condition - 1) < 1e-11)
    let tridiagonal = try TridiagonalEigensystem(
      diagonal: Array(repeating: 2, count: n), offDiagonal: Array(repeating: -1, count: n - 1),
      vectors: .all)
    for k in 0..<n {
      #expect(abs(tridiagonal.values[k] - system.values[k]) < 1e-13)
      // s_k(j) = sqrt(2/(n+1)) sin(jk pi/(n+1)).
      let end = (2 / Double(n + 1)).squareRoot() * sin(Double(k + 1) * .pi / Double(n + 1))
      #expect(abs(abs(tridiagonal.first[k]) - end) < 1e-12)
      #expect(abs(abs(tridiagonal.last[k]) - end) < 1e-12)
      #expect(tridiagonal.vectors[k * n] == tridiagonal.first[k])
      #expect(tridiagonal.vectors[k * n + n - 1] == tridiagonal.last[k])
    }
  }

  /// Condition numbers of Hilbert matrices, from 80-digit arithmetic.
  @Test(arguments: [
    (2, 19.28147006790397), (3, 524.0567775860608), (4, 15513.73873893259),
    (5, 476607.2502425608), (6, 14951058.64013122), (7, 475367354.988179),
    (8, 15257575741.64694), (9, 493154926971.5421),
  ])
  func hilbert(_ n: Int, _ condition: Double) throws {
    let system = try SymmetricEigensystem(
      columnMajor: TestMatrices.hilbert(n), dimension: n, withVectors: false)
    #expect(abs(system.conditionNumber! / condition - 1) < max(1e-12, 1e-15 * condition))
    let singular = try SingularValues(
      columnMajor: TestMatrices.hilbert(n), rows: n, columns: n)
    #expect(abs(singular.conditionNumber! / condition - 1) < max(1e-12, 1e-15 * condition))
  }

  @Test(arguments: 12...16)
  func hilbertBeyondDoublePrecisionIsFlagged(_ n: Int) throws {
    let system = try SymmetricEigensystem(
      columnMajor: TestMatrices.hilbert(n), dimension: n, withVectors: false)
    #expect(system.conditionNumber == nil)
    #expect(
      try SingularValues(columnMajor: TestMatrices.hilbert(n), rows: n, columns: n)
        .conditionNumber == nil)
  }

  @Test(arguments: [1, 2, 7, 30, 90])
  func decompositionReproducesTheMatrix(_ n: Int) throws {
    var generator = SeededGenerator(seed: UInt64(n))
    let a = TestMatrices.wigner(n, &generator)
    let system = try SymmetricEigensystem(columnMajor: a, dimension: n)
    let q = system.vectors
    var gram = [Double](repeating: 0, count: n * n)
    Double.gemm(
      transposedA: true, transposedB: false, m: n, n: n, k: n, alpha: 1, q, lda: n, q, ldb: n,
      beta: 0, &gram, ldc: n)
    var scaled = q
    for column in 0..<n { for row in 0..<n { scaled[column * n + row] *= system.values[column] } }
    var rebuilt = [Double](repeating: 0, count: n * n)
    Double.gemm(
      transposedA: false, transposedB: true, m: n, n: n, k: n, alpha: 1, scaled, lda: n, q, ldb: n,
      beta: 0, &rebuilt, ldc: n)
    var worstGram = 0.0
    var worstEntry = 0.0
    for i in 0..<n * n {
      worstGram = max(worstGram, abs(gram[i] - (i / n == i % n ? 1 : 0)))
      worstEntry = max(worstEntry, abs(rebuilt[i] - a[i]))
    }
    #expect(worstGram < 1e-13 * Double(n))
    #expect(worstEntry < 1e-13 * Double(n) * max(abs(system.values[0]), system.values[n - 1]))
    #expect(system.vector(n - 1) == Array(q[(n - 1) * n..<n * n]))
  }

  @Test func singularValuesOfARectangle() throws {
    // Columns (3,0,0) and (0,0,-4).
    let tall = try SingularValues(columnMajor: [3, 0, 0, 0, 0, -4], rows: 3, columns: 2)
    #expect(tall.values == [4, 3])
    #expect(tall.rank == 2)
    let wide = try SingularValues(columnMajor: [3, 0, 0, -4, 0, 0], rows: 2, columns: 3)
    #expect(wide.values == [4, 3])
    let deficient = try SingularValues(columnMajor: [1, 1, 2, 2], rows: 2, columns: 2)
    #expect(deficient.rank == 1)
    #expect(deficient.conditionNumber == nil)
  }

  @Test func nonFiniteEntriesAreNamed() {
    #expect(throws: LinearMapError.nonFiniteMatrix(row: 1, column: 0)) {
      try SymmetricEigensystem(columnMajor: [1, .nan, 0, 1], dimension: 2)
    }
    #expect(throws: LinearMapError.nonFiniteMatrix(row: 0, column: 1)) {
      try SingularValues(columnMajor: [1, 1, .infinity, 0], rows: 2, columns: 2)
    }
    #expect(throws: LinearMapError.nonFiniteMatrix(row: 1, column: 2)) {
      try TridiagonalEigensystem(
        diagonal: [1, 1, 1], offDiagonal: [1, .nan], vectors: .none)
    }
  }

  @Test(arguments: [1, 5, 33, 70])
  func assemblyReturnsTheMatrixAndItsAsymmetry(_ n: Int) throws {
    var generator = SeededGenerator(seed: 3)
    var a = TestMatrices.wigner(n, &generator)
    let exact = try assembleDense(DenseSymmetricMap(columnMajor: a, dimension: n))
    #expect(exact.columns == a)
    #expect(exact.asymmetry == 0)
    #expect(exact.operatorApplications == n)
    guard n > 1 else { return }
    a[1] += 1e-3
    let skewed = try assembleDense(DenseSymmetricMap(columnMajor: a, dimension: n))
    #expect(abs(skewed.asymmetry - 1e-3) < 1e-15)
    #expect(skewed.columns[1] == skewed.columns[n])
    let looped = try assembleDense(
      ClosureMap<Double>(dimension: n) { x, y in
        Double.gemv(
          transposed: false, rows: n, columns: n, alpha: 1, a, lda: n, x, beta: 0, y)
      })
    #expect(looped.columns == skewed.columns)
  }
}
