import Foundation
import Testing

@testable import LinearMaps

@Suite struct MinresTests {
  /// `Q diag(values) Q'`, a right side, and the least-squares solution of least norm from LAPACK.
  struct System {
    let n: Int
    let map: DenseSymmetricMap<Double>
    let eigensystem: SymmetricEigensystem
    var rhs: [Double]

    init(_ values: [Double], seed: UInt64, inRange: Bool = true) throws {
      var generator = SeededGenerator(seed: seed)
      n = values.count
      let a = TestMatrices.withSpectrum(values, &generator)
      map = DenseSymmetricMap(columnMajor: a, dimension: n)
      eigensystem = try SymmetricEigensystem(columnMajor: a, dimension: n)
      rhs = TestMatrices.normals(n, &generator)
      if inRange { rhs = try map(rhs) }
    }

    func solution() -> [Double] {
      var x = [Double](repeating: 0, count: n)
      for index in 0..<n where abs(eigensystem.values[index]) > 1e-10 {
        let q = eigensystem.vector(index)
        Double.axpy(n, Double.dot(n, q, rhs) / eigensystem.values[index], q, &x)
      }
      return x
    }
  }

  static let alternating: [Double] = (0..<60).map { (i: Int) -> Double in
    let size = 1 + 0.2 * Double(i)
    return i % 2 == 0 ? size : -size
  }
  static let singular: [Double] = (0..<50).map { (i: Int) -> Double in
    i < 20 ? 0 : Double(i) - 35.5
  }
  static let positive: [Double] = (0..<80).map { (i: Int) -> Double in 0.01 + Double(i) }
  static let spectra: [[Double]] = [
    [3], [-2], [1, -1], [5, 4, 3, 2, 1], [-5, -0.1, 0.2, 3, 7, 9], alternating, positive,
    [0, 0, 1, 2, -3], singular,
  ]

  @Test(arguments: spectra.indices)
  func agreesWithADenseSolve(_ index: Int) throws {
    let system = try System(Self.spectra[index], seed: UInt64(index))
    let result = try minres(
      system.map, rhs: system.rhs, tolerance: 1e-11, maxIterations: 20 * system.n + 20)
    #expect(result.convergence.isConverged, "\(result.convergence)")
    let exact = system.solution()
    let error = zip(result.solution, exact).map { $0 - $1 }
    let smallest = Self.spectra[index].map { abs($0) }.filter { $0 > 0 }.min()!
    let scale = Double.nrm2(system.n, system.rhs)
    #expect(Double.nrm2(system.n, error) <= 2e-11 * scale / smallest)
    let product = try system.map(result.solution)
    let residual = Double.nrm2(system.n, zip(system.rhs, product).map { $0 - $1 })
    #expect(abs(residual - result.residualNorm) <= 1e-13 * scale)
    #expect(result.convergence.operatorApplications >= result.iterations + 1)
  }

  /// The residual of every iterate is the least over the Krylov space, by a dense least-squares
  /// fit.
  @Test func residualsAreMinimal() throws {
    let system = try System(Self.spectra[5], seed: 3)
    let n = system.n
    let eigenvalues = system.eigensystem.values
    let weights = (0..<n).map { Double.dot(n, system.eigensystem.vector($0), system.rhs) }
    for steps in 1...12 {
      let result = try minres(
        system.map, rhs: system.rhs, tolerance: 1e-14, maxIterations: steps)
      #expect(result.convergence.reason == .budget)
      // Gram-Schmidt on A b, A² b, ... in the eigenbasis leaves the best residual.
      var residual = weights
      var basis: [[Double]] = []
      var power = weights
      for _ in 0..<steps {
        power = zip(power, eigenvalues).map { $0 * $1 }
        for _ in 0..<2 {
          for q in basis { Double.axpy(n, -Double.dot(n, q, power), q, &power) }
        }
        let norm = Double.nrm2(n, power)
        power = power.map { $0 / norm }
        basis.append(power)
        Double.axpy(n, -Double.dot(n, power, residual), power, &residual)
      }
      let best = Double.nrm2(n, residual)
      #expect(abs(result.residualNorm - best) <= 1e-9 * Double.nrm2(n, weights), "\(steps)")
    }
  }

  @Test func inconsistentSystemsEndAtLeastSquares() throws {
    let system = try System([0, 0, 1, 2, -3, 5, 6], seed: 9, inRange: false)
    let result = try minres(system.map, rhs: system.rhs, tolerance: 1e-10, maxIterations: 200)
    #expect(result.convergence.reason == .flatDirection)
    #expect(result.convergence.advice.contains("singular"))
    let product = try system.map(result.solution)
    let residual = zip(system.rhs, product).map { $0 - $1 }
    #expect(Double.nrm2(system.n, try system.map(residual)) < 1e-7)
  }

  @Test func preconditioningAndPrecision() throws {
    let n = 100
    let diagonal: [Double] = (0..<n).map { (i: Int) -> Double in
      let size = pow(10, 0.05 * Double(i))
      return i % 3 == 0 ? -size : size
    }
    let rhs = [Double](repeating: 1, count: n)
    let plain = try minres(
      DiagonalMap(diagonal), rhs: rhs, tolerance: 1e-8, maxIterations: 2000)
    let eased = try minres(
      DiagonalMap(diagonal), rhs: rhs, preconditioner: DiagonalMap(diagonal.map { 1 / abs($0) }),
      tolerance: 1e-8, maxIterations: 2000)
    // |A|^{-1} leaves two eigenvalues, 1 and -1.
    #expect(eased.convergence.isConverged && eased.iterations <= 3, "\(eased.convergence)")
    #expect(plain.iterations > 20)
    let single = try minres(
      DiagonalMap(diagonal.prefix(20).map { Float($0) }), rhs: [Float](repeating: 1, count: 20),
      start: [Float](repeating: 0.5, count: 20), tolerance: 1e-5, maxIterations: 500)
    #expect(single.convergence.isConverged, "\(single.convergence)")
    for (index, x) in single.solution.enumerated() {
      #expect(abs(Double(x) - 1 / diagonal[index]) < 1e-4)
    }
    let beyond = try minres(
      DiagonalMap(diagonal.map { Float($0) }), rhs: [Float](repeating: 1, count: n),
      tolerance: 1e-12, maxIterations: 20_000)
    #expect(beyond.convergence.reason == .stagnatedAtRounding, "\(beyond.convergence)")
  }

  @Test func edges() throws {
    let zero = try minres(DiagonalMap([1.0, 2]), rhs: [0, 0], maxIterations: 5)
    #expect(zero.solution == [0, 0] && zero.convergence.isConverged)
    #expect(throws: LinearMapError.nonFiniteVector(role: "right side", index: 1)) {
      try minres(DiagonalMap([1.0, 2]), rhs: [0, .nan], maxIterations: 5)
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 0)) {
      try minres(DiagonalMap([.infinity, 2]), rhs: [1.0, 1], maxIterations: 5)
    }
  }
}
