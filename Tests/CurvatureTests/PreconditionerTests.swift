import Curvature
import LinearMaps
import TensorPrograms
import Testing

@Suite struct PreconditionerTests {
  /// Eigenvalues of `P^-1 A` for a dense `P^-1`, by the symmetric form `A^1/2 P^-1 A^1/2` of a positive
  /// definite `A`: no factor of `P` is used.
  func generalised(_ a: [Double], inverse p: [Double], _ n: Int) throws -> [Double] {
    let system = try SymmetricEigensystem(columnMajor: a, dimension: n)
    var root = [Double](repeating: 0, count: n * n)
    for k in 0..<n { addOuter(system.vector(k), system.values[k].squareRoot(), &root) }
    let product = multiply(root, multiply(p, root, n), n)
    return try SymmetricEigensystem(columnMajor: product, dimension: n).values
  }

  func multiply(_ a: [Double], _ b: [Double], _ n: Int) -> [Double] {
    (0..<n * n).map { index in
      (0..<n).reduce(0) { $0 + a[$1 * n + index % n] * b[index / n * n + $1] }
    }
  }

  func randomDefinite(_ n: Int, _ generator: inout SeededGenerator) -> [Double] {
    var a = [Double](repeating: 0, count: n * n)
    for _ in 0..<2 * n { addOuter((0..<n).map { _ in generator.nextNormal() }, 0.5, &a) }
    return a
  }

  func values<Map: LinearMap<Double>>(_ map: Map) throws -> [Double] {
    let matrix = try assembleDense(map)
    #expect(matrix.asymmetry < 1e-12 * matrix.columns.reduce(0) { max($0, abs($1)) })
    return try SymmetricEigensystem(columnMajor: matrix.columns, dimension: map.dimension).values
  }

  @Test func diagonal() throws {
    var generator = SeededGenerator(seed: 11)
    let n = 9
    let a = randomDefinite(n, &generator)
    let p = (0..<n).map { _ in 0.01 + generator.nextUniform() * 10 }
    var inverse = [Double](repeating: 0, count: n * n)
    for i in 0..<n { inverse[i * n + i] = 1 / p[i] }
    let map = DenseSymmetricMap(columnMajor: a, dimension: n)
    let measured = try values(PreconditionedMap(map, by: DiagonalPreconditioner(p)))
    #expect(relativeDistance(measured, try generalised(a, inverse: inverse, n)) < 1e-12)
  }

