import Foundation
import Testing

@testable import LinearMaps

@Suite struct LanczosTests {
  static let laplacian = DenseSymmetricMap(columnMajor: TestMatrices.laplacian(10), dimension: 10)
  static let ones = [Double](repeating: 1 / 10.0.squareRoot(), count: 10)

  @Test func coefficientsOfTheLaplacian() throws {
    let lanczos = try LanczosFactorization(start: Self.ones)
    for _ in 0..<4 { try lanczos.extend(by: Self.laplacian) }
    let alphas = [0.2, 2.05, 2.0833333333, 2.1666666667]
    let betas = [0.4, 0.9682458366, 0.9428090416, 0.8660254038]
    for k in 0..<4 {
      #expect(abs(lanczos.alphas[k] - alphas[k]) < 1e-10)
      #expect(abs(lanczos.betas[k] - betas[k]) < 1e-10)
    }
    #expect(!lanczos.isInvariant)
    // The start is symmetric under reversal, so its Krylov space has dimension 5.
    try lanczos.extend(by: Self.laplacian)
    #expect(lanczos.isInvariant)
    #expect(!lanczos.isComplete)
    #expect(lanczos.betas[4] == 0)
    var generator = SeededGenerator(seed: 1)
    while !lanczos.isComplete {
      if lanczos.isInvariant { lanczos.restart(using: &generator) }
      try lanczos.extend(by: Self.laplacian)
    }
    let values = try lanczos.ritzSystem(vectors: .none).values
    for k in 1...10 {
      #expect(abs(values[k - 1] - 4 * pow(sin(Double(k) * .pi / 22), 2)) < 1e-13)
    }
  }

  @Test func quadratureOfTheLaplacian() throws {
    let moments = [1, 0.2, 0.2, 0.4, 1, 2.8, 8.4, 26.4, 85.8]
    let gauss = try SpectralMeasure(of: Self.laplacian, from: Self.ones, maxApplications: 4)
    let nodes = [0.08328559, 0.80715084, 2.14981258, 3.45975099]
    let weights = [0.88969207, 0.08648677, 0.02009385, 0.00372732]
    for k in 0..<4 {
      #expect(abs(gauss.nodes[k] - nodes[k]) < 1e-8)
      #expect(abs(gauss.weights[k] - weights[k]) < 1e-8)
    }
    for (power, moment) in moments.enumerated() {
      let value = gauss.integrate { pow($0, Double(power)) }
      #expect(abs(value - (power == 8 ? 85.7 : moment)) < 1e-12 * max(moment, 1))
    }
    #expect(!gauss.exact)
    #expect(gauss.operatorApplications == 4)
    let dense = SpectralMeasure(
      of: try SymmetricEigensystem(columnMajor: TestMatrices.laplacian(10), dimension: 10),
      from: Self.ones)
    for measure in [
      dense, try SpectralMeasure(of: Self.laplacian, from: Self.ones, maxApplications: 10),
    ] {
      #expect(measure.exact)
      for (power, moment) in moments.enumerated() {
        let value = measure.integrate { pow($0, Double(power)) }
        #expect(abs(value - moment) < 1e-12 * max(moment, 1))
      }
    }
  }

