import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// One measurement of a spectrum: the objective and its point, and what is to be measured there.
struct SpectrumSession<Scalar: LinearMapScalar> {
  let point: DiagnosisSession<Scalar>
  let request: SpectrumRequest

  var objective: any Loss<Scalar> { point.objective }
  /// Of the samples, where the loss is a program.
  private var definition: LossDefinition? { objective.objective?.definition }
  var seed: UInt64 { request.resources.probeSeed }
  var tolerance: Double {
    request.tolerance ?? (Scalar.precisionName == "float64" ? 1e-8 : 1e-4)
  }

  func result() throws -> SpectrumResult {
    guard point.loss.isFinite, point.gradientNorm.isFinite else {
      let quantity = "The \(point.loss.isFinite ? "gradient" : "loss")"
      throw DiagnosisFailure(
        .badData,
        point.brokenStep.map {
          "\(quantity) is not finite after \(Wording.count($0, "step")), so that it has no spectrum "
            + "there; measure earlier with \(option: .steps), or lower \(option: .rate)."
        }
          ?? "\(quantity) is not finite at this point, so that it has no spectrum; look for numbers in "
          + "the data or the parameters that are not finite or too large"
          + (Scalar.precisionName == "float64"
            ? "." : ", or use \(option: .precision, "float64")."))
    }
    do {
      let selection = try request.parameters.map {
        try objective.parameters.positions(matching: $0)
      }
      point.context.report("linearising")
      let map = try objective.curvature(
        request.kind, at: point.point, parameters: selection, seed: seed)
      guard let diagonal = try preconditioner(of: map, selection) else {
        return try measure(map, selection)
      }
      return try measure(
        PreconditionedMap(map, by: DiagonalPreconditioner<Scalar>(diagonal)), selection)
    } catch let error as CurvatureError {
      let kind: DiagnosisFailure.Kind =
        if case .noParameter = error { .usage } else { .badData }
      throw DiagnosisFailure(kind, DiagnosisFailure.sentence(error))
    } catch let error as LinearMapError {
      throw DiagnosisFailure(unmeasurable: error)
    } catch is CancellationError {
      throw DiagnosisFailure(.interrupted, "Interrupted before anything was measured.")
    }
  }

  // MARK: The preconditioner

