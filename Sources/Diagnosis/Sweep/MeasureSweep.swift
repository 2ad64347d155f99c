import Curvature
import LinearMaps
import TensorPrograms
import Training

/// Trains a problem at all rates and seeds of a request at once, and says which rate to use.
///
/// - Parameters:
///   - heldOut: samples of a file of their own; a share of the problem's is split off by the request.
///   - rateFactors: arrays of factors of the rate, by the names of parameters.
///   - executor: runs the tensor programs.
/// - Throws: `RequestError`, `DiagnosisFailure`, `TrainingError`; what the executor throws.
public func measureSweep(
  of problem: DiagnosisProblem, heldOut: DiagnosisProblem? = nil, request: SweepRequest,
  rateFactors: [String: Tensor] = [:], executor: any Executor, context: RunContext = RunContext()
) throws -> SweepReport {
  try request.check()
  func measure<Scalar: LinearMapScalar>(_: Scalar.Type) throws -> SweepReport {
    // Of all samples, however long it takes.
    var atStart = DiagnosisRequest(request.problem)
    atStart.training.optimizer = request.optimizer
    atStart.resources = request.resources
    atStart.resources.effort = .infinity
    var data = (training: problem, heldOut: heldOut)
    if let setup = request.heldOut {
      let split = try TrainingData(
        try ChosenData<Scalar>.withCouplingFound(problem, executor), heldOut: heldOut, setup,
        seed: request.resources.seed)
      data = (split.training, split.heldOut)
    }
    if let batch = request.batch { try BatchSetup.check(batch, of: data.training.sampleCount) }
    let start = try StartedProblem<Scalar>(
      data.training, atStart, executor, context: context, needsRows: true)
    var rules = try request.rules.rules(
      start.problem.parameters, of: request.optimizer.name, factors: rateFactors)
    rules.probeSeed = request.resources.probeSeed
    var report = try SweepSession(
      start: start, request: request, heldOut: data.heldOut, rules: rules
    ).report()
    report.request = request
    return report
  }
  switch problem.precision(request.resources) {
  case .float32: return try measure(Float.self)
  case .float64: return try measure(Double.self)
  }
}
