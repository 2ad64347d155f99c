import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Curvature

@Suite struct SamplingErrorTests {
  @Test func studentQuantiles() {
    // Abramowitz and Stegun, table 26.10.
    let known: [(Double, Int, Double)] = [
      (0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 4, 2.776), (0.975, 9, 2.262),
      (0.95, 5, 2.015), (0.995, 10, 3.169), (0.975, 120, 1.980), (0.5, 3, 0),
    ]
    for (probability, freedom, t) in known {
      #expect(abs(studentQuantile(probability, freedom: freedom) - t) < 6e-4)
    }
  }

  /// The jackknife of a mean is the mean with the textbook standard error; that of a variance with `1/n`
  /// is the one with `1/(n - 1)`.
  @Test func jackknifeOfKnownStatistics() {
    let x = [1.0, 4, 2, 8, 5, 7]
    let mean = x.reduce(0, +) / 6
    let squares = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let ones = [Int](repeating: 1, count: 6)
    let error = SamplingError.mean(of: x, sizes: ones)
    #expect(abs(error.value - mean) < 1e-14 && abs(error.corrected - mean) < 1e-13)
    #expect(abs(error.standardError - (squares / 5 / 6).squareRoot()) < 1e-13)
    #expect(error.warning?.contains("wider") == true)
    func variance(_ x: [Double]) -> Double {
      let mean = x.reduce(0, +) / Double(x.count)
      return x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
    }
    let spread = SamplingError.jackknife(
      value: variance(x),
      without: x.indices.map { i in variance(x.indices.filter { $0 != i }.map { x[$0] }) },
      sizes: ones)
    #expect(abs(spread.corrected - squares / 5) < 1e-12)
  }

  @Test func warnings() {
    func of(_ values: [Double]) -> String? {
      SamplingError.mean(of: values, sizes: values.map { _ in 10 }).warning
    }
    #expect(of([1, 1.1, 0.9, 1])?.contains("too few") == true)
    #expect(of([1, 1.1, 0.9, 1, 1.05]) == nil)
    #expect(of([1, 5, -3, 2, 0])?.contains("more than these 50 samples") == true)
    let biased = SamplingError.jackknife(
      value: 2, without: [2.08, 2.08, 2.08, 2.08, 2.08, 2.08], sizes: [Int](repeating: 5, count: 6))
    #expect(abs(biased.corrected - 1.6) < 1e-12)
    #expect(biased.warning == nil)
    let worse = SamplingError.jackknife(
      value: 2, without: [2.2, 2.2, 2.2, 2.2, 2.2, 2.2], sizes: [Int](repeating: 5, count: 6))
    #expect(worse.warning?.contains("sample's size") == true)
  }

  /// Least squares on normal features of covariance `diag(population)`: maps of the groups' Hessians.
  func groups(
    _ population: [Double], count: Int, size: Int, _ generator: inout SeededGenerator
  ) -> [DenseSymmetricMap<Double>] {
    let d = population.count
    return (0..<count).map { _ in
      var h = [Double](repeating: 0, count: d * d)
      for _ in 0..<size {
        addOuter(
          population.map { $0.squareRoot() * generator.nextNormal() }, 1 / Double(size), &h)
      }
      return DenseSymmetricMap(columnMajor: h, dimension: d)
    }
  }

  struct Ensemble: Sendable, CustomTestStringConvertible {
    var name: String
    var population: [Double]
    var size: Int
    /// Of 200 runs, in how many the population's eigenvalue lies in the bracket, and in Student's
    /// interval around the jackknife's correction, as measured with this seed.
    var bracketed: Int
    var corrected: Int
    var testDescription: String { name }
  }

  static let ensembles = [
    Ensemble(
      name: "separated", population: [8, 2, 1, 1, 0.5], size: 20, bracketed: 195, corrected: 192),
    Ensemble(
      name: "identity", population: .init(repeating: 1, count: 10), size: 10, bracketed: 199,
      corrected: 147),
    Ensemble(
      name: "close pair", population: [1, 0.95, 0.2, 0.2], size: 20, bracketed: 200,
      corrected: 188),
  ]

