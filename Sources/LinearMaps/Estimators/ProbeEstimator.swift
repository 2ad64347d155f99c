import Presentation

/// A computation from random probes that can always take more of them, or give the exact answer.
protocol ProbeEstimator {
  /// The most products that one probe costs.
  var applicationsPerProbe: Int { get }
  /// The products of the exact answer; nil where it is out of reach.
  var exactApplications: Int? { get }
  var probes: Int { get }
  var meter: ProductMeter { get set }

  mutating func add(probes count: Int) throws
  mutating func solveExactly() throws
  /// The present estimate, from at least two probes or exact.
  func state() throws -> EstimatorState
}

/// What a `ProbeEstimator` has reached.
struct EstimatorState {
  let estimate: EstimatedValue
  /// What the tolerance is multiplied with.
  let scale: Double
  /// Error that no further probe removes.
  var floor = 0.0
  /// Why the floor is there, and what to do about it.
  var floorReason = Convergence.Reason.stagnatedAtRounding
  var floorAdvice = "this precision gives no more"
  /// A discovery that makes the estimate meaningless.
  var finding: (reason: Convergence.Reason, advice: String)?
}

extension ProbeEstimator {
  /// Doubles the probes until the stopping rule of `EstimatorOptions` is met.
  mutating func run(_ options: EstimatorOptions) throws -> (EstimatorState, Convergence) {
    precondition(options.tolerance >= 0, "a tolerance is not negative")
    precondition(options.minProbes >= 4, "fewer than 4 probes have no standard error to trust")
    precondition(options.maxApplications >= 8, "at least 8 products must be allowed")
    let budget = options.maxApplications
    let exact = exactApplications.flatMap { $0 <= budget ? $0 : nil }
    var timesMet = 0
    var timesAtFloor = 0
    while true {
      var added = max(options.minProbes, 2 * probes) - probes
      let next = meter.applications + added * applicationsPerProbe
      if let exact, next >= exact || next + exact > budget {
        try solveExactly()
        let state = try state()
        let ending =
          state.finding ?? (.invariantSubspace, "the value is exact up to rounding; nothing to do")
        return (state, end(ending.reason, ending.advice))
      }
      added = min(added, (budget - meter.applications) / applicationsPerProbe)
      if added > 0 { try add(probes: added) }
      let state = try state()
      meter.latest = state.estimate
      if let finding = state.finding { return (state, end(finding.reason, finding.advice)) }
      let error = state.estimate.standardError
      let target = options.tolerance * state.scale
      let reached = "the standard error is \(Wording.short(error))"
      if added > 0, probes >= options.minProbes {
        timesMet = error + state.floor <= target ? timesMet + 1 : 0
        timesAtFloor = error <= state.floor ? timesAtFloor + 1 : 0
      }
      if timesMet >= 2 {
        return (state, end(.converged, "\(reached), as asked; a smaller tolerance gives more"))
      }
      if timesAtFloor >= 2 {
        let floor = "\(reached), below what else limits the result (\(Wording.short(state.floor)))"
        return (state, end(state.floorReason, "\(floor); \(state.floorAdvice)"))
      }
      if (budget - meter.applications) / applicationsPerProbe < 1 {
        let wanted = target > 0 ? ", above the \(Wording.short(target)) asked for" : ""
        return (
          state,
          end(
            .budget,
            "\(reached) after \(meter.applications) products\(wanted); more of them would lower it")
        )
      }
    }
  }

  private func end(_ reason: Convergence.Reason, _ advice: String) -> Convergence {
    Convergence(reason: reason, operatorApplications: meter.applications, advice: advice)
  }
}

/// Counts the products of an estimate, takes them in blocks, and tells who listens.
struct ProductMeter {
  static let blockColumns = 8

  private(set) var applications = 0
  var latest: EstimatedValue?
  private let maxApplications: Int
  private let onProgress: (@Sendable (EstimatorProgress) -> Void)?

  init(_ options: EstimatorOptions) {
    maxApplications = options.maxApplications
    onProgress = options.onProgress
  }

  mutating func count(_ products: Int) {
    applications += products
    onProgress?(
      EstimatorProgress(
        operatorApplications: applications, maxApplications: maxApplications, latest: latest))
  }

  /// `A X` for a column-major block. Throws what the map throws, and `nonFiniteProduct`.
  mutating func products<Map: LinearMap>(
    of map: Map, with x: [Map.Scalar]
  ) throws -> [Map.Scalar] {
    let n = map.dimension
    var y = [Map.Scalar](repeating: 0, count: x.count)
    for start in stride(from: 0, to: x.count / n, by: Self.blockColumns) {
      let columns = min(Self.blockColumns, x.count / n - start)
      try y.withUnsafeMutableBufferPointer { y in
        try x.withUnsafeBufferPointer { x in
          let target = y.baseAddress! + start * n
          try map.apply(columns: columns, x.baseAddress! + start * n, into: target)
          if let index = Map.Scalar.firstNonFinite(columns * n, target) {
            throw LinearMapError.nonFiniteProduct(
              application: applications + index / n + 1, index: index % n)
          }
        }
      }
      count(columns)
    }
    return y
  }

  /// The columns `A e_j` one after the other, from `n` products.
  mutating func forEachColumn<Map: LinearMap>(
    of map: Map, _ body: (_ index: Int, _ column: UnsafePointer<Map.Scalar>) -> Void
  ) throws {
    let n = map.dimension
    for start in stride(from: 0, to: n, by: Self.blockColumns) {
      let columns = min(Self.blockColumns, n - start)
      var units = [Map.Scalar](repeating: 0, count: columns * n)
      for column in 0..<columns { units[column * n + start + column] = 1 }
      let block = try products(of: map, with: units)
      block.withUnsafeBufferPointer {
        for column in 0..<columns { body(start + column, $0.baseAddress! + column * n) }
      }
    }
  }
}

extension SeededGenerator {
  /// Column-major probes, `n` numbers each.
  ///
  /// Specialised by hand: called from generic code, its loops would pay for every number otherwise.
  @_specialize(where Scalar == Double)
  @_specialize(where Scalar == Float)
  mutating func probes<Scalar: LinearMapScalar>(
    _ count: Int, dimension n: Int, _ distribution: ProbeDistribution
  ) -> [Scalar] {
    var block: [Scalar] = []
    block.reserveCapacity(n * count)
    for _ in 0..<count {
      switch distribution {
      case .rademacher: block += rademacher(n, as: Scalar.self)
      case .gaussian: block += (0..<n).map { _ in Scalar(nextNormal()) }
      case .sphere:
        let radius = Scalar(Double(n).squareRoot())
        block += unitSphere(n, as: Scalar.self).map { radius * $0 }
      }
    }
    return block
  }
}
