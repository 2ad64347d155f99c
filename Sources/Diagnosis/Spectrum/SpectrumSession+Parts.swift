import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// What else can be asked of a matrix: intervals for a larger sample, its diagonal, its layers.
extension SpectrumSession {
  func intervals(_ selection: [Int]?, into report: inout SpectrumReport) throws {
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
    guard definition.composite?.weight ?? 1 == 1 else {
      report.advice.append(
        "Losses are added up, so that curvature grows with the number of rows: intervals for a larger "
          + "sample go with --reduction mean.")
      return
    }
    guard objective.sampleCount >= 4 * (definition.fixedBatch ?? 1) else {
      report.advice.append(
        "\(Wording.count(objective.sampleCount, "sample"))"
          + (definition.fixedBatch.map { ", in batches of \($0)," } ?? "")
          + " are too few to be cut into groups for an interval.")
      return
    }
    start.context.report("sampling error")
    let groups = try traced.sampleGroups(
      request.kind, at: start.point,
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

  func diagonal<Map: LinearMap>(
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

  func layers(_ selection: [Int]?, into report: inout SpectrumReport) throws {
    if request.preconditioning != .none {
      report.advice.append(
        "The table of layers is of the matrix without the preconditioner.")
    }
    start.context.report("layers")
    let layers = objective.parameters.layers.compactMap { layer -> LossDefinition.Layer? in
      var layer = layer
      layer.parameters = layer.parameters.filter { selection?.contains($0) ?? true }
      return layer.parameters.isEmpty ? nil : layer
    }
    var options = TopEigenpairs<Scalar>.Options()
    options.tolerance = tolerance
    options.seed = seed
    let table = try objective.layerCurvature(
      request.kind, at: start.point, layers: layers, options: options, seed: seed
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
}
