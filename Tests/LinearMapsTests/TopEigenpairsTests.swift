import Testing

@testable import LinearMaps

@Suite struct TopEigenpairsTests {
  static let sizes = [1, 2, 3, 5, 8, 13, 21, 34, 55, 80]

  @Test(arguments: TestMatrices.Family.allCases)
  func boundsHoldAndResidualsAreHonest(_ family: TestMatrices.Family) throws {
    for (index, n) in Self.sizes.enumerated() {
      for repetition in 0..<3 {
        var generator = SeededGenerator(seed: UInt64(1000 * index + repetition))
        let matrix = family.matrix(n, &generator)
        try check(matrix, n, seed: UInt64(repetition), as: Double.self, "\(family) \(n)")
        try check(matrix, n, seed: UInt64(repetition), as: Float.self, "\(family) \(n) float")
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
    for budget in [2, 6, n] {
      var options = TopEigenpairs<Scalar>.Options()
      options.end = .both
      options.maxApplications = budget
      options.seed = seed
      options.tolerance = Scalar.self == Double.self ? 1e-10 : 1e-5
      let top = try TopEigenpairs(of: map, options: options)
      let slack = 1e-15 * Double(n) * top.scale
      #expect(top.upperBound! >= truth[n - 1] - slack, "\(label) budget \(budget)")
      #expect(top.lowerBound! <= truth[0] + slack, "\(label) budget \(budget)")
      for pair in top.largest + top.smallest {
        let nearest = truth.map { abs($0 - pair.value) }.min()!
        #expect(nearest <= pair.residual + slack, "\(label) budget \(budget)")
        #expect(try pair.measuredResidual(of: map) <= pair.residual + slack, "\(label) \(budget)")
      }
      if budget == n { #expect(top.convergence.isConverged, "\(label) \(top.convergence)") }
    }
  }

  @Test func laplacianEnds() throws {
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    options.count = 2
    options.tolerance = 1e-12
    let map = DenseSymmetricMap(columnMajor: TestMatrices.laplacian(100), dimension: 100)
    let top = try TopEigenpairs(of: map, options: options)
    #expect(abs(top.largest[0].value - 3.9990325645839766) < 1e-12)
    #expect(abs(top.smallest[0].value - 9.6743541602387e-4) < 1e-12)
    #expect(top.convergence.isConverged, "\(top.convergence)")
  }
}
