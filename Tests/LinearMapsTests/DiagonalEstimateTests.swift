import Foundation
import Testing

@testable import LinearMaps

@Suite struct DiagonalEstimateTests {
  typealias Decay = TraceEstimateTests.Decay

  static func map(_ decay: Decay, _ n: Int) throws -> (DenseSymmetricMap<Double>, [Double]) {
    let a = try ReferenceMatrices.inRandomBasis(decay.spectrum(n), seed: 21)
    return (DenseSymmetricMap(columnMajor: a, dimension: n), (0..<n).map { a[$0 * n + $0] })
  }

  static func distance(_ x: [Double], _ y: [Double]) -> Double {
    zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }

  /// The mean of `v * (A v)` over the seed's sign vectors, written out; and exact for a diagonal map, since
  /// the signs cancel.
  @Test func hutchinsonIsItsDefinition() throws {
    let (n, probes) = (50, 32)
    let (map, diagonal) = try Self.map(.indefinite, n)
    let estimate = try hutchinsonDiagonal(of: map, probes: probes, seed: 9)
    var generator = SeededGenerator(seed: 9)
    let signs = (0..<probes).map { _ in generator.rademacher(n, as: Double.self) }
    let products = signs.map { ReferenceMatrices.times(map.columns, $0) }
    for row in 0..<n {
      let sum = (0..<probes).reduce(0) { $0 + signs[$1][row] * products[$1][row] }
      #expect(abs(estimate[row] - sum / Double(probes)) < 1e-13)
      // The variance of one probe is the sum of the squares beside the diagonal.
      let variance = (0..<n).reduce(0) {
        $1 == row ? $0 : $0 + map.columns[row * n + $1] * map.columns[row * n + $1]
      }
      #expect(abs(estimate[row] - diagonal[row]) < 5 * (variance / Double(probes)).squareRoot())
    }
    let exact = try hutchinsonDiagonal(
      of: DiagonalMap<Float>([1, -2, 0, 0.5]), probes: probes, seed: 1)
    #expect(exact == [1, -2, 0, 0.5])
  }

  /// The definition, one QR factorisation per probe, against the downdated one.
  @Test(arguments: Decay.allCases) func xDiagIsItsDefinition(_ decay: Decay) throws {
    let (n, m) = (50, 8)
    let (map, _) = try Self.map(decay, n)
    let estimate = try DiagonalEstimate(
      of: map, method: .xDiag,
      options: TraceEstimateTests.options(products: 2 * m, minProbes: 8, seed: 3))
    var generator = SeededGenerator(seed: 3)
    let flat: [Double] = generator.probes(m, dimension: n, .rademacher)
    let probes = (0..<m).map { Array(flat[$0 * n..<($0 + 1) * n]) }
    let products = probes.map { ReferenceMatrices.times(map.columns, $0) }
    let samples = probes.indices.map { i -> [Double] in
      let others = products.indices.filter { $0 != i }.map { products[$0] }
      let q = ReferenceMatrices.orthonormalized(others)
      let images = q.map { ReferenceMatrices.times(map.columns, $0) }
      let rest = ReferenceMatrices.projectedOut(q, products[i])
      return (0..<n).map { row in
        zip(q, images).reduce(probes[i][row] * rest[row]) { $0 + $1.0[row] * $1.1[row] }
      }
    }
    for row in 0..<n {
      let expected = EstimatedValue(samples: samples.map { $0[row] })
      #expect(abs(estimate.values[row] - expected.value) < 1e-11)
      #expect(abs(estimate.standardErrors[row] - 2.0.squareRoot() * expected.standardError) < 1e-11)
    }
  }

