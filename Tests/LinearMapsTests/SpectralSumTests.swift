import Foundation
import Testing

@testable import LinearMaps

@Suite struct SpectralSumTests {
  static func wishart(_ n: Int) -> ([Double], DenseSymmetricMap<Double>) {
    var generator = SeededGenerator(seed: 31)
    let a = TestMatrices.wishart(n, samples: 2 * n, &generator)
    return (a, DenseSymmetricMap(columnMajor: a, dimension: n))
  }

  @Test(arguments: [0.0, 0.5, -0.01]) func logDeterminantAgainstCholesky(_ shift: Double) throws {
    let n = 120
    let (a, map) = Self.wishart(n)
    var shifted = a
    for i in 0..<n { shifted[i * n + i] += shift }
    let exact = try #require(Self.logDeterminantByCholesky(shifted, n))
    let solved = try LogDeterminantEstimate(of: map, shift: shift)
    let value = try #require(solved.value)
    #expect(abs(value - exact) < 1e-10 * Double(n))
    #expect(solved.standardError == 0 && solved.quadratureError == 0)
    #expect(solved.convergence.reason == .invariantSubspace)
    var covered = 0
    for seed in 0..<30 {
      var options = TraceEstimateTests.options(tolerance: 0.02, products: 4000, seed: UInt64(seed))
      options.toleranceScale = .frobenius
      // Without the exact answer: as a map of more than 2048 dimensions sees it.
      var estimator = SpectralSum(
        map, maxSteps: 60, options: options, function: { lambda, _ in log(lambda + shift) },
        finding: { _, _ in (.negativeCurvature, "") })
      try estimator.add(probes: 20)
      let state = try estimator.state()
      #expect(estimator.quadratureError < 0.01 * abs(exact))
      let error = abs(state.estimate.value - exact)
      if error <= 2 * state.estimate.standardError + estimator.quadratureError { covered += 1 }
    }
    #expect(covered >= 27)
  }

  static func logDeterminantByCholesky(_ a: [Double], _ n: Int) -> Double? {
    var l = a
    var sum = 0.0
    for j in 0..<n {
      for k in 0..<j {
        for i in j..<n { l[j * n + i] -= l[k * n + i] * l[k * n + j] }
      }
      guard l[j * n + j] > 0 else { return nil }
      let pivot = l[j * n + j].squareRoot()
      sum += 2 * log(pivot)
      for i in j..<n { l[j * n + i] /= pivot }
    }
    return sum
  }

  @Test func logDeterminantOfALargeMap() throws {
    let n = 5000
    let diagonal = (0..<n).map { 0.1 + Double($0 % 97) / 10 }
    let exact = diagonal.reduce(0) { $0 + log($1 + 0.2) }
    // Signs see a diagonal map without variance: the quadrature alone is left.
    let signs = try LogDeterminantEstimate(of: DiagonalMap(diagonal), shift: 0.2)
    let value = try #require(signs.value)
    #expect(signs.convergence.reason == .converged)
    #expect(abs(value - exact) <= 2 * signs.standardError! + signs.quadratureError)
    #expect(abs(value - exact) < 0.01 * exact)
    var options = EstimatorOptions()
    options.probes = .gaussian
    options.maxApplications = 5000
    let normal = try LogDeterminantEstimate(
      of: DiagonalMap(diagonal.map { Float($0) }), shift: 0.2, options: options)
    #expect(normal.convergence.reason == .converged)
    #expect(abs(normal.value! - exact) <= 0.03 * exact)
    #expect(normal.operatorApplications <= 5000)
  }

