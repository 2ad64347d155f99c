import Curvature
import LinearMaps
import TensorPrograms

/// Measures the spectrum of a problem's curvature.
///
/// - Parameter executor: runs the tensor programs.
/// - Throws: `RequestError`, `DiagnosisFailure`; what the executor throws.
public func measureSpectrum(
  of problem: DiagnosisProblem, request: SpectrumRequest, executor: any Executor,
  context: RunContext = RunContext()
) throws -> SpectrumResult {
  try request.check()
  func measure<Scalar: LinearMapScalar>(_: Scalar.Type) throws -> SpectrumResult {
    // Of all samples, however long it takes.
    var atPoint = DiagnosisRequest(request.problem)
    atPoint.training = request.training
    atPoint.resources = request.resources
    atPoint.resources.effort = .infinity
    atPoint.resources.memory = request.valueMemory
    let start = try StartedProblem<Scalar>(
      problem, atPoint, executor, context: context, needsRows: true)
    var result = try SpectrumSession(start: start, request: request).result()
    result.report.request = request
    return result
  }
  switch problem.precision(request.resources) {
  case .float32: return try measure(Float.self)
  case .float64: return try measure(Double.self)
  }
}

/// Measures the spectrum of a model on a table.
public func measureSpectrum(
  of table: TabularProblem, request: SpectrumRequest, executor: any Executor,
  context: RunContext = RunContext()
) throws -> SpectrumResult {
  try measureSpectrum(
    of: DiagnosisProblem(table), request: request, executor: executor, context: context)
}
