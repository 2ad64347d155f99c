import Foundation
import Testing

@testable import LinearMaps

@Suite struct SmallestEigenpairsTests {
  typealias Method = SmallestEigenpairs<Double>.Method

  func options(
    _ method: Method, tolerance: Double = 1e-9, count: Int = 1
  ) -> SmallestEigenpairs<Double>.Options {
    var options = SmallestEigenpairs<Double>.Options()
    options.method = method
    options.tolerance = tolerance
    options.count = count
    options.maxApplications = 20_000
    return options
  }

  static let methods = Method.allCases

  @Test(arguments: [5, 10, 50, 100, 1000], methods)
  func laplacian(_ n: Int, _ method: Method) throws {
    func exact(_ k: Int) -> Double { 4 * pow(sin(Double(k) * .pi / Double(2 * (n + 1))), 2) }
    let map = ClosureMap<Double>(dimension: n) { x, y in
      for i in 0..<n {
        y[i] = 2 * x[i] - (i > 0 ? x[i - 1] : 0) - (i + 1 < n ? x[i + 1] : 0)
      }
    }
    // Lanczos needs all thousand columns there, which takes seconds.
    if n == 1000 && (method == .lanczos || method == .automatic) { return }
    let count = n == 1000 ? 1 : 3
    let found = try SmallestEigenpairs(of: map, options: options(method, count: count))
    #expect(found.convergence.isConverged, "\(method) \(n) \(found.convergence)")
    for (index, pair) in found.pairs.enumerated() {
      #expect(abs(pair.value - exact(index + 1)) < 1e-10, "\(method) \(n) \(index)")
      #expect(try pair.measuredResidual(of: map) <= pair.residual + 1e-14)
    }
    #expect(found.lowerBound! <= exact(1) + 1e-14)
    let published = [5: 13.9282032302755, 10: 48.3741500787082, 50: 1053.47899120011]
    if let condition = published[n] {
      #expect(abs(exact(n) / found.pairs[0].value / condition - 1) < 1e-8)
    }
    #expect(found.convergence.operatorApplications <= 12 * n + 100)
    #expect(method == .automatic || n < 50 || found.method == method)
  }

  @Test(arguments: methods)
  func hilbert(_ method: Method) throws {
    for (n, exact) in [(5, 3.28792877217186296e-6), (10, 1.09315381937966576e-13)] {
      let map = DenseSymmetricMap(columnMajor: TestMatrices.hilbert(n), dimension: n)
      let found = try SmallestEigenpairs(of: map, options: options(method, tolerance: 1e-14))
      #expect(abs(found.pairs[0].value - exact) < 2e-15, "\(n)")
      #expect(found.convergence.isConverged && found.isResolved, "\(found.convergence)")
    }
    for n in [12, 13, 14, 20, 40] {
      let map = DenseSymmetricMap(columnMajor: TestMatrices.hilbert(n), dimension: n)
      let found = try SmallestEigenpairs(of: map, options: options(method, tolerance: 1e-14))
      #expect(found.convergence.reason == .stagnatedAtRounding, "\(n) \(found.convergence)")
      #expect(!found.isResolved, "\(n) \(found.convergence)")
      // Converged to a loose tolerance, the value is within its residual of zero, and that is said.
      let loose = try SmallestEigenpairs(of: map, options: options(method))
      #expect(!loose.isResolved && loose.convergence.advice.contains("from zero"))
    }
  }

