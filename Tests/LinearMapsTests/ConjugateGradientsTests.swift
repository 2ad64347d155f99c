import Foundation
import Testing

@testable import LinearMaps

@Suite struct ConjugateGradientsTests {
  /// Two distinct eigenvalues: two iterations, whatever the condition number.
  @Test(arguments: [1.0, 10, 50, 200, 500, 1000, 1e4, 1e6])
  func bowlsTakeTwoIterations(_ condition: Double) throws {
    let result = try conjugateGradients(
      DiagonalMap([1, condition]), rhs: [1, 1], tolerance: 1e-10, maxIterations: 10)
    #expect(result.iterations == (condition == 1 ? 1 : 2))
    #expect(result.convergence.isConverged)
    #expect(abs(result.solution[0] - 1) < 1e-9)
    #expect(abs(result.solution[1] * condition - 1) < 1e-9)
  }

  @Test(arguments: [1, 2, 10, 60], [false, true])
  func solvesWithinTheTextbookCount(_ n: Int, _ isPreconditioned: Bool) throws {
    for seed in 0..<4 {
      var generator = SeededGenerator(seed: UInt64(seed))
      var a = TestMatrices.wishart(n, samples: 3 * n + 2, &generator)
      // Badly scaled coordinates, which the diagonal preconditioner undoes.
      let scales = (0..<n).map { pow(10.0, Double($0 % 3)) }
      for i in 0..<n * n { a[i] *= scales[i / n] * scales[i % n] }
      let map = DenseSymmetricMap(columnMajor: a, dimension: n)
      let b = TestMatrices.normals(n, &generator)
      let start = TestMatrices.normals(n, &generator)
      let preconditioner = DiagonalMap((0..<n).map { 1 / a[$0 * n + $0] })
      let result = try conjugateGradients(
        map, rhs: b, start: seed % 2 == 0 ? nil : start,
        preconditioner: isPreconditioned ? preconditioner : nil, tolerance: 1e-9,
        maxIterations: 50 * n + 20)
      #expect(result.convergence.isConverged, "\(result.convergence)")
      let product = try map(result.solution)
      let residual = Double.nrm2(n, zip(b, product).map { $0 - $1 })
      #expect(residual <= 1.0001e-9 * Double.nrm2(n, b))
      #expect(abs(residual - result.residualNorm) <= 1e-12 * Double.nrm2(n, b))
      #expect(result.convergence.operatorApplications >= result.iterations + 1)
      if isPreconditioned {
        // Error bound 2((sqrt k - 1)/(sqrt k + 1))^m with k of the scaled matrix.
        let factor = try DiagonalPreconditioner<Double>(inverse: preconditioner.diagonal)
        let kappa = try SymmetricEigensystem(
          columnMajor: assembleDense(PreconditionedMap(map, by: factor)).columns, dimension: n,
          withVectors: false
        ).conditionNumber!
        let rate = (kappa.squareRoot() - 1) / (kappa.squareRoot() + 1)
        let bound = n == 1 ? 1 : log(1e-9 / (2 * 1e5)) / log(rate)
        #expect(Double(result.iterations) <= bound + 1)
      }
    }
  }

  @Test func negativeCurvatureIsReported() throws {
    var generator = SeededGenerator(seed: 9)
    for n in [2, 7, 40] {
      let values = (0..<n).map { $0 == 0 ? -0.5 : 1 + Double($0) }
      let a = TestMatrices.withSpectrum(values, &generator)
      let map = DenseSymmetricMap(columnMajor: a, dimension: n)
      let result = try conjugateGradients(
        map, rhs: generator.unitSphere(n), tolerance: 1e-12, maxIterations: 10 * n)
      #expect(result.convergence.reason == .negativeCurvature)
      let found = try #require(result.negativeCurvature)
      let product = try map(found.direction)
      #expect(found.curvature < 0 && found.curvature >= -0.5 - 1e-12)
      #expect(abs(Double.dot(n, found.direction, product) - found.curvature) < 1e-12 * Double(n))
      #expect(abs(Double.nrm2(n, found.direction) - 1) < 1e-13)
    }
  }

  @Test func flatDirectionsAndConsistentSingularSystems() throws {
    let map = DiagonalMap([2.0, 0, 1])
    let flat = try conjugateGradients(map, rhs: [1, 1, 1], maxIterations: 20)
    #expect(flat.convergence.reason == .flatDirection)
    #expect(abs(flat.negativeCurvature!.direction[1]) > 0.99)
    let consistent = try conjugateGradients(map, rhs: [1, 0, 1], maxIterations: 20)
    #expect(consistent.convergence.reason == .converged)
    #expect(consistent.iterations == 2)
  }

  @Test func trivialAndBudgetedRuns() throws {
    let map = DiagonalMap([1.0, 2, 3, 4])
    let zero = try conjugateGradients(map, rhs: [0, 0, 0, 0], maxIterations: 5)
    #expect(zero.solution == [0, 0, 0, 0] && zero.iterations == 0)
    #expect(
      zero.convergence
        == Convergence(
          reason: .converged, operatorApplications: 0,
          advice: "Converged after 0 iterations at a relative residual of 0."))
    let toZero = try conjugateGradients(
      map, rhs: [0, 0, 0, 0], start: [1, 1, 1, 1], tolerance: 1e-8, maxIterations: 9)
    #expect(toZero.convergence.isConverged && toZero.iterations == 4)
    let budget = try conjugateGradients(map, rhs: [1, 1, 1, 1], maxIterations: 2)
    #expect(budget.convergence.reason == .budget && budget.iterations == 2)
    #expect(budget.convergence.advice.contains("2 iterations"))
    var generator = SeededGenerator(seed: 1)
    let a = TestMatrices.wishart(40, samples: 100, &generator).map { Float($0) }
    let float = try conjugateGradients(
      DenseSymmetricMap(columnMajor: a, dimension: 40), rhs: generator.unitSphere(40),
      tolerance: 1e-12, maxIterations: 500)
    #expect(float.convergence.reason == .stagnatedAtRounding)
    #expect(float.residualNorm < 1e-5)
    #expect(float.convergence.advice.contains("float32"))
  }

  @Test func badInputThrows() {
    #expect(throws: LinearMapError.nonFiniteVector(role: "right side", index: 1)) {
      try conjugateGradients(DiagonalMap([1.0, 2]), rhs: [1, .nan], maxIterations: 3)
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 1)) {
      try conjugateGradients(DiagonalMap([1.0, .infinity]), rhs: [1, 1], maxIterations: 3)
    }
    #expect(throws: CancellationError.self) {
      try conjugateGradients(
        ClosureMap<Double>(dimension: 1) { _, _ in throw CancellationError() }, rhs: [1],
        maxIterations: 3)
    }
  }
}