  @Test func whatIsNotPositiveDefiniteHasNoLogDeterminant() throws {
    for n in [1, 30, 4000] {
      let values = (0..<n).map { $0 == 0 ? -2 : 1 + Double($0 % 5) }
      let map = DiagonalMap(values)
      let negative = try LogDeterminantEstimate(of: map, shift: 1)
      #expect(negative.value == nil && negative.standardError == nil)
      #expect(negative.convergence.reason == .negativeCurvature)
      #expect(negative.smallestSeen < -1)
      #expect(negative.convergence.advice.contains("shift by more than"))
      let positive = try LogDeterminantEstimate(of: map, shift: 2.5)
      #expect(positive.value!.isFinite)
      let data = try JSONEncoder().encode(negative)
      #expect(try JSONDecoder().decode(LogDeterminantEstimate.self, from: data) == negative)
    }
    for n in [2, 3000] {
      let zero = DiagonalMap([Double](repeating: 0, count: n))
      #expect(
        try LogDeterminantEstimate(of: zero).convergence.reason == .flatDirection)
      let shifted = try LogDeterminantEstimate(of: zero, shift: 2)
      #expect(abs(shifted.value! - Double(n) * log(2)) < 1e-9)
      #expect(shifted.standardError! < 1e-9)
    }
  }

  @Test func frobeniusNorm() throws {
    let n = 200
    let a = try ReferenceMatrices.inRandomBasis(
      (1...n).map { 1 / Double($0) }, seed: 33)
    let exact = a.reduce(0) { $0 + $1 * $1 }
    let map = DenseSymmetricMap(columnMajor: a, dimension: n)
    var squares: [Double] = []
    var covered = 0
    for seed in 0..<100 {
      let norm = try FrobeniusNorm(
        of: map, options: TraceEstimateTests.options(products: 40, seed: UInt64(seed)))
      squares.append(norm.squared.value)
      if abs(norm.value - exact.squareRoot()) <= 2 * norm.standardError { covered += 1 }
    }
    let spread = EstimatedValue(samples: squares)
    #expect(abs(spread.value - exact) < 3.5 * spread.standardError)
    #expect(covered >= 90)
    let solved = try FrobeniusNorm(
      of: DenseSymmetricMap(columnMajor: a.map { Float($0) }, dimension: n),
      options: TraceEstimateTests.options(products: n))
    #expect(abs(solved.value - exact.squareRoot()) < 1e-6)
    #expect(solved.standardError == 0 && solved.operatorApplications == n)
    #expect(abs(solved.stableRank(spectralNorm: 1)!.value - exact) < 1e-5)
    let zero = try FrobeniusNorm(of: DiagonalMap([Double](repeating: 0, count: 2000)))
    #expect(zero.value == 0 && zero.standardError == 0 && zero.convergence.isConverged)
    #expect(zero.stableRank(spectralNorm: 0) == nil)
  }

  @Test(arguments: [0, 1, 5, 18]) func lowRankIsCounted(_ rank: Int) throws {
    let n = 200
    let spectrum = (0..<n).map { $0 < rank ? ($0 % 2 == 0 ? 2.0 : -1) : 0 }
    let a = try ReferenceMatrices.inRandomBasis(spectrum, seed: 34)
    let double = try NumericalRank(of: DenseSymmetricMap(columnMajor: a, dimension: n))
    #expect(double.value == Double(rank))
    #expect(double.standardError == 0 && double.convergence.reason == .invariantSubspace)
    let single = try NumericalRank(
      of: DenseSymmetricMap(columnMajor: a.map { Float($0) }, dimension: n), threshold: 1e-3)
    #expect(single.value == Double(rank))
  }

  @Test func rankOfALargeMapByQuadrature() throws {
    let n = 6000
    // Three quarters of the eigenvalues lie in two clusters away from zero.
    let map = DiagonalMap((0..<n).map { $0 % 4 == 0 ? 0 : ($0 % 4 == 1 ? -3 : 2.0) })
    let signs = try NumericalRank(of: map)
    #expect(abs(signs.value - 4500) < 1e-6 * 4500)
    #expect(signs.convergence.reason == .converged)
    var options = EstimatorOptions()
    options.probes = .sphere
    let sphere = try NumericalRank(of: map, options: options)
    #expect(abs(sphere.value - 4500) <= 3 * sphere.standardError + sphere.quadratureError)
    #expect(try NumericalRank(of: DiagonalMap([Double](repeating: 1, count: 1))).value == 1)
    let thresholded = try NumericalRank(of: map, threshold: 2.5)
    #expect(abs(thresholded.value - 1500) <= 1)
  }

  @Test func brokenProductsAreNamed() {
    let broken = ClosureMap<Double>(dimension: 3000) { x, y in
      for i in 0..<3000 { y[i] = i == 5 ? .nan : x[i] }
    }
    let error = LinearMapError.nonFiniteProduct(application: 1, index: 5)
    #expect(throws: error) { try LogDeterminantEstimate(of: broken, shift: 1) }
    #expect(throws: error) { try FrobeniusNorm(of: broken) }
    #expect(throws: error) { try NumericalRank(of: broken) }
  }
}