  /// Every method, on spectra of known character, finds LAPACK's values in order.
  @Test(arguments: ["wishart", "wigner", "network", "decaying", "low rank", "copies", "clustered"])
  func agreesWithLAPACK(_ kind: String) throws {
    let n = 60
    for seed in 0..<2 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let a: [Double]
      switch kind {
      case "wishart": a = TestMatrices.wishart(n, samples: 2 * n, &generator)
      case "wigner": a = TestMatrices.wigner(n, &generator)
      default:
        let values: [Double] = (0..<n).map { (index: Int) -> Double in
          switch kind {
          case "network":
            index < 8 ? 1 + Double(index) : index < 14 ? -0.02 * Double(index - 7) : 1e-3
          case "decaying": 1 / Double((index + 1) * (index + 1))
          case "low rank": index < 30 ? 1 + Double(index) : 0
          case "copies": index < 3 ? 1 : 2 + Double(index)
          default: index < 3 ? 1 + 1e-9 * Double(index) : 2 + Double(index)
          }
        }
        a = TestMatrices.withSpectrum(values, &generator)
      }
      let map = DenseSymmetricMap(columnMajor: a, dimension: n)
      let truth = try SymmetricEigensystem(columnMajor: a, dimension: n).values
      for method in Self.methods {
        for count in kind == "copies" || kind == "clustered" ? [1] : [1, 3] {
          var options = options(method, tolerance: 1e-8, count: count)
          options.seed = UInt64(seed)
          let found = try SmallestEigenpairs(of: map, options: options)
          let label: Comment = "\(kind) \(method) \(count) \(found.convergence)"
          let expected: Convergence.Reason = kind == "low rank" ? .stagnatedAtRounding : .converged
          #expect(found.convergence.reason == expected, label)
          for (index, pair) in found.pairs.enumerated() {
            #expect(abs(pair.value - truth[index]) <= 1e-8 * found.scale, label)
          }
          #expect(found.lowerBound! <= truth[0] + 1e-14 * found.scale, label)
        }
      }
    }
  }

  /// Some eigenvalue lies within every residual, whatever the method, the budget and the precision.
  @Test(arguments: TestMatrices.Family.allCases)
  func residualsAreTrueBounds(_ family: TestMatrices.Family) throws {
    for (index, n) in [1, 2, 3, 7, 20, 45].enumerated() {
      for repetition in 0..<3 {
        var generator = SeededGenerator(seed: UInt64(100 * index + repetition))
        let matrix = family.matrix(n, &generator)
        for method in Self.methods {
          for budget in [3, 40, 400] {
            try check(matrix, n, method, budget, seed: repetition, as: Double.self)
            if repetition == 0 {
              try check(matrix, n, method, budget, seed: repetition, as: Float.self)
            }
          }
        }
      }
    }
  }

  func check<Scalar: LinearMapScalar>(
    _ matrix: [Double], _ n: Int, _ method: Method, _ budget: Int, seed: Int,
    as type: Scalar.Type
  ) throws {
    let entries = matrix.map { Scalar($0) }
    let truth = try SymmetricEigensystem(
      columnMajor: entries.map { Double($0) }, dimension: n, withVectors: false
    ).values
    var options = SmallestEigenpairs<Scalar>.Options()
    options.method = SmallestEigenpairs<Scalar>.Method(rawValue: method.rawValue)!
    options.count = min(n, 1 + seed)
    options.maxApplications = budget
    options.seed = UInt64(seed)
    options.tolerance = Scalar.self == Double.self ? 1e-8 : 1e-4
    let found = try SmallestEigenpairs(
      of: DenseSymmetricMap(columnMajor: entries, dimension: n), options: options)
    let slack = Double(n) * Double(Scalar.ulpOfOne) * found.scale
    let label: Comment = "n \(n) \(method) \(budget) \(type) \(found.convergence)"
    for pair in found.pairs {
      #expect(truth.map { abs($0 - pair.value) }.min()! <= pair.residual + slack, label)
      #expect(abs(Scalar.nrm2(n, pair.vector) - 1) < 100 * Double(Scalar.ulpOfOne), label)
    }
    #expect(found.convergence.operatorApplications <= budget, label)
    #expect(found.lowerBound! <= truth[0] + slack, label)
    if found.convergence.isConverged {
      #expect(found.pairs.allSatisfy { $0.residual <= options.tolerance * found.scale }, label)
    }
    if budget == 400 && n <= 20 {
      #expect(found.convergence.reason != .budget, label)
    }
  }

  @Test func ruleFollowsTheSpectrum() throws {
    let n = 1500
    // The basis ends early; the top is flattened by what Lanczos has seen of it.
    var options = options(.automatic, tolerance: 1e-9)
    options.basisColumns = 80
    func map(_ value: (Double) -> Double) -> DiagonalMap<Double> {
      DiagonalMap((0..<n).map { value(Double($0)) })
    }
    let decaying = try SmallestEigenpairs(
      of: map { $0 < 40 ? 1e4 * (1 + $0) : 1 + $0 / 200 }, options: options)
    #expect(decaying.method == .shiftInvert, "\(decaying.choice)")
    #expect(decaying.choice.contains("top Ritz pairs"))
    #expect(decaying.convergence.isConverged && abs(decaying.pairs[0].value - 1.2) < 1e-6)
    let flat = try SmallestEigenpairs(
      of: map { 1 + $0 / 1500 }, options: options)
    #expect(flat.method == .chebyshevFilter, "\(flat.choice)")
    #expect(flat.convergence.isConverged && abs(flat.pairs[0].value - 1) < 1e-9)
    options.basisColumns = nil
    let outlier = try SmallestEigenpairs(
      of: map { $0 == 7 ? -1 : $0 / 1500 }, options: options)
    #expect(outlier.method == .lanczos && outlier.convergence.operatorApplications < 60)
    // Where four fifths are zero, one start cannot show three zeros.
    options.count = 3
    let gaps = try SmallestEigenpairs(
      of: map { $0 < 300 ? 1 + $0 / 300 : 1e-12 * $0 },
      options: options)
    #expect(gaps.choice.contains("one start"), "\(gaps.choice)")
    #expect(gaps.pairs.allSatisfy { abs($0.value) < 1e-8 })
  }

  @Test func shiftsAndStartsAreUsed() throws {
    let n = 200
    let map = DiagonalMap((0..<n).map { Double($0) - 3.5 })
    var options = options(.shiftInvert)
    for shift in [-10, -3.6, 1.2] {
      options.shift = shift
      let found = try SmallestEigenpairs(of: map, options: options)
      #expect(found.convergence.isConverged, "\(shift) \(found.convergence)")
      #expect(abs(found.pairs[0].value + 3.5) < 1e-6)
    }
    options.shift = nil
    let cold = try SmallestEigenpairs(of: map, options: options)
    options.start = [(0..<n).map { $0 == 0 ? 1 : 1e-6 }]
    for method in Self.methods {
      options.method = method
      let warm = try SmallestEigenpairs(of: map, options: options)
      #expect(abs(warm.pairs[0].value + 3.5) < 1e-6)
      #expect((warm.lowerBound == nil) == (method == .lanczos))
      if method == .shiftInvert {
        #expect(
          warm.convergence.operatorApplications < cold.convergence.operatorApplications)
      }
    }
  }

  @Test(arguments: methods)
  func edges(_ method: Method) throws {
    let one = try SmallestEigenpairs(of: DiagonalMap([-3.0]), options: options(method))
    #expect(one.pairs[0].value == -3 && one.convergence.isConverged)
    let zero = try SmallestEigenpairs(
      of: DiagonalMap([Double](repeating: 0, count: 50)), options: options(method, count: 2))
    #expect(zero.pairs.map(\.value) == [0, 0] && zero.convergence.isConverged)
    #expect(throws: LinearMapError.tooManyEigenpairs(requested: 4, dimension: 3)) {
      try SmallestEigenpairs(of: DiagonalMap([1.0, 2, 3]), options: options(method, count: 4))
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 2)) {
      try SmallestEigenpairs(of: DiagonalMap([1.0, 2, .nan]), options: options(method))
    }
    #expect(throws: CancellationError.self) {
      try SmallestEigenpairs(
        of: ClosureMap<Double>(dimension: 5) { _, _ in throw CancellationError() },
        options: options(method))
    }
    var small = options(method)
    small.maxApplications = 60
    let spent = try SmallestEigenpairs(
      of: DiagonalMap((0..<3000).map { Double($0 * $0) }), options: small)
    #expect(spent.convergence.reason == .budget)
    #expect(spent.convergence.operatorApplications <= 60)
    let count = spent.convergence.operatorApplications
    #expect(spent.convergence.advice.contains("\(count) products"), "\(spent.convergence)")
    var single = SmallestEigenpairs<Float>.Options()
    single.method = .init(rawValue: method.rawValue)!
    single.tolerance = 1e-12
    let stagnated = try SmallestEigenpairs(
      of: DiagonalMap((0..<200).map { Float(1 + $0) }), options: single)
    #expect(stagnated.convergence.reason == .stagnatedAtRounding, "\(stagnated.convergence)")
    #expect(stagnated.convergence.advice.contains("float64"))
    let again = try SmallestEigenpairs(
      of: DiagonalMap((0..<200).map { Float(1 + $0) }), options: single)
    #expect(again.pairs[0].vector == stagnated.pairs[0].vector)
  }
}
