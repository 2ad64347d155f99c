import Foundation
import RandomSpectra
import Synchronization
import Testing

@testable import LinearMaps

@Suite struct BlockLanczosTests {
  @Test(arguments: [0..<125, 125..<250, 250..<375, 375..<500])
  func randomSpectraBreakNoPromise(_ indices: Range<Int>) throws {
    var converged = 0
    for index in indices {
      let audit = try SpectrumAudit(index: index, largest: 90)
      #expect(audit.violations.isEmpty, "\(audit.label): \(audit.violations)")
      converged += audit.isConverged ? 1 : 0
    }
    #expect(converged > 60)
  }

  struct Known: Sendable, CustomTestStringConvertible {
    let name: String
    let dimension: Int
    let matrix: [Double]
    /// Exact values, outermost first.
    let largest: [Double]
    let smallest: [Double]
    var blockSize = 1
    var columns: Int?
    var accuracy = 1e-11
    var testDescription: String { "\(name), block \(blockSize), columns \(columns ?? 0)" }
  }

  static func chain(_ n: Int, _ k: Int) -> Double {
    4 * pow(sin(Double(k) * .pi / Double(2 * (n + 1))), 2)
  }

  /// The five-point Laplacian on a square, whose eigenvalues are sums of two of the chain's: most
  /// of them double.
  static func grid(_ side: Int) -> [Double] {
    let n = side * side
    let line = TestMatrices.laplacian(side)
    return (0..<n * n).map { index in
      let (row, column) = (index % n, index / n)
      let (i, j, k, l) = (row / side, row % side, column / side, column % side)
      return (i == k ? line[j * side + l] : 0) + (j == l ? line[i * side + k] : 0)
    }
  }

  static let known: [Known] = {
    let ends = { (side: Int, pairs: [(Int, Int)]) in
      pairs.map { chain(side, $0.0) + chain(side, $0.1) }
    }
    let square = 12
    let high = ends(square, [(12, 12), (12, 11), (11, 12), (11, 11)])
    let low = ends(square, [(1, 1), (1, 2), (2, 1), (2, 2)])
    var rows: [Known] = []
    for (blockSize, columns) in [(1, 24), (2, 30), (3, nil)] as [(Int, Int?)] {
      rows.append(
        Known(
          name: "chain", dimension: 100, matrix: TestMatrices.laplacian(100),
          largest: [100, 99, 98].map { chain(100, $0) },
          smallest: [1, 2, 3].map { chain(100, $0) },
          blockSize: blockSize, columns: columns))
      rows.append(
        Known(
          name: "square", dimension: square * square, matrix: grid(square), largest: high,
          smallest: low, blockSize: max(2, blockSize), columns: columns.map { $0 + 12 }))
      rows.append(
        Known(
          name: "Hilbert 5", dimension: 5, matrix: TestMatrices.hilbert(5),
          largest: [1.5670506910982308], smallest: [3.28792877217186296e-6], blockSize: blockSize,
          columns: columns, accuracy: 1e-14))
      rows.append(
        Known(
          name: "Hilbert 10", dimension: 10, matrix: TestMatrices.hilbert(10),
          largest: [1.75191967026517752], smallest: [1.09315381937966576e-13],
          blockSize: blockSize, columns: columns, accuracy: 1e-14))
    }
    return rows
  }()

  @Test(arguments: known)
  func knownSpectra(_ known: Known) throws {
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    options.count = known.largest.count
    options.blockSize = known.blockSize
    options.maxBasisColumns = known.columns
    options.tolerance = 1e-12
    options.maxApplications = 5000
    let map = DenseSymmetricMap(columnMajor: known.matrix, dimension: known.dimension)
    let top = try TopEigenpairs(of: map, options: options)
    #expect(top.convergence.isConverged, "\(top.convergence)")
    for (pair, exact) in zip(top.largest + top.smallest, known.largest + known.smallest) {
      #expect(abs(pair.value - exact) <= known.accuracy)
      #expect(pair.reason == .converged)
      #expect(try pair.measuredResidual(of: map) <= pair.residual)
    }
    #expect(top.upperBound! >= known.largest[0] && top.lowerBound! <= known.smallest[0])
  }

  @Test func marchenkoPasturEdges() throws {
    let n = 200
    var generator = SeededGenerator(seed: 5)
    let a = TestMatrices.wishart(n, samples: 4 * n, &generator)
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    options.maxBasisColumns = 24
    options.maxApplications = 1000
    let top = try TopEigenpairs(
      of: DenseSymmetricMap(columnMajor: a, dimension: n), options: options)
    #expect(top.convergence.isConverged, "\(top.convergence)")
    #expect(abs(top.largest[0].value - 2.25) < 0.1)
    #expect(abs(top.smallest[0].value - 0.25) < 0.05)
  }

