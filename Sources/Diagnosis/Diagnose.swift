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
  switch problem.precision(request.resources) {
  case .float32: return try diagnosed(Float.self, problem, request, executor, context)
  case .float64: return try diagnosed(Double.self, problem, request, executor, context)
  }
}

/// The steps of a diagnosis: start, measure, run the remedies, say what was found.
private func diagnosed<Scalar: LinearMapScalar>(
  _: Scalar.Type, _ problem: DiagnosisProblem, _ request: DiagnosisRequest,
  _ executor: any Executor, _ context: RunContext
) throws -> DiagnosisReport {
  let start = try StartedProblem<Scalar>(problem, request, executor, context: context)
  var report: DiagnosisReport
  do {
    let measured = try Measurements(start)
    var outcome = try measured.remedies()
    outcome.prescriptions = outcome.prescriptions.ranked()
    // The findings name what the prediction was too dear for.
    let prediction = try start.ifMeasurable { try measured.prediction() }
    let findings = try FindingRules(measured: measured, outcome: outcome).findings()
    report = measured.report(
      prediction: prediction, findings: findings, prescriptions: outcome.prescriptions)
  } catch let broken as Measurements<Scalar>.Broken {
    report = start.report(broken: broken.quantity)
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
