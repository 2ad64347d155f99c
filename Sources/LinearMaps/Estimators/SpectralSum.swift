/// `tr f(A) = sum_i f(lambda_i)` by stochastic Lanczos quadrature: the engine of the log-determinant
/// and of the numerical rank.
///
/// Each probe's quadrature `omega'f(A) omega` grows until two changes in succession (each over at
/// least a third more steps) are small beside the tolerance; the mean of the last changes is kept as
/// the error of the quadrature.
///
/// Reference: Ubaru, Chen and Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature"
/// (2017).
struct SpectralSum<Map: LinearMap>: ProbeEstimator {
  /// Above this dimension a dense matrix is no way out.
  static var largestDense: Int { 2048 }

  let map: Map
  let options: EstimatorOptions
  let maxSteps: Int
  /// `f(lambda)`, given the largest `|lambda|` seen; nil outside its domain.
  let function: (_ lambda: Double, _ largest: Double) -> Double?
  /// What to report where `f` is not defined, at this eigenvalue or Ritz value.
  let finding: (_ lambda: Double, _ largest: Double) -> (Convergence.Reason, String)
  var meter: ProductMeter
  /// Each probe's last rule and the one before it (nil where the last is exact).
  private var rules: [(last: SpectralMeasure, previous: SpectralMeasure?)] = []
  private var exact: [Double]?
  private var generator: SeededGenerator
  /// The largest `|lambda|` seen.
  private(set) var largest = 0.0
  /// The smallest eigenvalue or Ritz value seen.
  private(set) var smallest = Double.infinity

  init(
    _ map: Map, maxSteps: Int, options: EstimatorOptions,
    function: @escaping (_ lambda: Double, _ largest: Double) -> Double?,
    finding: @escaping (_ lambda: Double, _ largest: Double) -> (Convergence.Reason, String)
  ) {
    precondition(maxSteps >= 2, "a quadrature needs at least 2 steps")
    self.map = map
    self.options = options
    self.maxSteps = max(
      2, min(maxSteps, map.dimension, options.maxApplications / max(4, options.minProbes)))
    self.function = function
    self.finding = finding
    meter = ProductMeter(options)
    generator = SeededGenerator(seed: options.seed)
  }

  var applicationsPerProbe: Int { min(maxSteps, map.dimension) }
  var exactApplications: Int? { map.dimension <= Self.largestDense ? map.dimension : nil }
  var probes: Int { rules.count }

  mutating func add(probes count: Int) throws {
    for _ in 0..<count where smallestIsInside {
      let probe: [Map.Scalar] = generator.probes(1, dimension: map.dimension, options.probes)
      try add(probe)
    }
  }

  private var smallestIsInside: Bool { smallest == .infinity || function(smallest, largest) != nil }

  private mutating func add(_ probe: [Map.Scalar]) throws {
    let norm = Map.Scalar.nrm2(probe.count, probe)
    let lanczos = try LanczosFactorization(start: probe)
    var previous: SpectralMeasure?
    var wasSmall = false
    var nextCheck = max(1, min(8, applicationsPerProbe / 2))
    while true {
      do {
        try lanczos.extend(by: map)
      } catch LinearMapError.nonFiniteProduct(_, let index) {
        throw LinearMapError.nonFiniteProduct(application: meter.applications + 1, index: index)
      }
      meter.count(1)
      let isLast = lanczos.isInvariant || lanczos.count == applicationsPerProbe
      guard isLast || lanczos.count >= nextCheck else { continue }
      nextCheck = lanczos.count + max(4, lanczos.count / 3)
      let rule = try SpectralMeasure(lanczos, squaredNorm: norm * norm)
      largest = max(largest, abs(rule.nodes[0]), abs(rule.nodes[rule.nodes.count - 1]))
      smallest = min(smallest, rule.nodes[0])
      guard smallestIsInside else { return }
      let sum = integral(rule)
      let change = previous.map { abs(sum - integral($0)) } ?? .infinity
      let isSmall = change <= 0.25 * options.tolerance * scale(rule, sum)
      if isLast || (isSmall && wasSmall) {
        rules.append((rule, lanczos.isInvariant ? nil : previous))
        return
      }
      wasSmall = isSmall
      previous = rule
    }
  }

  mutating func solveExactly() throws {
    let dense = try assembleDense(map, blockColumns: ProductMeter.blockColumns)
    meter.count(dense.operatorApplications)
    let system = try SymmetricEigensystem(
      columnMajor: dense.columns, dimension: dense.dimension, withVectors: false)
    exact = system.values
    smallest = system.values[0]
    largest = max(abs(smallest), abs(system.values[dense.dimension - 1]))
  }

  /// The error of the quadrature; 0 where exact.
  var quadratureError: Double {
    guard exact == nil, !rules.isEmpty else { return 0 }
    let changes = rules.map { rule in
      rule.previous.map { abs(integral(rule.last) - integral($0)) } ?? 0
    }
    return changes.reduce(0, +) / Double(changes.count)
  }

  func state() throws -> EstimatorState {
    guard smallestIsInside else {
      return EstimatorState(
        estimate: EstimatedValue(value: 0, standardError: 0), scale: 0,
        finding: finding(smallest, largest))
    }
    if let exact {
      let sum = exact.reduce(0) { $0 + (function($1, largest) ?? 0) }
      return EstimatorState(estimate: EstimatedValue(value: sum, standardError: 0), scale: abs(sum))
    }
    let sums = rules.map { integral($0.last) }
    let estimate = EstimatedValue(samples: sums)
    let scales = zip(rules, sums).map { scale($0.last, $1) }
    return EstimatorState(
      estimate: estimate,
      scale: options.toleranceScale == .value
        ? abs(estimate.value) : scales.reduce(0, +) / Double(scales.count),
      floor: quadratureError, floorReason: .budget,
      floorAdvice: "more Lanczos steps per probe would lower it")
  }

  private func integral(_ rule: SpectralMeasure) -> Double {
    rule.integrate { function($0, largest) ?? 0 }
  }

  /// What the tolerance is relative to, as one probe sees it.
  private func scale(_ rule: SpectralMeasure, _ sum: Double) -> Double {
    guard options.toleranceScale == .frobenius else { return abs(sum) }
    return rule.integrate {
      let value = function($0, largest) ?? 0
      return value * value
    }.squareRoot()
  }
}
