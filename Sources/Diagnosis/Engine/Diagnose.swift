import Curvature
import LinearMaps
import TensorPrograms

/// Measures the curvature of a problem's loss, says what it means for training, and runs the remedies.
///
/// - Parameters:
///   - request: the options; its file, columns and executor choice have been acted on already.
///   - executor: runs the tensor programs.
///   - context: told where the work is, and asked whether to go on; once cancelled, what was measured so
///     far is returned.
/// - Throws: `RequestError`, `DiagnosisFailure`; what the executor throws.
public func diagnose(
  _ problem: DiagnosisProblem, request: DiagnosisRequest = DiagnosisRequest(),
  executor: any Executor, context: RunContext = RunContext()
) throws -> DiagnosisReport {
  try request.check()
  let precision =
    request.resources.precision ?? (problem.isLinearInParameters ? .float64 : .float32)
  var report =
    switch precision {
    case .float32:
      try DiagnosisSession<Float>(problem, request, executor, context: context).report()
    case .float64:
      try DiagnosisSession<Double>(problem, request, executor, context: context).report()
    }
  report.request = request
  return report
}

/// Diagnoses a model on a table.
public func diagnose(
  _ table: TabularProblem, request: DiagnosisRequest, executor: any Executor,
  context: RunContext = RunContext()
) throws -> DiagnosisReport {
  try diagnose(
    DiagnosisProblem(table), request: request, executor: executor, context: context)
}
