import Foundation
import Testing

@testable import LinearMaps

@Suite struct TopEigenpairsTests {
  /// Eight families, 41 matrices each, in both precisions: 656 operators, three budgets each.
  static let sizes = [1, 2, 3, 4, 5, 6, 8, 13, 21, 34, 55, 80, 200]

  @Test(arguments: TestMatrices.Family.allCases)
  func boundsHoldAndResidualsAreHonest(_ family: TestMatrices.Family) throws {
    for (index, n) in Self.sizes.enumerated() {
      for repetition in 0..<(n < 50 ? 4 : n < 100 ? 2 : 1) {
        var generator = SeededGenerator(seed: UInt64(1000 * index + repetition))
        let matrix = family.matrix(n, &generator)
        let seed = UInt64(repetition)
        try check(matrix, n, seed: seed, as: Double.self, "\(family) \(n)")
        try check(matrix, n, seed: seed, as: Float.self, "\(family) \(n) float32")
      }
    }
  }

  func check<Scalar: LinearMapScalar>(
    _ matrix: [Double], _ n: Int, seed: UInt64, as type: Scalar.Type, _ label: String
  ) throws {
    let entries = matrix.map { Scalar($0) }
    let truth = try SymmetricEigensystem(
      columnMajor: entries.map { Double($0) }, dimension: n, withVectors: false
    ).values
    let map = DenseSymmetricMap(columnMajor: entries, dimension: n)
    for budget in [2, 7, n] {
      var options = TopEigenpairs<Scalar>.Options()
      options.end = .both
      options.maxApplications = budget
      options.seed = seed
      options.tolerance = Scalar.self == Double.self ? 1e-10 : 1e-5
      let top = try TopEigenpairs(of: map, options: options)
      // The dense reference rounds as well.
      let slack = 1e-15 * Double(n) * top.scale
      #expect(top.upperBound! >= truth[n - 1] - slack, "\(label) budget \(budget)")
      #expect(top.lowerBound! <= truth[0] + slack, "\(label) budget \(budget)")
      for pair in top.largest + top.smallest {
        let nearest = truth.map { abs($0 - pair.value) }.min()!
        #expect(nearest <= pair.residual + slack, "\(label) budget \(budget)")
        #expect(
          try pair.measuredResidual(of: map) <= pair.residual + slack, "\(label) \(budget)")
      }
      if budget == n {
        #expect(top.convergence.isConverged, "\(label) \(top.convergence)")
        #expect(abs(top.largest[0].value - truth[n - 1]) <= top.largest[0].residual + slack)
        #expect(abs(top.smallest[0].value - truth[0]) <= top.smallest[0].residual + slack)
        #expect(top.upperBound! - truth[n - 1] <= 1.1e-3 * top.scale + 9 * top.rounding)
      }
    }
  }

  /// With a failure probability of 20 % the bound fails in about that share of runs at worst, and
  /// it does fail: it is no safer than it says.
  @Test func failureProbabilityIsCalibrated() throws {
    let epsilon = 0.2
    let runs = 400
    var options = TopEigenpairs<Double>.Options()
    options.failureProbability = epsilon
    options.maxApplications = 2
    var rates: [Double] = []
    for n in [2, 3, 5, 12, 40] {
      let map = DiagonalMap((0..<n).map { $0 == n - 1 ? 1.0 : 0.01 * Double($0) / Double(n) })
      var failures = 0
      for seed in 0..<runs {
        options.seed = UInt64(seed)
        options.maxApplications = n == 2 ? 1 : 2
        if try TopEigenpairs(of: map, options: options).upperBound! < 1 - 1e-14 { failures += 1 }
      }
      rates.append(Double(failures) / Double(runs))
    }
    let threeSigma = 3 * (epsilon * (1 - epsilon) / Double(runs)).squareRoot()
    for rate in rates { #expect(rate < epsilon + threeSigma, "\(rates)") }
    #expect(rates.max()! > 0.02, "\(rates)")
  }

  @Test func deltaHasItsClosedForms() {
    for epsilon in [1e-12, 1e-6, 1e-3, 0.1, 0.5, 0.9] {
      func delta(_ n: Int) -> Double {
        ProbabilisticBound.delta(dimension: n, failureProbability: epsilon)
      }
      #expect(delta(1) == 1)
      #expect(abs(delta(2) / sin(0.5 * .pi * epsilon) - 1) < 1e-14)
      #expect(abs(delta(3) / epsilon - 1) < 1e-12)
      let four = delta(4)
      let area = 2 / .pi * (asin(four) + four * (1 - four * four).squareRoot())
      #expect(abs(area / epsilon - 1) < 1e-10)
      let five = delta(5)
      #expect(abs((1.5 * five - 0.5 * five * five * five) / epsilon - 1) < 1e-10)
      // For large n the component is normal with variance 1/n.
      for n in [1000, 1001, 1002, 100_000, 1_000_000_000] {
        let probability = erf(delta(n) * (0.5 * Double(n)).squareRoot())
        #expect(abs(probability / epsilon - 1) < 2 / Double(n) + 1e-9)
      }
    }
  }

  @Test(arguments: TopEigenpairs<Double>.End.allCases)
  func laplacianEnds(_ end: TopEigenpairs<Double>.End) throws {
    var options = TopEigenpairs<Double>.Options()
    options.end = end
    options.count = 3
    options.tolerance = 1e-12
    let n = 100
    let map = DenseSymmetricMap(columnMajor: TestMatrices.laplacian(n), dimension: n)
    let top = try TopEigenpairs(of: map, options: options)
    #expect(top.convergence.isConverged, "\(top.convergence)")
    #expect(top.largest.count == (end == .smallest ? 0 : 3))
    #expect(top.smallest.count == (end == .largest ? 0 : 3))
    for (index, pair) in top.largest.enumerated() {
      let exact = 4 * pow(sin(Double(n - index) * .pi / Double(2 * (n + 1))), 2)
      #expect(abs(pair.value - exact) < 1e-12)
      #expect(try pair.measuredResidual(of: map) <= pair.residual)
    }
    for (index, pair) in top.smallest.enumerated() {
      let exact = 4 * pow(sin(Double(index + 1) * .pi / Double(2 * (n + 1))), 2)
      #expect(abs(pair.value - exact) < 1e-12)
    }
  }

  struct Special: Sendable, CustomTestStringConvertible {
    let name: String
    let diagonal: [Double]
    var count = 1
    var testDescription: String { name }
  }

  @Test(arguments: [
    Special(name: "zero", diagonal: [0, 0, 0, 0], count: 2),
    Special(name: "one by one", diagonal: [-3]),
    Special(name: "identity", diagonal: Array(repeating: 7, count: 30), count: 4),
    Special(name: "rank one", diagonal: [5] + Array(repeating: 0, count: 39), count: 3),
    Special(name: "copies", diagonal: [5, 5, 4, 4, 4, 1, 1, 0, 0, 0, 0, 0, 0], count: 4),
    Special(name: "negative", diagonal: [-1, -2, -3, -4]),
    Special(name: "huge", diagonal: [1e150, 2e150, 5e150]),
    Special(name: "tiny", diagonal: [1e-150, 2e-150, 5e-150]),
  ])
  func specialSpectra(_ special: Special) throws {
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    options.count = special.count
    let top = try TopEigenpairs(of: DiagonalMap(special.diagonal), options: options)
    let sorted = special.diagonal.sorted()
    let slack = 1e-14 * top.scale
    #expect(top.convergence.isConverged, "\(top.convergence)")
    for index in 0..<special.count {
      #expect(abs(top.largest[index].value - sorted[sorted.count - 1 - index]) <= slack)
      #expect(abs(top.smallest[index].value - sorted[index]) <= slack)
      #expect(abs(Double.nrm2(sorted.count, top.largest[index].vector) - 1) < 1e-12)
    }
    #expect(top.upperBound! >= sorted.last! && top.upperBound! <= sorted.last! + 1e-3 * top.scale)
    #expect(top.lowerBound! <= sorted[0] && top.lowerBound! >= sorted[0] - 1e-3 * top.scale)
  }

  @Test func givenStartsHaveNoBoundUnlessTheRestIsExplored() throws {
    let n = 60
    var generator = SeededGenerator(seed: 4)
    let map = DenseSymmetricMap(
      columnMajor: TestMatrices.wishart(n, samples: 2 * n, &generator), dimension: n)
    var options = TopEigenpairs<Double>.Options()
    options.start = TestMatrices.normals(n, &generator)
    let given = try TopEigenpairs(of: map, options: options)
    #expect(given.upperBound == nil && given.lowerBound == nil)
    #expect(given.convergence.isConverged)
    #expect(given.convergence.advice.contains("no bound"))
    // An eigenvector as start hides everything else: only the restart finds the top.
    options.start = (0..<n).map { $0 == 0 ? 1 : 0 }
    let trap = DiagonalMap((0..<n).map { $0 == 0 ? 0.5 : Double($0) / Double(n - 1) })
    let escaped = try TopEigenpairs(of: trap, options: options)
    #expect(abs(escaped.largest[0].value - 1) < 1e-9)
    #expect(escaped.upperBound! >= 1 && escaped.upperBound! < 1.001)
  }

  @Test func budgetAndPrecisionAreSaid() throws {
    let n = 200
    var generator = SeededGenerator(seed: 6)
    let a = TestMatrices.wigner(n, &generator)
    var options = TopEigenpairs<Double>.Options()
    options.maxApplications = 5
    let short = try TopEigenpairs(
      of: DenseSymmetricMap(columnMajor: a, dimension: n), options: options)
    #expect(short.convergence.reason == .budget)
    #expect(short.convergence.operatorApplications == 5)
    #expect(short.convergence.advice.contains("5 products"))
    options.count = 8
    let few = try TopEigenpairs(
      of: DenseSymmetricMap(columnMajor: a, dimension: n), options: options)
    #expect(few.largest.count == 5)
    #expect(few.convergence.advice.contains("only 5 of the 8"))
    var single = TopEigenpairs<Float>.Options()
    single.tolerance = 1e-12
    let stagnated = try TopEigenpairs(
      of: DenseSymmetricMap(columnMajor: a.map { Float($0) }, dimension: n), options: single)
    #expect(stagnated.convergence.reason == .stagnatedAtRounding)
    #expect(stagnated.convergence.advice.contains("use float64"))
    #expect(stagnated.rounding < 1e-5 * stagnated.scale)
  }

  @Test func sameSeedSameNumbers() throws {
    let map = DiagonalMap((0..<50).map { Double($0 * $0) })
    var options = TopEigenpairs<Double>.Options()
    let first = try TopEigenpairs(of: map, options: options)
    let again = try TopEigenpairs(of: map, options: options)
    #expect(first.largest[0].vector == again.largest[0].vector)
    #expect(first.upperBound == again.upperBound)
    options.seed = 1
    let other = try TopEigenpairs(of: map, options: options)
    #expect(first.upperBound != other.upperBound)
  }

  @Test func errorsPassThrough() {
    var options = TopEigenpairs<Double>.Options()
    options.count = 4
    #expect(throws: LinearMapError.tooManyEigenpairs(requested: 4, dimension: 3)) {
      try TopEigenpairs(of: DiagonalMap([1.0, 2, 3]), options: options)
    }
    options.count = 1
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 2)) {
      try TopEigenpairs(of: DiagonalMap([1.0, 2, .nan]), options: options)
    }
    #expect(throws: CancellationError.self) {
      try TopEigenpairs(
        of: ClosureMap<Double>(dimension: 5) { _, _ in throw CancellationError() },
        options: options)
    }
    options.start = [0, 0, 0]
    #expect(throws: LinearMapError.zeroStart) {
      try TopEigenpairs(of: DiagonalMap([1.0, 2, 3]), options: options)
    }
  }
}
