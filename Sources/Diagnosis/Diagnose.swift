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
///   - staged: called with what is known so far, each time that a stage has ended before the last: the start,
///     the sharpness, the curvature. What `DiagnosisReport.Stage` counts to a stage is final in it.
/// - Throws: `RequestError`, `DiagnosisFailure`; what the executor and `staged` throw.
public func diagnose(
  _ problem: DiagnosisProblem, request: DiagnosisRequest = DiagnosisRequest(),
  executor: any Executor, context: RunContext = RunContext(),
  staged: (DiagnosisReport) throws -> Void = { _ in }
) throws -> DiagnosisReport {
  try request.check()
  switch problem.precision(request.resources) {
  case .float32: return try diagnosed(Float.self, problem, request, executor, context, staged)
  case .float64: return try diagnosed(Double.self, problem, request, executor, context, staged)
  }
}

/// The steps of a diagnosis: start, measure, run the remedies, say what was found.
private func diagnosed<Scalar: LinearMapScalar>(
  _: Scalar.Type, _ problem: DiagnosisProblem, _ request: DiagnosisRequest,
  _ executor: any Executor, _ context: RunContext, _ staged: (DiagnosisReport) throws -> Void
) throws -> DiagnosisReport {
  let start = try StartedProblem<Scalar>(problem, request, executor, context: context)
  try staged(start.report(.start))
  var report: DiagnosisReport
  var first: FirstAnswer?
  do {
    var measured = try Measurements(start) { answer in
      guard let answer else { return }
      first = answer
      try staged(start.report(.sharpness, answer))
    }
    if let first { try staged(measured.report(upTo: .curvature, first)) }
    // What the batches allow bounds the remedies' rates.
    let study = MiniBatchStudy(measured)
    var miniBatches = try start.ifMeasurable { try study?.study() }
    measured.userBatches = try UserBatches(measured, miniBatches)
    miniBatches?.remedyPasses = measured.userBatches?.setting.passes
    var outcome = try measured.remedies()
    outcome.prescriptions = outcome.prescriptions.ranked()
    // The findings name what the prediction was too dear for.
    let prediction = try start.ifMeasurable { try measured.prediction() }
    miniBatches?.trials = outcome.batchTrials
    if let found = miniBatches {
      miniBatches?.binds = study?.binding(found, outcome.prescriptions)
    }
    let findings = try FindingRules(
      measured: measured, outcome: outcome, miniBatches: miniBatches
    ).findings()
    report = measured.report(
      prediction: prediction, findings: findings, prescriptions: outcome.prescriptions,
      miniBatches: miniBatches)
    if outcome.interrupted != nil || context.isCancelled() {
      report.stage = report.advice.basis.isTried ? .trials : .curvature
    }
  } catch let broken as Measurements<Scalar>.Broken {
    report = start.report(broken: broken.quantity)
  } catch let error as CancellationError {
    // What an interruption leaves of the curvature is the sharpness.
    guard let first else { throw error }
    report = start.report(.sharpness, first)
  }
  report.first = first
  report.request = request
  return report
}

/// Diagnoses a model on a table.
public func diagnose(
  _ table: TabularProblem, request: DiagnosisRequest, executor: any Executor,
  context: RunContext = RunContext(), staged: (DiagnosisReport) throws -> Void = { _ in }
) throws -> DiagnosisReport {
  try diagnose(
    DiagnosisProblem(table), request: request, executor: executor, context: context,
    staged: staged)
}