  /// The diagonal of `P` in the selected parameters; nil without one.
  private func preconditioner(
    of map: CurvatureMap<Scalar>, _ selection: [Int]?
  ) throws -> [Double]? {
    func selected(_ full: [Double]) -> [Double] {
      selection.map { objective.coordinates(of: $0).flatMap { full[$0] } } ?? full
    }
    switch request.preconditioning {
    case .none: return nil
    case .features:
      guard point.problem.table != nil, let traced = objective.objective else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .preconditioning, "features") is for tables; choose diagonal or adam for a "
            + "model.")
      }
      return selected(traced.featureScales())
    case .diagonal:
      point.context.report("diagonal")
      return try DiagonalEstimate(
        of: map, options: estimatorOptions("diagonal", map.dimension)
      ).values
    case .adam(let given?):
      guard given.count == objective.parameterCount else {
        throw DiagnosisFailure(
          .badData,
          "The file of \(option: .preconditioning, "adam") holds \(given.count) numbers, but "
            + "the model has \(objective.parameterCount) parameters; give one "
            + "second moment for each.")
      }
      guard given.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        throw DiagnosisFailure(
          .badData,
          "The file of \(option: .preconditioning, "adam") holds a number that is negative or "
            + "not finite; second moments are neither.")
      }
      return try selected(DiagonalPreconditioner<Scalar>.adam(secondMoments: given).diagonal)
    case .adamState(let file):
      throw DiagnosisFailure(
        .usage, "The second moments of '\(file)' have not been read; give the numbers themselves.")
    case .adam(nil):
      guard let diagonal = point.preconditioner else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .preconditioning, "adam") needs second moments: run Adam first with "
            + "\(option: .optimizer, "adam") \(option: .rate, "X") \(option: .steps, "N"), or give "
            + "a file of them as adam:STATE.npy.")
      }
      return selected(diagonal)
    }
  }

  // MARK: The measurements

  private func measure<Map: LinearMap<Scalar>>(
    _ map: Map, _ selection: [Int]?
  ) throws -> SpectrumResult {
    let names = objective.parameters.enumerated()
      .filter { selection?.contains($0.offset) ?? true }.map(\.element.name)
    var result = SpectrumResult(
      report: SpectrumReport(
        problem: point.problemFacts,
        operator: .init(
          kind: request.kind, dimension: map.dimension, parameters: names,
          preconditioning: request.preconditioning.name),
        tolerance: tolerance))
    let count = request.count ?? min(5, map.dimension)
    guard count <= map.dimension else {
      throw LinearMapError.tooManyEigenpairs(requested: count, dimension: map.dimension)
    }
    if map.dimension <= SolvedSpectrum.largestDimension {
      point.context.report("all eigenvalues")
      let solved = try SolvedSpectrum(map)
      result.report.operatorApplications = map.dimension
      eigenpairs(count, of: solved, into: &result.report)
      try measureRest(of: solved.matrix, solved, selection, into: &result)
    } else {
      try eigenpairs(count, of: map, into: &result.report)
      try measureRest(of: map, nil, selection, into: &result)
    }
    return result
  }

  /// Everything but the eigenpairs; where all eigenvalues are known, from the matrix itself, whose
  /// products are free.
  private func measureRest<Map: LinearMap>(
    of map: Map, _ solved: SolvedSpectrum?, _ selection: [Int]?, into result: inout SpectrumResult
  ) throws {
    let spent = result.report.operatorApplications
    if case .classes(_, let count)? = point.problem.table?.target {
      result.report.countOutliers(classes: count)
    }
    do {
      try effectiveSmallest(of: map, solved, selection, into: &result.report)
      if let error = request.densityError {
        try density(of: map, solved, error, into: &result.report)
      }
      if request.trace {
        let trace = try TraceEstimate(of: map, options: estimatorOptions("trace", map.dimension))
        result.report.trace = trace
        result.report.operatorApplications += trace.operatorApplications
        result.report.note(trace.convergence, of: "trace")
      }
      if request.diagonal { result.diagonal = try diagonal(of: map, into: &result.report) }
      if solved != nil { result.report.operatorApplications = spent }
      try intervals(selection, into: &result.report)
      if request.perLayer { try layers(selection, into: &result.report) }
    } catch let error as LinearMapError where error.isNonFinite {
      result.report.advice.append(
        "What had not been measured by then is missing, since numbers overflow: \(error).")
    } catch is CancellationError {
      result.report.advice.append("Interrupted: what had not been measured by then is missing.")
    }
  }

  private func eigenpairs(
    _ count: Int, of solved: SolvedSpectrum, into report: inout SpectrumReport
  ) {
    let values = solved.system.values
    func pairs(_ values: some Sequence<Double>) -> [SpectrumReport.Pair] {
      values.map { .init(value: $0, residual: solved.rounding, isConverged: true) }
    }
    if request.which != .smallest { report.largest = pairs(values.suffix(count).reversed()) }
    if request.which != .largest { report.smallest = pairs(values.prefix(count)) }
    report.upperBound = values.last! + solved.rounding
    report.lowerBound = values.first! - solved.rounding
    report.failureProbability = 0
    report.zeroThreshold = solved.rounding
    report.convergence = Convergence(
      reason: .invariantSubspace, operatorApplications: values.count,
      advice: "All eigenvalues were computed, exact up to rounding.")
  }

  private func eigenpairs<Map: LinearMap<Scalar>>(
    _ count: Int, of map: Map, into report: inout SpectrumReport
  ) throws {
    let progress = point.context.progress
    var options = TopEigenpairs<Scalar>.Options()
    options.count = count
    options.end = TopEigenpairs<Scalar>.End(rawValue: request.which.rawValue)!
    options.tolerance = tolerance
    options.seed = seed
    options.maxApplications = max(300, 20 * count)
    options.maxBasisColumns = basisColumns(map.dimension)
    options.onProgress = { products, residual, _ in
      progress(
        RunProgress(
          stage: "eigenvalues: \(products) products, residual \(Wording.number(residual))"))
    }
    let top = try TopEigenpairs<Scalar>(of: map, options: options)
    func pairs(_ found: [Eigenpair<Scalar>], _ scale: Double) -> [SpectrumReport.Pair] {
      found.map {
        .init(
          value: $0.value, residual: $0.residual,
          isConverged: $0.residual <= max(tolerance * scale, top.rounding))
      }
    }
    report.largest = pairs(top.largest, top.scale)
    report.smallest = pairs(top.smallest, top.scale)
    report.upperBound = top.upperBound
    report.lowerBound = top.lowerBound
    report.failureProbability = top.failureProbability
    report.zeroThreshold = max(Double(map.dimension) * Double.ulpOfOne * top.scale, top.rounding)
    report.operatorApplications += top.convergence.operatorApplications
    report.convergence = top.convergence

    // The far end is dense in eigenvalues, and Lanczos slow there: ask the method made for it.
    if request.which != .largest, !report.smallest.allSatisfy(\.isConverged) {
      var options = SmallestEigenpairs<Scalar>.Options()
      options.count = count
      options.tolerance = tolerance
      options.seed = seed
      options.start = top.smallest.map(\.vector)
      options.basisColumns = basisColumns(map.dimension)
      progress(RunProgress(stage: "smallest eigenvalues"))
      let low = try SmallestEigenpairs<Scalar>(of: map, options: options)
      report.smallest = pairs(low.pairs, low.scale)
      report.lowerBound =
        [report.lowerBound, low.lowerBound].compactMap { $0 }.max() ?? report.lowerBound
      report.smallestMethod = "\(low.method.rawValue): \(low.choice)"
      report.operatorApplications += low.convergence.operatorApplications
      report.note(low.convergence, of: "smallest eigenvalues", option: "--tolerance")
      if report.largest.allSatisfy(\.isConverged) { return }
    }
    report.note(top.convergence, of: "eigenvalues", option: "--tolerance")
  }

  /// Vectors that fit half as much again as the memory of the model's values, beside the answers and the products.
  private func basisColumns(_ dimension: Int) -> Int {
    let bytes = dimension * MemoryLayout<Scalar>.stride
    return max(8, 3 * request.valueMemory / 2 / bytes - (request.count ?? 5) - 4)
  }

  /// Fewer Lanczos steps from the gradient do not resolve the flat end that it meets.
  private static var gradientSteps: Int { 60 }

  private func effectiveSmallest<Map: LinearMap>(
    of map: Map, _ solved: SolvedSpectrum?, _ selection: [Int]?, into report: inout SpectrumReport
  ) throws {
    guard request.kind == .hessian, request.preconditioning == .none, selection == nil,
      let bound = report.upperBound, let threshold = report.zeroThreshold, bound > threshold,
      point.gradientNorm > 0
    else { return }
    guard solved != nil || basisColumns(map.dimension) >= Self.gradientSteps else {
      report.advice.append(
        "The smallest eigenvalue that matters needs room for \(Self.gradientSteps) vectors: raise "
          + "--memory.")
      return
    }
    point.context.report("curvature along the gradient")
    let measure =
      try solved.map { SpectralMeasure(of: $0.system, from: point.gradient.map(Double.init)) }
      ?? SpectralMeasure(
        of: map, from: point.gradient.map { Map.Scalar($0) },
        maxApplications: min(map.dimension, 150, basisColumns(map.dimension)))
    report.operatorApplications += measure.operatorApplications
    guard let model = try? QuadraticModel(measure, zeroThreshold: threshold) else {
      report.advice.append(
        "The gradient is too large to be squared, so the smallest eigenvalue that matters is not known."
      )
      return
    }
    report.effectiveSmallest = model.effectiveSmallest(rate: 1 / bound)
    report.effectiveConditionNumber = report.effectiveSmallest.flatMap { smallest in
      report.largest.first.flatMap {
        LearningRateFacts.Curvature.conditionNumber($0.value, smallest)
      }
    }
  }

  private func intervals(_ selection: [Int]?, into report: inout SpectrumReport) throws {
    guard request.intervals else { return }
    guard request.preconditioning == .none else {
      report.advice.append(
        "Intervals are for the matrix without a preconditioner: leave --precondition out.")
      return
    }
    guard let traced = objective.objective, let definition, !definition.couplesSamples else {
      report.advice.append("Intervals need samples whose losses do not depend on one another.")
      return
    }
    guard objective.sampleCount >= 4 * (definition.fixedBatch ?? 1) else {
      report.advice.append(
        "\(Wording.count(objective.sampleCount, "sample"))"
          + (definition.fixedBatch.map { ", in batches of \($0)," } ?? "")
          + " are too few to be cut into groups for an interval.")
      return
    }
    point.context.report("sampling error")
    let groups = try traced.sampleGroups(
      request.kind, at: point.point,
      count: min(10, objective.sampleCount / (definition.fixedBatch ?? 2)),
      parameters: selection, seed: seed)
    var options = TopEigenpairs<Scalar>.Options()
    options.tolerance = max(tolerance, 1e-4)
    options.seed = seed
    func interval(_ end: TopEigenpairs<Scalar>.End) throws -> SamplingError {
      let error = try SamplingError.eigenvalue(end, of: groups, options: options)
      report.operatorApplications += error.groupApplications / groups.maps.count
      if let warning = error.warning { report.advice.append(warning) }
      return error
    }
    report.intervals = SpectrumReport.Intervals(
      largest: request.which == .smallest ? nil : try interval(.largest),
      // At a flat end the groups only show their own lack of samples.
      smallest: (report.smallest.first?.value ?? 0) < -(report.zeroThreshold ?? 0)
        ? try interval(.smallest) : nil)
  }

  private func diagonal<Map: LinearMap>(
    of map: Map, into report: inout SpectrumReport
  ) throws -> [Double] {
    let estimate = try DiagonalEstimate(
      of: map, options: estimatorOptions("diagonal", map.dimension))
    let norm = Double.nrm2(estimate.values.count, estimate.values)
    report.diagonal = SpectrumReport.Diagonal(
      largest: estimate.values.max()!, smallest: estimate.values.min()!,
      relativeError: norm > 0 ? estimate.errorNorm / norm : 0,
      operatorApplications: estimate.operatorApplications, convergence: estimate.convergence,
      largestStandardError: estimate.standardErrors.max()!)
    report.operatorApplications += estimate.operatorApplications
    report.note(estimate.convergence, of: "diagonal")
    return estimate.values
  }

  private func layers(_ selection: [Int]?, into report: inout SpectrumReport) throws {
    if request.preconditioning != .none {
      report.advice.append(
        "The table of layers is of the matrix without the preconditioner.")
    }
    point.context.report("layers")
    let layers = objective.parameters.layers.compactMap { layer -> LossDefinition.Layer? in
      var layer = layer
      layer.parameters = layer.parameters.filter { selection?.contains($0) ?? true }
      return layer.parameters.isEmpty ? nil : layer
    }
    var options = TopEigenpairs<Scalar>.Options()
    options.tolerance = tolerance
    options.seed = seed
    let table = try objective.layerCurvature(
      request.kind, at: point.point, layers: layers, options: options, seed: seed
    ) { map in
      let trace = try TraceEstimate(
        of: map, options: estimatorOptions("trace of a layer", map.dimension))
      return MeasuredTrace(
        value: trace.value, standardError: trace.standardError,
        operatorApplications: trace.operatorApplications)
    }
    report.layers = table
    for layer in table {
      report.operatorApplications +=
        layer.convergence.operatorApplications + layer.traceApplications
      report.note(layer.convergence, of: "sharpness of \(layer.layer)", option: "--tolerance")
    }
  }

  private func estimatorOptions(_ stage: String, _ dimension: Int) -> EstimatorOptions {
    let progress = point.context.progress
    var options = EstimatorOptions()
    options.seed = seed
    options.tolerance = 0.02
    // Just above the dimension, the exact answer comes at once.
    if dimension <= SolvedSpectrum.largestDimension { options.maxApplications = dimension + 8 }
    options.onProgress = { state in
      progress(
        RunProgress(
          stage: stage,
          fraction: Double(state.operatorApplications) / Double(max(1, state.maxApplications))))
    }
    return options
  }
}

extension SpectrumReport {
  /// Counts the outliers, where enough eigenvalues are known for it.
  mutating func countOutliers(classes: Int?) {
    // A gap between values of which one is not known counts nothing.
    guard self.operator.kind != .empiricalFisher, let classes, largest.count > classes,
      largest.allSatisfy(\.isConverged)
    else { return }
    outliers = SpectrumOutliers.byGap(
      largest.map(\.value), classes: classes, zeroThreshold: zeroThreshold ?? 0)
  }

  /// Names what did not come out as asked, with the option that asks for less where there is one.
  mutating func note(_ convergence: Convergence, of what: String, option: String? = nil) {
    guard !convergence.isConverged else { return }
    let remedy =
      convergence.reason == .budget ? option.map { " \($0) sets what is asked for." } : nil
    advice.append("\(what): \(convergence.advice)\(remedy ?? "")")
  }
}
