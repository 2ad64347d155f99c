import Diagnosis
import OnnxBackend
import TensorFiles
import TensorPrograms

/// Opens what a request names, measures the curvature of its loss, says what it means for training, and runs
/// the remedies.
///
///     let request = DiagnosisRequest(file: "wine.csv", target: "class")
///     let report = try diagnose(request)
///
/// - Parameters:
///   - context: told where the work is, and asked whether to go on; once cancelled, what was measured so
///     far is returned.
///   - profiled: gets the times of the model's runs, where `resources.isProfiled`.
///   - staged: called with what is known so far at the end of each stage before the last.
/// - Throws: `RequestError`; `DiagnosisFailure`, `TableError`, `ArrayFileError`, `OnnxModelError`,
///   `OnnxRuntimeError`, each one sentence with the offending name and the next step, whose kind is
///   `DiagnosisFailure.Kind(of:)`.
public func diagnose(
  _ request: DiagnosisRequest, context: RunContext = RunContext(),
  profiled: (ExecutionProfile) throws -> Void = { _ in },
  staged: (DiagnosisReport) throws -> Void = { _ in }
) throws -> DiagnosisReport {
  try request.check()
  return try answer(request.problem, request.resources, context, profiled) { problem, executor in
    try diagnose(
      problem, request: request, executor: executor, context: context, staged: staged)
  }
}

/// Opens what a request names, and measures the spectrum of its curvature.
///
/// - Throws: as `diagnose`.
public func measureSpectrum(
  _ request: SpectrumRequest, context: RunContext = RunContext(),
  profiled: (ExecutionProfile) throws -> Void = { _ in }
) throws -> SpectrumResult {
  try request.check()
  var read = request
  if case .adamState(let file) = request.preconditioning {
    try ProblemSource.checkFile(file)
    var limits = TensorFileLimits.standard
    limits.arrayBytes = min(limits.arrayBytes, request.resources.memory)
    read.preconditioning = .adam(
      secondMoments: try NumpyArray.read(file, limits: limits).doubles)
  }
  var result = try answer(request.problem, request.resources, context, profiled) {
    problem, executor in
    try measureSpectrum(of: problem, request: read, executor: executor, context: context)
  }
  result.report.request = request
  return result
}

/// Opens what a request names, and trains it at all rates and seeds of the request.
///
/// - Throws: as `diagnose`; `TrainingError` for batches or a schedule that the problem does not go with.
public func measureSweep(
  _ request: SweepRequest, context: RunContext = RunContext(),
  profiled: (ExecutionProfile) throws -> Void = { _ in }
) throws -> SweepReport {
  try request.check()
  return try answer(request.problem, request.resources, context, profiled) { problem, executor in
    var training = TrainingRequest(request.problem)
    (training.heldOut, training.rules, training.resources) = (
      request.heldOut, request.rules, request.resources
    )
    return try measureSweep(
      of: problem, heldOut: try training.openHeldOut(beside: problem), request: request,
      rateFactors: try training.rateFactors(), executor: executor, context: context)
  }
}

func answer<Result>(
  _ source: ProblemSource, _ resources: Resources, _ context: RunContext,
  _ profiled: (ExecutionProfile) throws -> Void,
  _ measure: (DiagnosisProblem, any Executor) throws -> Result
) throws -> Result {
  if let file = source.files.first { context.report("reading \(file)") }
  var problem = try DiagnosisProblem(opening: source, resources: resources)
  let (executor, notes) = try resources.makeExecutor()
  problem.notes += notes
  do {
    let result = try measure(problem, executor)
    if resources.isProfiled, let profile = try (executor as? OnnxExecutor)?.profile() {
      try profiled(profile)
    }
    return result
  } catch let error as OnnxRuntimeError where "\(error)".contains("out of data bounds") {
    guard case .model(let model) = source else { throw error }
    throw DiagnosisFailure(
      .badData,
      "\(model.data ?? model.file): an index lies outside of the table that the model looks it up in; "
        + "mend the data. \(error)")
  } catch let error as ProgramError {
    throw DiagnosisFailure(.software, "The model could not be built: \(error)")
  }
}
