import Foundation
import Testing

@testable import LinearMaps

@Suite struct NystromPreconditionerTests {
  /// Extreme eigenvalues of `P^{-1/2} (A + mu I) P^{-1/2}`, as those of `C' P^{-1} C` with `C C' =
  /// A + mu I`.
  func condition(
    _ values: [Double], _ a: [Double], _ preconditioner: NystromPreconditioner<Double>, mu: Double
  ) throws -> Double {
    let n = values.count
    let eigensystem = try SymmetricEigensystem(columnMajor: a, dimension: n)
    var root: [Double] = []
    for index in 0..<n {
      let length = max(eigensystem.values[index] + mu, 0).squareRoot()
      root += eigensystem.vector(index).map { $0 * length }
    }
    let inverse = try preconditioner.block(root)
    let product = matrixProduct(root, transposed: true, rows: n, inverse, columns: n)
    let inner = try SymmetricEigensystem(
      columnMajor: TestMatrices.symmetrized(product, n), dimension: n, withVectors: false)
    return inner.values[n - 1] / inner.values[0]
  }

  /// Twice the effective dimension in columns: an expected condition number below 28 (theorem 1.1).
  @Test(arguments: ["geometric", "inverse square", "two levels"])
  func flattensDecayingSpectra(_ kind: String) throws {
    let n = 120
    let values: [Double] = (0..<n).map { index in
      switch kind {
      case "geometric": pow(10, -0.2 * Double(index))
      case "inverse square": 1 / Double((index + 1) * (index + 1))
      default: index < 15 ? 115 - Double(index) : 1e-5
      }
    }
    let mu = 1e-3
    let effective = values.reduce(0) { $0 + $1 / ($1 + mu) }
    let columns = 2 * Int(effective.rounded(.up)) + 1
    var mean = 0.0
    for seed in 0..<5 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let a = TestMatrices.withSpectrum(values, &generator)
      let map = DenseSymmetricMap(columnMajor: a, dimension: n)
      let preconditioner = try NystromPreconditioner(
        of: map, columns: columns, damping: mu, seed: UInt64(seed))
      #expect(preconditioner.operatorApplications == columns)
      mean += try condition(values, a, preconditioner, mu: mu) / 5
      // A picture from below: no eigenvalue of it exceeds the true one.
      for (estimate, exact) in zip(preconditioner.eigenvalues, values) {
        #expect(estimate <= exact * (1 + 1e-9) + 1e-12)
      }
      let rhs = TestMatrices.normals(n, &generator)
      let damped = ShiftedMap(map, shift: mu)
      let plain = try conjugateGradients(damped, rhs: rhs, tolerance: 1e-8, maxIterations: 1000)
      let eased = try conjugateGradients(
        damped, rhs: rhs, preconditioner: preconditioner, tolerance: 1e-8, maxIterations: 1000)
      #expect(eased.convergence.isConverged)
      #expect(2 * eased.iterations < plain.iterations || plain.iterations < 8)
    }
    #expect(mean < 28, "\(kind) \(columns) columns: \(mean)")
  }

  @Test func fullSketchIsTheMatrix() throws {
    let values: [Double] = [7, 5, 3, 1, 0, 0]
    var generator = SeededGenerator(seed: 2)
    let a = TestMatrices.withSpectrum(values, &generator)
    let preconditioner = try NystromPreconditioner(
      of: DenseSymmetricMap(columnMajor: a, dimension: 6), columns: 6, damping: 0.5)
    for (estimate, exact) in zip(preconditioner.eigenvalues, values) {
      #expect(abs(estimate - exact) < 1e-12)
    }
    // The last eigenvalue of the picture, 1, is where the top is flattened to.
    #expect(try condition(values, a, preconditioner, mu: 0.5) < 3 + 1e-9)
  }

  @Test func indefiniteZeroAndSingle() throws {
    let indefinite = try NystromPreconditioner(
      of: DiagonalMap([5.0, 4, 3, -2, -6, 1, 1, 1]), columns: 8, damping: 0.1)
    #expect(indefinite.dropped == 2)
    // It stays positive definite.
    let dense = try assembleDense(indefinite)
    let inverse = try SymmetricEigensystem(columnMajor: dense.columns, dimension: 8)
    #expect(inverse.values[0] > 0)
    let zero = try NystromPreconditioner(of: DiagonalMap([0.0, 0, 0]), columns: 2, damping: 1)
    #expect(zero.eigenvalues.isEmpty)
    #expect(try zero([1, 2, 3]) == [1, 2, 3])
    let single = try NystromPreconditioner(
      of: DiagonalMap((0..<40).map { Float(exp(-Double($0))) }), columns: 12, damping: 1e-4)
    #expect(abs(single.eigenvalues[0] - 1) < 1e-4)
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 1)) {
      try NystromPreconditioner(of: DiagonalMap([1.0, .nan, 1]), columns: 2, damping: 1)
    }
  }
}
