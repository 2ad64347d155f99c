import Testing

@testable import LinearMaps

@Suite struct CholeskyFactorTests {
  /// The solution comes back, to the condition number's share of rounding.
  @Test(arguments: [1, 2, 7, 130]) func solvesWhatItMultiplied(_ n: Int) throws {
    var generator = SeededGenerator(seed: UInt64(n))
    let values = (0..<n).map { 0.01 + Double($0) }
    let a = TestMatrices.withSpectrum(values, &generator)
    let x = TestMatrices.normals(n, &generator)
    for shift in [0.0, 0.5] {
      let b = (0..<n).map { row in
        (0..<n).reduce(shift * x[row]) { $0 + a[$1 * n + row] * x[$1] }
      }
      let factor = try #require(CholeskyFactor(columnMajor: a, dimension: n, shift: shift))
      let error = zip(factor.solve(b), x).map { $0 - $1 }
      let condition = (values[n - 1] + shift) / (values[0] + shift)
      #expect(
        Double.nrm2(n, error) <= 8 * condition * Double.ulpOfOne * Double(n) * Double.nrm2(n, x))
    }
  }

  /// Only what has all eigenvalues above zero has a factor, however near to it they are.
  @Test func refusesWhatIsNotPositive() throws {
    var generator = SeededGenerator(seed: 4)
    for n in [1, 3, 40] {
      let a = TestMatrices.withSpectrum((0..<n).map { Double($0) - 1e-3 }, &generator)
      #expect(CholeskyFactor(columnMajor: a, dimension: n) == nil)
      #expect(CholeskyFactor(columnMajor: a, dimension: n, shift: 2e-3) != nil)
      #expect(CholeskyFactor(columnMajor: a, dimension: n, shift: -1e-3) == nil)
    }
    #expect(CholeskyFactor(columnMajor: [0], dimension: 1) == nil)
    for bad in [Double.nan, .infinity, -.infinity] {
      for place in [0, 1, 3] {
        var a = [2.0, 1, 1, 2]
        a[place] = bad
        #expect(CholeskyFactor(columnMajor: a, dimension: 2) == nil)
      }
    }
  }
}