  /// The addresses that the map is handed show how many columns there are.
  @Test(arguments: [1, 2, 4], [20, 33])
  func memoryStaysFixed(_ blockSize: Int, _ columns: Int) throws {
    let n = 400
    let values: [Double] = (0..<n).map { index in
      let place = 2 * Double(index) / Double(n - 1) - 1
      return place + 0.3 * pow(place, 9)
    }
    var addresses: Set<UInt> = []
    var products = 0
    let map = ClosureMap<Double>(dimension: n) { x, y in
      addresses.formUnion([UInt(bitPattern: x), UInt(bitPattern: y)])
      products += 1
      for i in 0..<n { y[i] = values[i] * x[i] }
    }
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    options.count = 2
    options.blockSize = blockSize
    options.maxApplications = 4000
    let free = try TopEigenpairs(of: map, options: options)
    addresses = []
    products = 0
    options.maxBasisColumns = columns
    let fixed = try TopEigenpairs(of: map, options: options)
    #expect(addresses.count <= max(columns, 6 + 4 * blockSize))
    #expect(products > columns && products == fixed.convergence.operatorApplications)
    #expect(fixed.convergence.isConverged && free.convergence.isConverged)
    for (a, b) in zip(fixed.largest + fixed.smallest, free.largest + free.smallest) {
      #expect(abs(a.value - b.value) <= a.residual + b.residual)
    }
    #expect(fixed.upperBound! >= values.max()! && fixed.lowerBound! <= values.min()!)
    #expect(fixed.upperBound! - values.max()! <= 1.1e-3)
  }

  @Test func warmStartsCostFewProductsAndKeepTheirBound() throws {
    let n = 500
    let values: [Double] = (0..<n).map { index in
      index < 5 ? 10 - Double(index) : 1 / Double(index)
    }
    var options = TopEigenpairs<Double>.Options()
    options.count = 3
    let cold = try TopEigenpairs(of: DiagonalMap(values), options: options)
    options.startVectors = cold.largest.map(\.vector)
    options.boundTolerance = nil
    let again = try TopEigenpairs(of: DiagonalMap(values), options: options)
    #expect(again.convergence.isConverged && again.convergence.operatorApplications == 4)
    options.boundTolerance = 1e-3
    let bounded = try TopEigenpairs(of: DiagonalMap(values), options: options)
    #expect(bounded.upperBound! >= 10 && bounded.upperBound! < 10.01)
    #expect(bounded.convergence.operatorApplications <= 16)
    // An eigenvector that hides the top does not fool the bound.
    options.count = 1
    options.startVectors = [(0..<n).map { $0 == 3 ? 1 : 0 }]
    let trapped = try TopEigenpairs(of: DiagonalMap(values), options: options)
    #expect(abs(trapped.largest[0].value - 10) < 1e-5 && trapped.upperBound! >= 10)
    // Copies of one start count once.
    options.startVectors = Array(repeating: cold.largest[0].vector, count: 3)
    let repeated = try TopEigenpairs(of: DiagonalMap(values), options: options)
    #expect(abs(repeated.largest[0].value - 10) < 1e-5 && repeated.upperBound! >= 10)
  }

  /// Every column of a block makes a short projection less likely, exactly as its law says.
  @Test(arguments: [(10, 2), (40, 3), (300, 4), (3, 2), (4, 3)])
  func deltaOfABlock(_ n: Int, _ columns: Int) {
    let epsilon = 0.05
    let delta = ProbabilisticBound.delta(
      dimension: n, columns: columns, failureProbability: epsilon)
    var generator = SeededGenerator(seed: UInt64(n))
    let runs = 20_000
    let short = (0..<runs).count { _ in
      let u = generator.unitSphere(n, as: Double.self)
      return Double.nrm2(columns, u) <= delta
    }
    let rate = Double(short) / Double(runs)
    #expect(rate < epsilon + 0.005, "\(rate)")
    #expect(rate > (columns == n - 1 ? 0 : 0.3 * epsilon), "\(rate)")
    #expect(ProbabilisticBound.delta(dimension: 3, columns: 3, failureProbability: 0.1) == 1)
  }

