import Curvature
import LinearMaps
import TensorPrograms
import Training

/// Trains a problem at all rates and seeds of a request at once, and says which rate to use.
///
/// - Parameter executor: runs the tensor programs.
/// - Throws: `RequestError`, `DiagnosisFailure`, `TrainingError`; what the executor throws.
public func measureSweep(
  of problem: DiagnosisProblem, request: SweepRequest, executor: any Executor,
  context: RunContext = RunContext()
) throws -> SweepReport {
  try request.check()
  func measure<Scalar: LinearMapScalar>(_: Scalar.Type) throws -> SweepReport {
    // Of all samples, however long it takes.
    var atStart = DiagnosisRequest(request.problem)
    atStart.training.optimizer = request.optimizer
    atStart.resources = request.resources
    atStart.resources.effort = .infinity
    let start = try StartedProblem<Scalar>(
      problem, atStart, executor, context: context, needsRows: true)
    var report = try SweepSession(start: start, request: request).report()
    report.request = request
    return report
  }
  switch problem.precision(request.resources) {
  case .float32: return try measure(Float.self)
  case .float64: return try measure(Double.self)
  }
}
