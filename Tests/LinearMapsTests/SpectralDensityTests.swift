import Foundation
import Testing

@testable import LinearMaps

@Suite struct SpectralDensityTests {
  static func options(
    _ method: SpectralDensity.Method = .lanczos, steps: Int, probes: Int, seed: UInt64 = 0
  ) -> SpectralDensity.Options {
    var options = SpectralDensity.Options()
    (options.method, options.error) = (method, nil)
    (options.steps, options.probes, options.seed) = (steps, probes, seed)
    return options
  }

  @Test(arguments: [
    (5_000, SpectralDensity.Plan(steps: 241, probes: 5)),
    (24_000, SpectralDensity.Plan(steps: 241, probes: 2)),
    (25_000, SpectralDensity.Plan(steps: 241, probes: 1)),
  ])
  func planNumbers(_ n: Int, _ expected: SpectralDensity.Plan) {
    #expect(
      SpectralDensity.plan(error: 0.05, failureProbability: 0.01, dimension: n) == expected)
  }

  @Test func wassersteinDistanceAgreesWithTheNaiveArea() {
    #expect(SpectralDensity.wassersteinDistance([0], [1], [3], [1]) == 3)
    #expect(SpectralDensity.wassersteinDistance([0, 2], [0.5, 0.5], [1], [1]) == 1)
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<20 {
      let x = TestMatrices.normals(7, &generator)
      let y = TestMatrices.normals(5, &generator)
      func weights(_ count: Int) -> [Double] {
        let raw = (0..<count).map { _ in generator.nextUniform() }
        return raw.map { $0 / raw.reduce(0, +) }
      }
      let (p, q) = (weights(7), weights(5))
      func cdf(_ nodes: [Double], _ masses: [Double], _ t: Double) -> Double {
        zip(nodes, masses).reduce(0) { $0 + ($1.0 <= t ? $1.1 : 0) }
      }
      let grid = (x + y).sorted()
      var area = 0.0
      for (a, b) in zip(grid, grid.dropFirst()) {
        area += (b - a) * abs(cdf(x, p, a) - cdf(y, q, a))
      }
      #expect(abs(SpectralDensity.wassersteinDistance(x, p, y, q) - area) < 1e-14)
    }
  }

  /// Four steps on the Laplacian of ten points from the constant vector: the published moments, one
  /// degree beyond the Gauss rule's, and a band that holds the exact measure.
  @Test func canonicalRulesOfTheLaplacian() throws {
    let map = LanczosTests.laplacian
    let lanczos = try LanczosFactorization(start: LanczosTests.ones)
    for _ in 0..<4 { try lanczos.extend(by: map) }
    // The start is not random: a tiny delta makes the support wide enough for any.
    let measure = try ProbeMeasure(lanczos, delta: 1e-9)
    for (power, moment) in [1, 0.2, 0.2, 0.4, 1, 2.8, 8.4, 26.4, 85.8].enumerated() {
      let value = measure.atoms.reduce(0) { $0 + $1.mass * pow($1.position, Double(power)) }
      #expect(abs(value - moment) < 1e-10 * max(moment, 1))
    }
    let exact = try SpectralMeasure(of: map, from: LanczosTests.ones, maxApplications: 10)
    expectBand(of: measure, holds: zip(exact.nodes, exact.weights).map { ($0, $1) })
    try lanczos.extend(by: map)
    let broken = try ProbeMeasure(lanczos, delta: 1e-9)
    #expect(broken.isExact)
    #expect(
      SpectralDensity.wassersteinDistance(
        broken.atoms.map(\.position), broken.atoms.map(\.mass), exact.nodes, exact.weights) < 1e-13)
  }

  @Test(arguments: KnownSpectrum.allCases)
  func bandsHoldTheMeasureOfEachProbe(_ spectrum: KnownSpectrum) throws {
    let values = spectrum.values(144, seed: 1)
    for (seed, steps) in [2, 5, 11, 30, 60].enumerated() {
      var generator = SeededGenerator(seed: UInt64(seed))
      let start = generator.unitSphere(144, as: Double.self)
      let full = try LanczosFactorization(start: start)
      let short = try ThreeTermLanczos(start: start)
      let delta = ProbabilisticBound.delta(dimension: 144, failureProbability: 1e-4)
      for process in [full, short] as [any TridiagonalProcess<Double>] {
        while process.alphas.count < steps && !process.isInvariant {
          try process.extend(by: DiagonalMap(values))
        }
        let measure = try ProbeMeasure(process, delta: delta)
        expectBand(
          of: measure, holds: zip(values, start).map { ($0, $1 * $1) }.sorted { $0.0 < $1.0 })
      }
    }
  }

  /// The area by which the exact CDF leaves the band is rounding.
  private func expectBand(of measure: ProbeMeasure, holds exact: [(Double, Double)]) {
    let band = measure.band(in: measure.support)
    typealias Jump = (position: Double, lowest: Double, exact: Double, highest: Double)
    var jumps: [Jump] = band.lowest.map { ($0.position, $0.mass, 0, 0) }
    jumps += band.highest.map { ($0.position, 0, 0, $0.mass) }
    jumps += exact.map { ($0.0, 0, $0.1, 0) }
    jumps.sort { $0.position < $1.position }
    var (low, middle, high, outside) = (0.0, 0.0, 0.0, 0.0)
    for (jump, next) in zip(jumps, jumps.dropFirst()) {
      low += jump.lowest
      middle += jump.exact
      high += jump.highest
      outside += (next.position - jump.position) * max(low - middle, middle - high, 0)
    }
    #expect(outside < 1e-12 * max(1, jumps[jumps.count - 1].position))
    for side in [band.lowest, band.highest] {
      #expect(abs(side.reduce(0) { $0 + $1.mass } - 1) < 1e-12)
      #expect(side.allSatisfy { $0.mass >= 0 })
    }
  }

  @Test func marchenkoPasturDensity() throws {
    let (samples, n) = (800, 200)
    var generator = SeededGenerator(seed: 6)
    let a = TestMatrices.wishart(n, samples: samples, &generator)
    let map = DenseSymmetricMap(columnMajor: a, dimension: n)
    let density = try SpectralDensity(of: map, options: Self.options(steps: 40, probes: 12))
    for (degree, theory) in [(1, 1.0), (2, 1.25), (3, 1.8125)] {
      #expect(abs(density.moment(degree) / theory - 1) < 0.03)
    }
    #expect(density.lower < 0.3 && density.lower > 0.1)
    #expect(density.upper > 2.1 && density.upper < 2.5)
    for x in [0.6, 1.0, 1.5] {
      // f(x) = sqrt((b - x)(x - a)) / (2 pi gamma x).
      let theory = ((2.25 - x) * (x - 0.25)).squareRoot() / (2 * .pi * 0.25 * x)
      #expect(abs(density.density(at: x, width: 0.1) / theory - 1) < 0.1)
    }
    let dense = try SymmetricEigensystem(columnMajor: a, dimension: n, withVectors: false).values
    #expect(density.wassersteinDistance(toEigenvalues: dense) < density.wassersteinBound)
  }

  @Test(arguments: SpectralDensity.Method.allCases)
  func wignerMoments(_ method: SpectralDensity.Method) throws {
    let n = 1000
    var generator = SeededGenerator(seed: 9)
    let map = DenseSymmetricMap(
      columnMajor: TestMatrices.wigner(n, &generator).map { Float($0) }, dimension: n)
    // Five steps are exact to degree 10; the damping widens the density by pi/121 of the half-width.
    var options =
      method == .lanczos
      ? Self.options(steps: 5, probes: 120) : Self.options(method, steps: 60, probes: 40)
    options.maxApplications = 4000
    let density = try SpectralDensity(of: map, options: options)
    let tolerance = method == .lanczos ? 0.01 : 0.06
    for (degree, theory) in [(2, 1.0), (4, 2.0), (6, 5.0)] {
      #expect(abs(density.moment(degree) / theory - 1) < tolerance)
    }
    #expect(abs(density.negativeMass() - 0.5) < 0.02)
    #expect(abs(density.quantile(0.5)) < 0.05)
    #expect(abs(density.cumulative(at: 0) - density.negativeMass()) < 0.02)
  }

  /// Two hundred runs over spectra, sizes, methods, bases and budgets.
  @Test func trueDistanceIsWithinTheBound() throws {
    var failures = 0
    var ratios: [Double] = []
    for seed in 0..<UInt64(200) {
      let spectrum = KnownSpectrum.allCases[Int(seed) % KnownSpectrum.allCases.count]
      let n = [225, 400, 1024][Int(seed / 12) % 3]
      let values = spectrum.values(n, seed: seed)
      var options = SpectralDensity.Options()
      switch seed % 5 {
      case 0: options = Self.options(steps: 20, probes: 1)
      case 1: options = Self.options(steps: 12, probes: 4)
      case 2: options = Self.options(.kernelPolynomial, steps: 24, probes: 2)
      case 3:
        options = Self.options(steps: 30, probes: 2)
        options.basis = .free
      default:
        options.error = 0.06
        options.maxApplications = 100
      }
      options.seed = seed
      let density = try SpectralDensity(of: DiagonalMap(values), options: options)
      let truth = density.wassersteinDistance(toEigenvalues: values)
      let range = values.max()! - values.min()!
      if truth > density.wassersteinBound { failures += 1 }
      if truth > 1e-3 * range { ratios.append(density.wassersteinBound / truth) }
    }
    #expect(failures <= 2)
    #expect(ratios.count >= 150)
    #expect(ratios.sorted()[ratios.count / 2] <= 10)
  }

  @Test func errorAskedForIsMetWithFarFewerProductsThanPlanned() throws {
    let plan = SpectralDensity.plan(error: 0.02, failureProbability: 0.01, dimension: 3000)
    let values = KnownSpectrum.network.values(3000, seed: 2)
    var options = SpectralDensity.Options()
    options.error = 0.004
    let density = try SpectralDensity(of: DiagonalMap(values), options: options)
    #expect(density.convergence.reason == .converged)
    #expect(density.deflated >= 5)
    #expect(density.operatorApplications < 80)
    #expect(density.operatorApplications * 20 < plan.steps * plan.probes)
    let truth = density.wassersteinDistance(toEigenvalues: values)
    #expect(truth <= density.wassersteinBound)
    #expect(density.wassersteinBound <= 0.0041 * density.range)
    let mass = Double(values.filter { $0 < 0 }.count) / 3000
    #expect(abs(density.negativeMass() - mass) < 0.1)
  }
}