  @Test(arguments: DiagonalEstimate.Method.allCases, Decay.allCases)
  func entriesAreUnbiasedAndTheirErrorsCover(
    _ method: DiagonalEstimate.Method, _ decay: Decay
  ) throws {
    let n = 60
    let (map, diagonal) = try Self.map(decay, n)
    let runs = 50
    var sums = [Double](repeating: 0, count: n)
    var squares = sums
    var covered = 0
    for seed in 0..<runs {
      let estimate = try DiagonalEstimate(
        of: map, method: method,
        options: TraceEstimateTests.options(products: 32, seed: UInt64(seed)))
      #expect(estimate.operatorApplications == 32)
      for i in 0..<n {
        let error = estimate.values[i] - diagonal[i]
        sums[i] += error
        squares[i] += error * error
        if abs(error) <= 2 * estimate.standardErrors[i] + estimate.rounding { covered += 1 }
      }
    }
    // Sixty entries: four standard errors.
    for i in 0..<n { #expect(abs(sums[i]) < 4 * squares[i].squareRoot() + 1e-12) }
    #expect(covered >= runs * n * 9 / 10)
  }

  @Test func xDiagGainsOnDecay() throws {
    let (map, diagonal) = try Self.map(.inverseSquare, 200)
    func error(_ method: DiagonalEstimate.Method) throws -> Double {
      ReferenceMatrices.median(
        try (0..<20).map { seed in
          let options = TraceEstimateTests.options(products: 40, seed: UInt64(seed))
          return Self.distance(
            try DiagonalEstimate(of: map, method: method, options: options).values, diagonal)
        })
    }
    let ratio = try error(.xDiag) / error(.hutchinson)
    #expect(ratio < 0.1)
  }

  @Test(arguments: DiagonalEstimate.Method.allCases) func stopsAtTheToleranceAndNotBefore(
    _ method: DiagonalEstimate.Method
  ) throws {
    let n = 150
    let (map, diagonal) = try Self.map(.indefinite, n)
    let norm = Double.nrm2(n, diagonal)
    let single = DenseSymmetricMap(columnMajor: map.columns.map { Float($0) }, dimension: n)
    var within = 0
    for seed in 0..<20 {
      let estimate = try DiagonalEstimate(
        of: single, method: method,
        options: TraceEstimateTests.options(tolerance: 0.1, products: 100_000, seed: UInt64(seed)))
      #expect(estimate.convergence.isConverged)
      #expect(estimate.probes >= 20 || estimate.convergence.reason == .invariantSubspace)
      if Self.distance(estimate.values, diagonal) <= 0.3 * norm { within += 1 }
    }
    #expect(within >= 19)
  }

  @Test(arguments: DiagonalEstimate.Method.allCases) func exactCases(
    _ method: DiagonalEstimate.Method
  ) throws {
    var generator = SeededGenerator(seed: 5)
    for n in [1, 6, 40] {
      let a = TestMatrices.wigner(n, &generator)
      let estimate = try DiagonalEstimate(
        of: DenseSymmetricMap(columnMajor: a, dimension: n), method: method,
        options: TraceEstimateTests.options(tolerance: 1e-9, products: 40))
      #expect(Self.distance(estimate.values, (0..<n).map { a[$0 * n + $0] }) < 1e-13)
      #expect(estimate.errorNorm == 0)
      #expect(estimate.convergence.reason == .invariantSubspace)
    }
    // Signs see a diagonal map exactly; zero is one.
    for diagonal in [[Double](repeating: 0, count: 1500), (0..<1500).map { Double($0) - 700 }]
    where method == .hutchinson || diagonal[0] == 0 {
      let estimate = try DiagonalEstimate(of: DiagonalMap(diagonal), method: method)
      #expect(Self.distance(estimate.values, diagonal) < 1e-9)
      #expect(estimate.convergence.reason == .converged)
    }
    // XDiag sees a map of low rank exactly, also where signs repeat themselves.
    let n = 150
    let spectrum = (0..<n).map { $0 < 5 ? Double($0 + 1) : 0 }
    let a = try ReferenceMatrices.inRandomBasis(spectrum, seed: 6)
    let swap = ClosureMap<Double>(dimension: n) { x, y in
      for i in 0..<n { y[i] = i == 0 ? x[1] : i == 1 ? x[0] : i == 2 ? 3 * x[2] : 0 }
    }
    let maps: [any LinearMap<Double>] = [DenseSymmetricMap(columnMajor: a, dimension: n), swap]
    for map in maps where method == .xDiag {
      let estimate = try DiagonalEstimate(
        of: map, method: method, options: TraceEstimateTests.options(products: 80))
      let exact =
        map is DenseSymmetricMap<Double>
        ? (0..<n).map { a[$0 * n + $0] } : (0..<n).map { $0 == 2 ? 3 : 0 }
      #expect(Self.distance(estimate.values, exact) < 1e-11)
    }
  }

  @Test(arguments: DiagonalEstimate.Method.allCases) func edges(
    _ method: DiagonalEstimate.Method
  ) throws {
    let broken = ClosureMap<Float>(dimension: 300) { x, y in
      for i in 0..<300 { y[i] = i == 9 ? .infinity : x[i] }
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 9)) {
      try DiagonalEstimate(of: broken, method: method)
    }
    let (map, _) = try Self.map(.geometric, 100)
    let options = TraceEstimateTests.options(tolerance: 1e-3, products: 60, seed: 2)
    let first = try DiagonalEstimate(of: map, method: method, options: options)
    #expect(try first == DiagonalEstimate(of: map, method: method, options: options))
    #expect(
      try JSONDecoder().decode(DiagonalEstimate.self, from: JSONEncoder().encode(first)) == first)
  }
}
