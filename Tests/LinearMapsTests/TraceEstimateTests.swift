import Foundation
import Synchronization
import Testing

@testable import LinearMaps

@Suite struct TraceEstimateTests {
  static func options(
    tolerance: Double = 0, products: Int, minProbes: Int = 10, seed: UInt64 = 0
  ) -> EstimatorOptions {
    var options = EstimatorOptions()
    options.tolerance = tolerance
    options.maxApplications = products
    options.minProbes = minProbes
    options.seed = seed
    return options
  }

  enum Decay: String, CaseIterable, Sendable {
    case inverseSquare, geometric, flat, indefinite

    func spectrum(_ n: Int) -> [Double] {
      (1...n).map { k in
        switch self {
        case .inverseSquare: 1 / Double(k * k)
        case .geometric: pow(0.7, Double(k))
        case .flat: 1 + 2 * Double(k - 1) / Double(n - 1)
        case .indefinite: (k % 3 == 0 ? -1 : 1) / Double(k)
        }
      }
    }
  }

  /// A map without its exact answer within 8 products: eight copies of the 3 x 3 matrix, so that the
  /// variance is eight times that of one.
  @Test(arguments: [(ProbeDistribution.rademacher, 5.16), (.gaussian, 57.16)])
  func hutchinsonHasTheKnownVariance(_ distribution: ProbeDistribution, _ variance: Double) throws {
    let block: [Double] = [4, 1, 0.5, 1, 3, 0.2, 0.5, 0.2, 1]
    let copies = 8
    let n = 3 * copies
    let map = ClosureMap<Double>(dimension: n) { x, y in
      for i in 0..<n {
        let start = i - i % 3
        y[i] = (0..<3).reduce(0) { $0 + block[3 * (i % 3) + $1] * x[start + $1] }
      }
    }
    var values: [Double] = []
    var claimed = 0.0
    let runs = 1500
    for seed in 0..<runs {
      var options = Self.options(products: 16, seed: UInt64(seed))
      options.probes = distribution
      let trace = try TraceEstimate(of: map, method: .hutchinson, options: options)
      #expect(trace.probes == 16 && trace.operatorApplications == 16)
      values.append(trace.value)
      claimed += trace.standardError * trace.standardError / Double(runs)
    }
    let expected = variance * Double(copies) / 16
    let mean = values.reduce(0, +) / Double(runs)
    let measured = values.reduce(0) { $0 + ($1 - 64) * ($1 - 64) } / Double(runs)
    // The square of a nearly normal number has a standard deviation of sqrt(2) times its mean; the
    // excess kurtosis of the 16-probe means is below 1.
    let sigma = expected * (3 / Double(runs)).squareRoot()
    #expect(abs(mean - 64) < 3 * (expected / Double(runs)).squareRoot())
    #expect(abs(measured - expected) < 3 * sigma)
    #expect(abs(claimed - expected) < 3 * sigma)
  }

  @Test(arguments: [(Decay.inverseSquare, 0.1), (.flat, 1.6)])
  func xTraceAgainstHutchinsonAtEqualProducts(_ decay: Decay, _ limit: Double) throws {
    let n = 500
    let spectrum = decay.spectrum(n)
    let exact = spectrum.reduce(0, +)
    let map = DenseSymmetricMap(
      columnMajor: try ReferenceMatrices.inRandomBasis(spectrum, seed: 5), dimension: n)
    func medianError(_ method: TraceEstimate.Method) throws -> Double {
      let errors = try (0..<100).map { seed in
        let options = Self.options(products: 40, seed: 1000 + UInt64(seed))
        let trace = try TraceEstimate(of: map, method: method, options: options)
        #expect(trace.operatorApplications <= 40 && trace.operatorApplications >= 39)
        return abs(trace.value - exact)
      }
      return ReferenceMatrices.median(errors)
    }
    let hutchinson = try medianError(.hutchinson)
    let ratio = try medianError(.xTrace) / hutchinson
    #expect(ratio <= limit)
  }