  /// Moments of `v' A^j v` up to degree `2k - 1`, for any seed and either precision.
  @Test(arguments: [3, 20, 60])
  func quadratureIsExactToItsDegree(_ n: Int) throws {
    for seed in 0..<5 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let a = TestMatrices.wigner(n, &generator)
      let v = TestMatrices.normals(n, &generator)
      let map = DenseSymmetricMap(columnMajor: a, dimension: n)
      let measure = try SpectralMeasure(of: map, from: v, maxApplications: 3)
      let single = try SpectralMeasure(
        of: DenseSymmetricMap(columnMajor: a.map { Float($0) }, dimension: n),
        from: v.map { Float($0) }, maxApplications: 3)
      let norm = Double.dot(n, v, v)
      var power = v
      for degree in 0...5 {
        let moment = Double.dot(n, v, power)
        let scale = norm * pow(2.0, Double(degree))
        #expect(abs(measure.integrate { pow($0, Double(degree)) } - moment) < 1e-13 * scale)
        #expect(abs(single.integrate { pow($0, Double(degree)) } - moment) < 1e-5 * scale)
        power = try map(power)
      }
    }
  }

  @Test func marchenkoPasturMoments() throws {
    let (samples, n) = (1000, 100)
    var generator = SeededGenerator(seed: 5)
    let a = TestMatrices.wishart(n, samples: samples, &generator)
    let map = DenseSymmetricMap(columnMajor: a, dimension: n)
    var moments = [0.0, 0.0, 0.0]
    let probes = 20
    for _ in 0..<probes {
      let probe = generator.rademacher(n, as: Double.self)
      let measure = try SpectralMeasure(of: map, from: probe, maxApplications: 2)
      for power in 1...3 {
        moments[power - 1] += measure.integrate { pow($0, Double(power)) } / Double(n * probes)
      }
    }
    for (moment, theory) in zip(moments, [1, 1.1, 1.31]) {
      #expect(abs(moment / theory - 1) < 0.03)
    }
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    let top = try TopEigenpairs(of: map, options: options)
    #expect(abs(top.smallest[0].value - 0.467544) < 0.03)
    #expect(abs(top.largest[0].value - 1.732456) < 0.06)
  }

  @Test func wignerMoments() throws {
    let n = 300
    var generator = SeededGenerator(seed: 8)
    let values = try SymmetricEigensystem(
      columnMajor: TestMatrices.wigner(n, &generator), dimension: n, withVectors: false
    ).values
    for (power, theory) in [(2, 1.0), (4, 2.0), (6, 5.0)] {
      let moment = values.reduce(0) { $0 + pow($1, Double(power)) } / Double(n)
      #expect(abs(moment / theory - 1) < 0.05)
    }
  }

  @Test func basisStaysOrthonormalWhereEigenvaluesConverge() throws {
    // Plain Lanczos loses orthogonality on this spectrum within a few dozen steps.
    let n = 120
    var generator = SeededGenerator(seed: 2)
    let values = (0..<n).map { pow(0.7, Double($0)) }
    let map = DiagonalMap(values)
    let lanczos = try LanczosFactorization(start: generator.unitSphere(n, as: Double.self))
    while lanczos.count < 60 {
      if lanczos.isInvariant { lanczos.restart(using: &generator) }
      try lanczos.extend(by: map)
    }
    let basis = (0..<60).map { lanczos.basisVector($0) }
    for i in 0..<60 {
      for j in 0...i {
        #expect(abs(Double.dot(n, basis[i], basis[j]) - (i == j ? 1 : 0)) < 1e-14)
      }
    }
    // A V = V T + beta v e'.
    let k = 20
    var expected = try map(basis[k])
    for i in 0..<n {
      expected[i] -=
        lanczos.betas[k - 1] * basis[k - 1][i] + lanczos.alphas[k] * basis[k][i]
        + lanczos.betas[k] * basis[k + 1][i]
    }
    #expect(Double.nrm2(n, expected) < 1e-15)
  }

  @Test func zeroAndScaledVectors() throws {
    let zero = try SpectralMeasure(
      of: Self.laplacian, from: Array(repeating: 0, count: 10), maxApplications: 3)
    #expect(zero.nodes.isEmpty && zero.exact && zero.operatorApplications == 0)
    for scale in [1e-150, 1e-30, 1e140] {
      let measure = try SpectralMeasure(
        of: Self.laplacian, from: Self.ones.map { $0 * scale }, maxApplications: 4)
      #expect(abs(measure.integrate { $0 } / (0.2 * scale * scale) - 1) < 1e-12)
    }
    #expect(throws: LinearMapError.zeroStart) {
      try LanczosFactorization<Float>(start: [0, 0])
    }
    #expect(throws: LinearMapError.nonFiniteVector(role: "start vector", index: 1)) {
      try LanczosFactorization<Double>(start: [0, .nan])
    }
    let text = try JSONEncoder().encode(zero)
    #expect(try JSONDecoder().decode(SpectralMeasure.self, from: text) == zero)
  }
}