  /// `P^-1` given, for `P` itself: the same map, and no floor.
  @Test func inverseOfADiagonal() throws {
    let factor = try DiagonalPreconditioner<Double>(inverse: [0.25, 0x1p60, 1, 0x1p-60])
    #expect(factor.diagonal == [4, 0x1p-60, 1, 0x1p60] && factor.raisedCount == 0)
    #expect(factor.inverse([1, 1, 1, 1]) == [0.25, 0x1p60, 1, 0x1p-60])
    #expect(try DiagonalPreconditioner<Double>(inverse: [1, 0]).inverse([1, 1]) == [1, 0])
    for bad in [Double.infinity, .nan] {
      #expect(throws: LinearMapError.self) {
        try DiagonalPreconditioner<Double>(inverse: [1, bad])
      }
    }
  }

  /// `[[10, 1], [1, 1]]` under its own diagonal: from 11.36 to `(1 + 1/sqrt 10) / (1 - 1/sqrt 10)`.
  @Test func jacobi() throws {
    let map = DenseSymmetricMap(columnMajor: [10, 1, 1, 1.0], dimension: 2)
    let before = try values(map)
    let after = try values(PreconditionedMap(map, by: DiagonalPreconditioner([10, 1])))
    #expect(abs(before[1] / before[0] - 11.356388279456764) < 1e-12)
    #expect(abs(after[1] / after[0] - 1.924950591148529) < 1e-12)
  }

  @Test func floorsAndSigns() throws {
    let factor = try DiagonalPreconditioner<Double>([-4, 0, 1e-20, 2], relativeFloor: 1e-3)
    #expect(factor.diagonal == [4, 4e-3, 4e-3, 2])
    #expect(factor.raisedCount == 2)
    #expect(try DiagonalPreconditioner<Double>([0, 0]).diagonal == [1, 1])
    #expect(
      throws: LinearMapError.nonFiniteVector(role: "preconditioner's diagonal", index: 1)
    ) { try DiagonalPreconditioner<Double>([1, .nan]) }
    let adam = try DiagonalPreconditioner<Double>.adam(
      secondMoments: [0.75, 0], step: 2, beta1: 0.5, beta2: 0.5, epsilon: 0.25)
    #expect(adam.diagonal == [0.75 * 1.25, 0.75 * 0.25])
    #expect(
      try DiagonalPreconditioner<Double>.adam(secondMoments: [4], epsilon: 0.5).diagonal == [2.5])
  }

  /// The factored L-BFGS inverse against its textbook recurrence as dense matrices.
  @Test(arguments: [0, 1, 4, 12])
  func quasiNewton(_ pairCount: Int) throws {
    var generator = SeededGenerator(seed: 21)
    let n = 8
    let a = randomDefinite(n, &generator)
    let map = DenseSymmetricMap(columnMajor: a, dimension: n)
    let pairs = try (0..<pairCount).map { _ -> (s: [Double], y: [Double]) in
      let s = (0..<n).map { _ in generator.nextNormal() }
      // Gradients of a loss that is nearly quadratic.
      return (s, try map(s).map { $0 * (1 + 0.1 * generator.nextUniform()) })
    }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let gamma = pairs.last.map { dot($0.s, $0.y) / dot($0.y, $0.y) } ?? 1
    var inverse = (0..<n * n).map { $0 / n == $0 % n ? gamma : 0 }
    for (s, y) in pairs {
      let rho = 1 / dot(s, y)
      let left = (0..<n * n).map { ($0 / n == $0 % n ? 1 : 0) - rho * s[$0 % n] * y[$0 / n] }
      let right = (0..<n * n).map { left[$0 % n * n + $0 / n] }
      inverse = multiply(left, multiply(inverse, right, n), n)
      addOuter(s, rho, &inverse)
    }
    // A pair along which no curvature was seen is left out.
    let blind: (s: [Double], y: [Double]) = (
      [Double](repeating: 1, count: n), [Double](repeating: -1, count: n)
    )
    let factor = try QuasiNewtonPreconditioner<Double>(
      dimension: n, pairs: [blind] + pairs)
    #expect(factor.pairCount == pairCount && factor.skippedCount == 1)
    let applied = (0..<n).flatMap { index in
      factor.inverse((0..<n).map { $0 == index ? 1 : 0 })
    }
    #expect(relativeDistance(applied, inverse) < 1e-9)
    let measured = try values(PreconditionedMap(map, by: factor))
    #expect(relativeDistance(measured, try generalised(a, inverse: inverse, n)) < 1e-9)
  }

  /// `n` conjugate steps of a quadratic make the L-BFGS inverse exact: one eigenvalue, 1.
  @Test func quasiNewtonOfConjugateStepsIsExact() throws {
    var generator = SeededGenerator(seed: 5)
    let n = 6
    let a = randomDefinite(n, &generator)
    let system = try SymmetricEigensystem(columnMajor: a, dimension: n)
    let pairs = (0..<n).map { k in
      (s: system.vector(k), y: system.vector(k).map { $0 * system.values[k] })
    }
    let factor = try QuasiNewtonPreconditioner<Double>(dimension: n, pairs: pairs)
    let map = PreconditionedMap(DenseSymmetricMap(columnMajor: a, dimension: n), by: factor)
    #expect(relativeDistance(try values(map), [Double](repeating: 1, count: n)) < 1e-11)
  }

  /// Adam's second moments under gradient noise of covariance `H` settle at `diag H`, so that dividing by
  /// their root turns `kappa` into its root for a diagonal `H`, and does nothing for a rotated one.
  @Test func adamTakesTheRootOfTheConditionNumber() throws {
    var generator = SeededGenerator(seed: 8)
    let curvature = [100.0, 1]
    for isRotated in [false, true] {
      let c = isRotated ? 0.5.squareRoot() : 1
      let s = isRotated ? 0.5.squareRoot() : 0
      let h = [
        c * c * curvature[0] + s * s * curvature[1], c * s * (curvature[0] - curvature[1]),
        c * s * (curvature[0] - curvature[1]), s * s * curvature[0] + c * c * curvature[1],
      ]
      var moments = [0.0, 0]
      let steps = 20_000
      for _ in 0..<steps {
        let z = curvature.map { $0.squareRoot() * generator.nextNormal() }
        let g = [c * z[0] - s * z[1], s * z[0] + c * z[1]]
        for i in 0..<2 { moments[i] = 0.999 * moments[i] + 0.001 * g[i] * g[i] }
      }
      let factor = try DiagonalPreconditioner<Double>.adam(secondMoments: moments, step: steps)
      let spectrum = try values(
        PreconditionedMap(DenseSymmetricMap(columnMajor: h, dimension: 2), by: factor))
      let effective = spectrum[1] / spectrum[0]
      #expect(abs(effective / (isRotated ? 100 : 10) - 1) < 0.1)
    }
  }

  /// Least squares in scaled features is least squares on scaled data.
  @Test func featureScaling() throws {
    var generator = SeededGenerator(seed: 4)
    let (n, d) = (30, 3)
    let sizes = [0.01, 1, 300.0]
    let x = (0..<n * d).map { sizes[$0 % d] * (generator.nextNormal() + 1) }
    func objective(_ x: [Double]) throws -> Objective<Double> {
      try Objective(
        LossDefinition(
          parameters: [.init("w", [d, 2]), .init("b", [2], isBias: true)],
          model: { p, data in data[0].matmul(p[0]) + p[1] },
          loss: { f, _ in f.square().sum() * (0.5 / Double(n)) }),
        data: [Tensor(x, shape: [n, d])], executor: ReferenceExecutor())
    }
    let raw = try objective(x)
    let scales = raw.featureScales()
    let deviations = (0..<d).map { scales[2 * $0].squareRoot() }
    let zero = [Double](repeating: 0, count: 8)
    let scaled = try objective(x.indices.map { x[$0] / deviations[$0 % d] }).hessian(at: zero)
    let map = try PreconditionedMap(raw.hessian(at: zero), by: DiagonalPreconditioner(scales))
    #expect(relativeDistance(try columns(map), try columns(scaled)) < 1e-12)
    #expect(Array(scales.suffix(2)) == [1, 1])
    #expect(try values(map)[7] < 10)
  }
}
