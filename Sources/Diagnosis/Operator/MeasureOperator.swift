import LinearMaps
import Presentation
import TensorPrograms

/// Measures a symmetric operator that is known by its products alone.
///
///     var request = OperatorRequest(.eigenpairs)
///     request.count = 5
///     let result = try measure(operator, request)
///
/// - Parameter rightSide: the `b` of `A x = b`, for the task `solve`.
/// - Throws: `RequestError`; `LinearMapError` for products that are not finite or not symmetric; what the map
///   throws.
public func measure<Map: LinearMap>(
  _ map: Map, _ request: OperatorRequest, rightSide: [Map.Scalar] = [],
  context: RunContext = RunContext()
) throws -> OperatorResult<Map.Scalar> {
  try request.check()
  let session = OperatorSession(map: map, request: request, context: context)
  switch request.task {
  case .eigenpairs: return try session.eigenpairs()
  case .conditionNumber: return try session.conditionNumber()
  case .density: return try session.density()
  case .trace: return try session.trace()
  case .solve:
    guard rightSide.count == map.dimension else {
      throw RequestError(
        "b", "has \(rightSide.count) numbers, but the operator has \(map.dimension) rows")
    }
    return try session.solve(rightSide)
  }
}

private struct OperatorSession<Map: LinearMap> {
  typealias Scalar = Map.Scalar

  let map: Map
  let request: OperatorRequest
  let context: RunContext

  private var tolerance: Double { request.tolerance ?? (Scalar.self == Float.self ? 1e-4 : 1e-8) }
  private var seed: UInt64 { UInt64(request.seed) }

  /// Vectors that the memory has room for.
  private var basisColumns: Int? {
    let fit = request.memory / (MemoryLayout<Scalar>.stride * max(1, map.dimension))
    return fit >= map.dimension ? nil : max(2 * request.count + 8, fit)
  }

  private func report(_ convergence: Convergence) -> OperatorReport {
    OperatorReport(
      schema: OperatorReport.currentSchema, dimension: map.dimension,
      precision: Scalar.precisionName, convergence: convergence,
      operatorApplications: convergence.operatorApplications, request: request)
  }

  func eigenpairs() throws -> OperatorResult<Scalar> {
    guard request.count <= map.dimension else {
      throw RequestError(
        "count", "is \(request.count), but the operator has \(map.dimension) eigenvalues")
    }
    let progress = context.progress
    var options = TopEigenpairs<Scalar>.Options()
    options.count = request.count
    options.end = TopEigenpairs<Scalar>.End(rawValue: request.which.rawValue)!
    options.tolerance = tolerance
    options.seed = seed
    options.maxApplications = request.maxApplications ?? max(300, 20 * request.count)
    options.maxBasisColumns = basisColumns
    options.onProgress = { products, residual, _ in
      progress(
        RunProgress(
          stage: "eigenvalues: \(products) products, residual \(Wording.number(residual))"))
    }
    let top = try TopEigenpairs<Scalar>(of: map, options: options)
    func pair(_ found: Eigenpair<Scalar>, _ scale: Double, _ rounding: Double) -> SpectrumReport
      .Pair
    {
      .init(
        value: found.value, residual: found.residual,
        isConverged: found.residual <= max(tolerance * scale, rounding))
    }
    var result = OperatorResult<Scalar>(report: report(top.convergence))
    result.report.largest = top.largest.map { pair($0, top.scale, top.rounding) }
    result.report.smallest = top.smallest.map { pair($0, top.scale, top.rounding) }
    result.report.upperBound = top.upperBound
    result.report.lowerBound = top.lowerBound
    result.report.failureProbability = top.failureProbability
    result.report.zeroThreshold = max(
      Double(map.dimension) * Double.ulpOfOne * top.scale, top.rounding)
    var smallest = top.smallest
    // The far end is dense in eigenvalues, and Lanczos slow there: ask the method made for it.
    if request.which != .largest, !result.report.smallest.allSatisfy(\.isConverged) {
      var options = SmallestEigenpairs<Scalar>.Options()
      options.count = request.count
      options.tolerance = tolerance
      options.seed = seed
      options.start = top.smallest.map(\.vector)
      options.basisColumns = basisColumns
      if let most = request.maxApplications {
        options.maxApplications = max(1, most - top.convergence.operatorApplications)
      }
      context.report("smallest eigenvalues")
      let low = try SmallestEigenpairs<Scalar>(of: map, options: options)
      smallest = low.pairs
      result.report.smallest = low.pairs.map { pair($0, low.scale, low.resolution) }
      result.report.lowerBound = [top.lowerBound, low.lowerBound].compactMap { $0 }.max()
      result.report.operatorApplications += low.convergence.operatorApplications
      result.report.convergence = low.convergence
    }
    result.vectors = (top.largest + smallest).map(\.vector)
    return result
  }

  func conditionNumber() throws -> OperatorResult<Scalar> {
    var both = request
    both.which = .both
    both.count = 1
    var result = try OperatorSession(map: map, request: both, context: context).eigenpairs()
    result.report.request = request
    guard let largest = result.report.largest.first, let smallest = result.report.smallest.first
    else { return result }
    let threshold = result.report.zeroThreshold ?? 0
    if smallest.value > threshold { result.report.conditionNumber = largest.value / smallest.value }
    /// What can be said for sure of positive operators: `largest` is a Ritz value, so at most the largest
    /// eigenvalue, and `smallest` at least the smallest.
    let low = smallest.value - smallest.residual
    result.report.conditionNumberInterval = .init(
      lower: smallest.value > threshold ? largest.value / smallest.value : nil,
      upper: result.report.upperBound.flatMap { upper in
        let floor = result.report.lowerBound ?? low
        return floor > threshold ? upper / floor : nil
      })
    return result
  }

  func density() throws -> OperatorResult<Scalar> {
    var options = SpectralDensity.Options()
    options.error = request.densityError
    options.seed = seed
    options.basisMemory = request.memory
    if let most = request.maxApplications { options.maxApplications = most }
    let density = try SpectralDensity(of: map, options: options)
    var result = OperatorResult<Scalar>(report: report(density.convergence))
    result.report.density = density
    return result
  }

  func trace() throws -> OperatorResult<Scalar> {
    var options = EstimatorOptions()
    if let tolerance = request.tolerance { options.tolerance = tolerance }
    if let most = request.maxApplications { options.maxApplications = most }
    options.seed = seed
    let trace = try TraceEstimate(of: map, options: options)
    var result = OperatorResult<Scalar>(report: report(trace.convergence))
    result.report.trace = trace
    return result
  }

  func solve(_ rightSide: [Scalar]) throws -> OperatorResult<Scalar> {
    let solved = try minres(
      map, rhs: rightSide, tolerance: tolerance,
      maxIterations: request.maxApplications ?? max(1000, 10 * min(map.dimension, 1000)))
    var result = OperatorResult<Scalar>(report: report(solved.convergence))
    let norm = Scalar.nrm2(rightSide.count, rightSide)
    result.report.solution = .init(
      relativeResidual: norm > 0 ? solved.residualNorm / norm : 0, iterations: solved.iterations)
    result.solution = solved.solution
    return result
  }
}
