import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// One measurement of a spectrum: the objective and its point, and what is to be measured there.
struct SpectrumSession<Scalar: LinearMapScalar> {
  let start: StartedProblem<Scalar>
  let request: SpectrumRequest

  var objective: any Loss<Scalar> { start.objective }
  /// Of the samples, where the loss is a program.
  var definition: LossDefinition? { objective.objective?.definition }
  var seed: UInt64 { request.resources.probeSeed }
  var tolerance: Double {
    request.tolerance ?? (Scalar.precisionName == "float64" ? 1e-8 : 1e-4)
  }

  func result() throws -> SpectrumResult {
    guard start.loss.isFinite, start.gradientNorm.isFinite else {
      let quantity = "The \(start.loss.isFinite ? "gradient" : "loss")"
      throw DiagnosisFailure(
        .badData,
        start.brokenStep.map {
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
      start.context.report("linearising")
      let map = try objective.curvature(
        request.kind, at: start.point, parameters: selection, seed: seed)
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

  private func measure<Map: LinearMap<Scalar>>(
    _ map: Map, _ selection: [Int]?
  ) throws -> SpectrumResult {
    let names = objective.parameters.enumerated()
      .filter { selection?.contains($0.offset) ?? true }.map(\.element.name)
    var result = SpectrumResult(
      report: SpectrumReport(
        problem: start.facts,
        operator: .init(
          kind: request.kind, dimension: map.dimension, parameters: names,
          preconditioning: request.preconditioning.name),
        tolerance: tolerance))
    let count = request.count ?? min(5, map.dimension)
    guard count <= map.dimension else {
      throw LinearMapError.tooManyEigenpairs(requested: count, dimension: map.dimension)
    }
    if map.dimension <= SolvedSpectrum.largestDimension {
      start.context.report("all eigenvalues")
      let solved = try SolvedSpectrum(map)
      result.report.operatorApplications = map.dimension
      eigenpairs(count, of: solved, into: &result.report)
      try measureRest(of: solved.matrix, solved, selection, into: &result)
    } else {
      do {
        try eigenpairs(count, of: map, into: &result.report)
      } catch  where !result.report.largest.isEmpty && Self.endsMeasurement(error) {
        // The other end is known.
        result.report.advice.append(Self.remark(on: error))
        return result
      }
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
    if case .classes(_, let count)? = start.problem.table?.target {
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
    } catch  where Self.endsMeasurement(error) {
      result.report.advice.append(Self.remark(on: error))
    }
  }

  /// Whether what was measured before an error is worth telling.
  private static func endsMeasurement(_ error: any Error) -> Bool {
    error is CancellationError || (error as? LinearMapError)?.isNonFinite == true
  }

  private static func remark(on error: any Error) -> String {
    error is CancellationError
      ? "Interrupted: what had not been measured by then is missing."
      : "What had not been measured by then is missing, since numbers overflow: \(error)."
  }

  /// Vectors that fit half as much again as the memory of the model's values, beside the answers and the products.
  func basisColumns(_ dimension: Int) -> Int {
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
      start.gradientNorm > 0
    else { return }
    guard solved != nil || basisColumns(map.dimension) >= Self.gradientSteps else {
      report.advice.append(
        "The smallest eigenvalue that matters needs room for \(Self.gradientSteps) vectors: raise "
          + "--memory.")
      return
    }
    start.context.report("curvature along the gradient")
    let measure =
      try solved.map { SpectralMeasure(of: $0.system, from: start.gradient.map(Double.init)) }
      ?? SpectralMeasure(
        of: map, from: start.gradient.map { Map.Scalar($0) },
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

  func estimatorOptions(_ stage: String, _ dimension: Int) -> EstimatorOptions {
    let progress = start.context.progress
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