  /// At epsilon = 0.2 the bound of a block, restarted or not, fails in at most that share of runs.
  @Test(arguments: [1, 3])
  func failureProbabilityOfBlocks(_ blockSize: Int) throws {
    let runs = 120
    let n = 60
    let values: [Double] = (0..<n).map { index in
      index == n - 1 ? 1 : 0.9 * Double(index) / Double(n)
    }
    let map = DiagonalMap(values)
    for products in [2, 16] {
      var options = TopEigenpairs<Double>.Options()
      options.failureProbability = 0.2
      options.blockSize = blockSize
      options.maxBasisColumns = 7
      options.maxApplications = products * blockSize
      options.tolerance = 1e-12
      let failures = try (0..<runs).count { seed in
        options.seed = UInt64(seed)
        return try TopEigenpairs(of: map, options: options).upperBound! < 1 - 1e-14
      }
      #expect(Double(failures) / Double(runs) < 0.2 + 3 * (0.16 / Double(runs)).squareRoot())
    }
  }

  @Test func asymmetryIsAnError() throws {
    let n = 30
    var generator = SeededGenerator(seed: 3)
    var a = TestMatrices.wigner(n, &generator)
    for blockSize in [1, 3] {
      a[n - 1] += 0.5
      var options = TopEigenpairs<Double>.Options()
      options.blockSize = blockSize
      let error = #expect(throws: LinearMapError.self) {
        try TopEigenpairs(of: DenseSymmetricMap(columnMajor: a, dimension: n), options: options)
      }
      guard case .notSymmetric(let asymmetry) = error else {
        Issue.record("\(error as Any)")
        continue
      }
      #expect(asymmetry > 1e-4 && asymmetry < 1)
      #expect("\(error!)".contains("not symmetric"))
    }
    // A rotation by a quarter turn shows with its second product.
    let turn = ClosureMap<Float>(dimension: 2) { x, y in (y[0], y[1]) = (x[1], -x[0]) }
    let error = #expect(throws: LinearMapError.self) { try TopEigenpairs(of: turn) }
    #expect(error?.description.hasPrefix("the linear map is not symmetric") == true)
  }

  @Test(arguments: [1, 2, 5])
  func smallestCases(_ blockSize: Int) throws {
    var options = TopEigenpairs<Double>.Options()
    options.end = .both
    options.blockSize = blockSize
    options.maxBasisColumns = 3
    let one = try TopEigenpairs(of: DiagonalMap([-3.0]), options: options)
    #expect(one.largest[0].value == -3 && one.upperBound! >= -3 && one.convergence.isConverged)
    options.count = 5
    let zero = try TopEigenpairs(
      of: DiagonalMap([Double](repeating: 0, count: 60)), options: options)
    #expect(zero.largest.map(\.value) == [0, 0, 0, 0, 0] && zero.convergence.isConverged)
    #expect(zero.upperBound == 0 && zero.lowerBound == 0)
    let same = try TopEigenpairs(
      of: DiagonalMap([Double](repeating: 7, count: 60)), options: options)
    #expect(same.smallest.allSatisfy { abs($0.value - 7) < 1e-13 } && same.convergence.isConverged)
    #expect(throws: LinearMapError.tooManyEigenpairs(requested: 5, dimension: 4)) {
      try TopEigenpairs(of: DiagonalMap([1.0, 2, 3, 4]), options: options)
    }
  }

  @Test func aToleranceOutOfReachIsNamedPerPair() throws {
    let n = 120
    var generator = SeededGenerator(seed: 6)
    let a = TestMatrices.wigner(n, &generator).map { Float($0) }
    var options = TopEigenpairs<Float>.Options()
    options.tolerance = 1e-10
    options.count = 2
    options.blockSize = 2
    options.maxBasisColumns = 30
    options.maxApplications = 3000
    let last = Mutex((products: 0, residual: 1.0, gap: 1.0))
    options.onProgress = { products, residual, gap in
      last.withLock {
        #expect(products > $0.products)
        $0 = (products, residual, gap ?? 1)
      }
    }
    let top = try TopEigenpairs(
      of: DenseSymmetricMap(columnMajor: a, dimension: n), options: options)
    #expect(top.convergence.reason == .stagnatedAtRounding, "\(top.convergence)")
    #expect(top.largest.allSatisfy { $0.reason == .stagnatedAtRounding })
    #expect(top.convergence.advice.contains("use float64"))
    let seen = last.withLock { $0 }
    #expect(seen.products == top.convergence.operatorApplications)
    #expect(seen.residual < 1e-4 && seen.gap < 2e-3)
  }
}