  /// The bracket covers the population's largest eigenvalue at its nominal 95 % (to sampling error of 200
  /// runs) also where eigenvalues crowd; the jackknife's correction does only where one stands apart.
  @Test(arguments: ensembles)
  func bracketCoversThePopulation(_ ensemble: Ensemble) throws {
    var generator = SeededGenerator(seed: 77)
    let (runs, count) = (200, 8)
    let sizes = [Int](repeating: ensemble.size, count: count)
    let truth = ensemble.population.max()!
    var options = TopEigenpairs<Double>.Options()
    options.tolerance = 1e-5
    var (bracketed, corrected, excess) = (0, 0, 0.0)
    for _ in 0..<runs {
      let maps = groups(ensemble.population, count: count, size: ensemble.size, &generator)
      let error = try SamplingError.eigenvalue(of: maps, sizes: sizes, options: options)
      bracketed += error.lower <= truth && truth <= error.upper ? 1 : 0
      let reach = studentQuantile(0.975, freedom: count - 1) * error.standardError
      corrected += abs(error.corrected - truth) <= reach ? 1 : 0
      excess += (error.value / truth - 1) / Double(runs)
    }
    // A sample's own largest eigenvalue is too large on average.
    #expect(excess > 0)
    #expect(bracketed >= 186)
    #expect(abs(bracketed - ensemble.bracketed) <= 3)
    #expect(abs(corrected - ensemble.corrected) <= 3)
  }

  /// The smallest eigenvalue is mirrored, and a spread along a fixed vector costs one product per group.
  @Test func otherEndAndSpread() throws {
    var generator = SeededGenerator(seed: 3)
    let maps = groups([4, 2, 1], count: 10, size: 40, &generator)
    let sizes = [Int](repeating: 40, count: 10)
    let smallest = try SamplingError.eigenvalue(.smallest, of: maps, sizes: sizes)
    #expect(smallest.lower < 1 && 1 < smallest.upper)
    #expect(smallest.value < smallest.upper)
    let spread = try SamplingError.eigenvalue(of: maps, sizes: sizes, method: .spread)
    let bracket = try SamplingError.eigenvalue(of: maps, sizes: sizes)
    #expect(abs(spread.value - bracket.value) < 1e-9 && abs(spread.bias) < 1e-9)
    #expect(spread.groupApplications < bracket.groupApplications)
    #expect(abs(spread.standardError / bracket.standardError - 1) < 0.2)
    let trace = try SamplingError.statistic(of: maps, sizes: sizes) {
      try exactDiagonal(of: $0).reduce(0, +)
    }
    let means = SamplingError.mean(
      of: try maps.map { try exactDiagonal(of: $0).reduce(0, +) }, sizes: sizes)
    #expect(abs(trace.value - means.value) < 1e-12)
    #expect(abs(trace.standardError - means.standardError) < 1e-12)
    #expect(trace.lower < 7 && 7 < trace.upper && trace.warning == nil)
  }

  /// Groups of an objective's samples: disjoint, all of them, and their mean the whole matrix.
  @Test(arguments: [Int?.none, 2])
  func groupsOfAnObjective(_ batch: Int?) throws {
    let network = SmallNetwork(.crossEntropy)
    let objective = try Objective<Double>(
      network.definition, data: network.data, executor: ReferenceExecutor(),
      memoryBudget: batch == nil ? 2 << 30 : 3_000)
    #expect(batch == nil ? objective.batchSize == 13 : objective.batchSize < 4)
    let parts = try objective.sampleGroups(.hessian, at: network.point, count: 4, seed: 9)
    #expect(parts.sizes == [4, 4, 4, 1] || batch != nil)
    #expect(parts.sizes.reduce(0, +) == 13)
    let mean = WeightedSumMap(parts.maps, weights: parts.sizes.map { Double($0) / 13 })
    let whole = try network.objective().hessian(at: network.point)
    #expect(relativeDistance(try columns(mean), try columns(whole)) < 1e-13)
    let error = try SamplingError.eigenvalue(of: parts.maps, sizes: parts.sizes)
    #expect(error.lower < error.value && error.value < error.upper)
    #expect(error.warning != nil && error.tailIndex == nil && error.unseen == nil)
    // Sample by sample, the curvatures along a direction average to that of the whole.
    let direction = network.point.indices.map { Double($0 % 5) - 1.5 }
    let (values, sizes) = try parts.curvatures(along: direction)
    #expect(values.count == 13 && sizes == [Int](repeating: 1, count: 13))
    let squared = direction.reduce(0) { $0 + $1 * $1 }
    let quotient = zip(direction, try whole(direction)).reduce(0) { $0 + $1.0 * $1.1 } / squared
    #expect(abs(values.reduce(0, +) / 13 - quotient) < 1e-12 * abs(quotient))
    let tailed = try SamplingError.eigenvalue(of: parts)
    #expect(abs(tailed.lower - error.lower) < 1e-9 * error.value)
    #expect(abs(tailed.upper - error.upper - tailed.unseen!) < 1e-9 * error.value)
    #expect(tailed.groupApplications == error.groupApplications + 4)
  }
}