  /// The definition, one QR factorisation per probe, against the downdated one.
  @Test(arguments: Decay.allCases) func xTraceIsItsDefinition(_ decay: Decay) throws {
    let (n, m) = (60, 10)
    let a = try ReferenceMatrices.inRandomBasis(decay.spectrum(n), seed: 2)
    let trace = try TraceEstimate(
      of: DenseSymmetricMap(columnMajor: a, dimension: n), method: .xTrace,
      options: Self.options(products: 2 * m, seed: 9))
    var generator = SeededGenerator(seed: 9)
    let flat: [Double] = generator.probes(m, dimension: n, .sphere)
    let probes = (0..<m).map { Array(flat[$0 * n..<($0 + 1) * n]) }
    let products = probes.map { ReferenceMatrices.times(a, $0) }
    let values = probes.indices.map { i -> Double in
      let others = products.indices.filter { $0 != i }.map { products[$0] }
      let q = ReferenceMatrices.orthonormalized(others)
      let inside = q.reduce(0) {
        $0 + ReferenceMatrices.dot($1, ReferenceMatrices.times(a, $1))
      }
      let u = ReferenceMatrices.projectedOut(q, probes[i])
      return inside
        + Double(n - q.count) * ReferenceMatrices.dot(u, ReferenceMatrices.times(a, u))
        / ReferenceMatrices.dot(u, u)
    }
    let mean = values.reduce(0, +) / Double(m)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / Double(m * (m - 1))).squareRoot()
    #expect(trace.probes == m)
    #expect(abs(trace.value - mean) < 1e-11)
    #expect(abs(trace.standardError - 2.0.squareRoot() * error) < 1e-11)
  }

  @Test(arguments: TraceEstimate.Method.allCases, Decay.allCases)
  func estimatesAreUnbiasedAndTheirErrorsCover(
    _ method: TraceEstimate.Method, _ decay: Decay
  ) throws {
    // Twenty probes: the fewest that a converged estimate has.
    let n = 100
    let products = [.hutchinson: 20, .hutchPlusPlus: 60, .xTrace: 40][method]!
    let spectrum = decay.spectrum(n)
    let exact = spectrum.reduce(0, +)
    let map = DenseSymmetricMap(
      columnMajor: try ReferenceMatrices.inRandomBasis(spectrum, seed: 3), dimension: n)
    var values: [Double] = []
    var covered = 0
    let runs = 120
    for seed in 0..<runs {
      let trace = try TraceEstimate(
        of: map, method: method, options: Self.options(products: products, seed: UInt64(seed)))
      values.append(trace.value)
      if abs(trace.value - exact) <= 2 * trace.standardError + trace.rounding { covered += 1 }
    }
    let spread = EstimatedValue(samples: values)
    #expect(abs(spread.value - exact) < 3.5 * spread.standardError)
    #expect(covered >= runs * 9 / 10)
  }

  @Test(arguments: TraceEstimate.Method.allCases.filter { $0 != .hutchinson })
  func lowRankIsExact(_ method: TraceEstimate.Method) throws {
    let n = 100
    let spectrum = (0..<n).map { $0 < 4 ? Double($0) - 1.5 : 0 }
    let a = try ReferenceMatrices.inRandomBasis(spectrum, seed: 4)
    let trace = try TraceEstimate(
      of: DenseSymmetricMap(columnMajor: a, dimension: n), method: method,
      options: Self.options(products: 60))
    #expect(abs(trace.value) < 1e-12)
    #expect(trace.standardError < 1e-12)
    #expect(trace.convergence.reason == .stagnatedAtRounding)
    let single = try TraceEstimate(
      of: DenseSymmetricMap(columnMajor: a.map { Float($0) }, dimension: n), method: method,
      options: Self.options(products: 60))
    #expect(abs(single.value) < 1e-4)
    #expect(single.standardError < 1e-4)
  }

  @Test(arguments: TraceEstimate.Method.allCases) func stopsAtTheToleranceAndNotBefore(
    _ method: TraceEstimate.Method
  ) throws {
    let n = 300
    let spectrum = Decay.indefinite.spectrum(n).map { $0 + 0.02 }
    let exact = spectrum.reduce(0, +)
    let a = try ReferenceMatrices.inRandomBasis(spectrum, seed: 6).map { Float($0) }
    let map = DenseSymmetricMap(columnMajor: a, dimension: n)
    var within = 0
    for seed in 0..<40 {
      let trace = try TraceEstimate(
        of: map, method: method,
        options: Self.options(tolerance: 0.03, products: 100_000, seed: UInt64(seed)))
      #expect(trace.convergence.isConverged)
      #expect(trace.probes >= 20 || trace.convergence.reason == .invariantSubspace)
      #expect(trace.operatorApplications == trace.convergence.operatorApplications)
      if trace.convergence.reason == .converged {
        #expect(trace.standardError <= 0.03 * abs(trace.value))
      }
      if abs(trace.value - exact) <= 3 * 0.03 * exact { within += 1 }
    }
    #expect(within >= 38)
  }

  /// The first check sees nothing but zero, with a standard error of 0.
  @Test(arguments: TraceEstimate.Method.allCases) func oneLuckyCheckDoesNotStopIt(
    _ method: TraceEstimate.Method
  ) throws {
    let n = 1000
    let calls = Mutex(0)
    let lucky = method == .hutchPlusPlus ? 20 : 10
    let map = ClosureMap<Double>(dimension: n) { x, y in
      let call = calls.withLock {
        $0 += 1
        return $0
      }
      for i in 0..<n { y[i] = call <= lucky ? 0 : (i < 500 ? 3 * x[i] : x[n - 1 - i] + x[i]) }
    }
    let trace = try TraceEstimate(
      of: map, method: method, options: Self.options(tolerance: 0.1, products: 900))
    #expect(trace.operatorApplications > 2 * lucky)
  }

  @Test(arguments: TraceEstimate.Method.allCases) func aSmallMapIsSolvedExactly(
    _ method: TraceEstimate.Method
  ) throws {
    var generator = SeededGenerator(seed: 8)
    for n in [1, 2, 7, 40] {
      let a = TestMatrices.wigner(n, &generator)
      let exact = (0..<n).reduce(0) { $0 + a[$1 * n + $1] }
      let trace = try TraceEstimate(
        of: DenseSymmetricMap(columnMajor: a, dimension: n), method: method,
        options: Self.options(tolerance: 1e-9, products: 40))
      #expect(abs(trace.value - exact) < 1e-13)
      #expect(trace.standardError == 0)
      #expect(trace.operatorApplications <= 40)
      #expect(trace.convergence.reason == .invariantSubspace)
      let frobenius = a.reduce(0) { $0 + $1 * $1 }
      #expect(abs(trace.squaredFrobeniusNorm.value - frobenius) < 1e-12)
    }
  }

  @Test(arguments: TraceEstimate.Method.allCases) func edges(
    _ method: TraceEstimate.Method
  ) throws {
    let zero = try TraceEstimate(
      of: DiagonalMap([Float](repeating: 0, count: 2000)), method: method)
    #expect(zero.value == 0 && zero.standardError == 0)
    #expect(zero.convergence.reason == .converged)

    let broken = ClosureMap<Double>(dimension: 300) { x, y in
      for i in 0..<300 { y[i] = i == 7 ? .nan : x[i] }
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 7)) {
      try TraceEstimate(of: broken, method: method)
    }

    let map = DiagonalMap((0..<400).map { Float($0 % 17) - 3 })
    let log = Mutex<[EstimatorProgress]>([])
    var options = Self.options(tolerance: 1e-4, products: 100, seed: 11)
    let first = try TraceEstimate(of: map, method: method, options: options)
    options.onProgress = { progress in log.withLock { $0.append(progress) } }
    let second = try TraceEstimate(of: map, method: method, options: options)
    #expect(first == second)
    let counts = log.withLock { $0.map(\.operatorApplications) }
    #expect(counts == counts.sorted() && counts.last == second.operatorApplications)
    options.seed = 12
    let third = try TraceEstimate(of: map, method: method, options: options)
    #expect(method == .hutchinson || third.value != first.value)
    let decoded = try JSONDecoder().decode(
      TraceEstimate.self, from: JSONEncoder().encode(first))
    #expect(decoded == first)
  }

  @Test func theBudgetIsKeptAndSaidSo() throws {
    let a = try ReferenceMatrices.inRandomBasis(Decay.flat.spectrum(200), seed: 7)
    let trace = try TraceEstimate(
      of: DenseSymmetricMap(columnMajor: a, dimension: 200), method: .xTrace,
      options: Self.options(tolerance: 1e-6, products: 57))
    #expect(trace.convergence.reason == .budget)
    #expect(trace.operatorApplications == 56)
    #expect(trace.convergence.advice.contains("more of them would lower it"))
    // A trace of zero has no relative error; relative to the norm of the map it has.
    let balanced = DiagonalMap((0..<4000).map { $0 % 2 == 0 ? 1.0 : -1 })
    var options = Self.options(tolerance: 0.5, products: 400)
    options.probes = .gaussian
    #expect(
      try TraceEstimate(of: balanced, method: .hutchinson, options: options).convergence.reason
        == .budget)
    options.toleranceScale = .frobenius
    #expect(
      try TraceEstimate(of: balanced, method: .hutchinson, options: options).convergence.reason
        == .converged)
  }
}
