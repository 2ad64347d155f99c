import Testing

@testable import LinearMaps

@Suite struct LinearMapTests {
  @Test func concreteMapsAgreeWithTheirDefinitions() throws {
    let n = 4
    let a: [Double] = [4, 1, 0, 2, 1, 3, -1, 0, 0, -1, 2, 0.5, 2, 0, 0.5, 1]
    let x: [Double] = [1, -2, 0.5, 3]
    let expected = (0..<n).map { row in (0..<n).reduce(0.0) { $0 + a[$1 * n + row] * x[$1] } }
    let dense = DenseSymmetricMap(columnMajor: a, dimension: n)
    #expect(try dense(x) == expected)
    #expect(
      try DenseSymmetricMap(columnMajor: a.map { Float($0) }, dimension: n)(
        x.map { Float($0) }) == expected.map { Float($0) })
    #expect(try DiagonalMap(x)(x) == x.map { $0 * $0 })
    #expect(try ShiftedMap(dense, shift: 10)(x) == zip(expected, x).map { $0 + 10 * $1 })
    // An entry of zero holds its coordinate still.
    let still = try assembleDense(
      PreconditionedMap(dense, by: DiagonalPreconditioner(inverse: [1, 0, 1, 1]))
    ).columns
    for i in 0..<n * n { #expect(still[i] == (i / n == 1 || i % n == 1 ? 0 : a[i])) }
    let d: [Double] = [4, 1, 9, 16]
    let scaled = try assembleDense(
      PreconditionedMap(dense, by: DiagonalPreconditioner(inverse: d))
    ).columns
    for i in 0..<n * n {
      #expect(scaled[i] == a[i] * (d[i / n] * d[i % n]).squareRoot())
    }
    let shifted = try assembleDense(ShiftedMap(dense, shift: -2)).columns
    for i in 0..<n * n { #expect(shifted[i] == a[i] - (i / n == i % n ? 2 : 0)) }
  }

  @Test func generatorFollowsItsReferences() {
    // Outputs of the authors' own C code for this state, and of SplitMix64 for this seed.
    var generator = SeededGenerator(state: (1, 2, 3, 4))
    let outputs = (0..<6).map { _ in generator.next() }
    #expect(
      outputs == [
        11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360,
        607_988_272_756_665_600,
      ])
    let state = SeededGenerator(seed: 1_234_567).state
    #expect(state.0 == 6_457_827_717_110_365_317)
    #expect(state.1 == 3_203_168_211_198_807_973)
    #expect(state.2 == 9_817_491_932_198_370_423)
    #expect(state.3 == 4_593_380_528_125_082_431)
  }

  @Test func distributionsHaveTheirMoments() {
    var generator = SeededGenerator(seed: 42)
    let count = 40_000
    var sums = [Double](repeating: 0, count: 4)
    var uniforms = 0.0
    for _ in 0..<count {
      let x = generator.nextNormal()
      for power in 0..<4 { sums[power] += [x, x * x, x * x * x, x * x * x * x][power] }
      let u = generator.nextUniform()
      #expect(u >= 0 && u < 1)
      uniforms += u
    }
    // Five standard errors of the mean of x, x², x³, x⁴: variances 1, 2, 15, 96.
    for (sum, (mean, variance)) in zip(sums, [(0.0, 1.0), (1, 2), (0, 15), (3, 96)]) {
      #expect(abs(sum / Double(count) - mean) < 5 * (variance / Double(count)).squareRoot())
    }
    #expect(abs(uniforms / Double(count) - 0.5) < 5 * (1 / 12.0 / Double(count)).squareRoot())
    let signs = generator.rademacher(10_000, as: Float.self)
    #expect(signs.allSatisfy { abs($0) == 1 })
    #expect(abs(signs.reduce(0, +)) < 500)
    #expect(abs(Double.nrm2(300, generator.unitSphere(300)) - 1) < 1e-14)
    #expect(generator.unitSphere(1, as: Double.self).map { abs($0) } == [1])
  }

  @Test func libraryNamesItself() {
    #expect(!LinearAlgebraLibrary.description.isEmpty)
    let threads = LinearAlgebraThreads.current
    defer { if let threads { LinearAlgebraThreads.set(threads) } }
    LinearAlgebraThreads.set(1)
    #if os(Linux)
      #expect(LinearAlgebraLibrary.description.contains("OpenBLAS"))
      #expect(LinearAlgebraThreads.current == 1)
    #endif
  }

  /// Up to 64 rows: what methods renew on the way, and what tests of other modules compare to the last digits.
  @Test(arguments: [3, 10, 33, 64]) func `small eigensystems are the same on any threads`(
    _ n: Int
  ) throws {
    var generator = SeededGenerator(seed: UInt64(n))
    var matrix = (0..<n * n).map { _ in generator.nextNormal() }
    for i in 0..<n {
      for j in 0..<i { matrix[i * n + j] = matrix[j * n + i] }
    }
    let threads = LinearAlgebraThreads.current
    defer { if let threads { LinearAlgebraThreads.set(threads) } }
    LinearAlgebraThreads.set(1)
    let one = try SymmetricEigensystem(columnMajor: matrix, dimension: n)
    LinearAlgebraThreads.set(2)
    let two = try SymmetricEigensystem(columnMajor: matrix, dimension: n)
    #expect(one.values == two.values && one.vectors == two.vectors)
    let alone = try SymmetricEigensystem(columnMajor: matrix, dimension: n, withVectors: false)
    #expect(zip(alone.values, one.values).allSatisfy { abs($0 - $1) < 1e-13 * Double(n) })
  }

  @Test(arguments: [
    LinearMapError.nonFiniteProduct(application: 3, index: 7),
    .nonFiniteMatrix(row: 1, column: 2), .nonFiniteVector(role: "right side", index: 4),
    .zeroStart, .tooManyEigenpairs(requested: 5, dimension: 2),
    .lapack(routine: "dsyevd", info: 3),
  ])
  func errorsAreOneSentenceWithANextStep(_ error: LinearMapError) {
    #expect(error.description.contains(";"))
    #expect(!error.description.contains("\n"))
    #expect(error.errorDescription == error.description)
  }
}
