import Diagnosis
import OnnxBackend
import TensorPrograms
import Training

// Problems that the program holds, their losses computed elsewhere: what is run here beside them, the
// optimizers' updates, takes no threads of its own.

/// As `diagnose(_:context:)`, of a problem that is given.
public func diagnose(
  _ problem: DiagnosisProblem, request: DiagnosisRequest, context: RunContext = RunContext()
) throws -> DiagnosisReport {
  try Diagnosis.diagnose(
    problem, request: request, executor: ReferenceExecutor(), context: context)
}

/// As `measureSpectrum(_:context:)`, of a problem that is given.
public func measureSpectrum(
  of problem: DiagnosisProblem, request: SpectrumRequest, context: RunContext = RunContext()
) throws -> SpectrumResult {
  try Diagnosis.measureSpectrum(
    of: problem, request: request, executor: ReferenceExecutor(), context: context)
}

/// As `measureSweep(_:context:)`, of a problem that is given.
public func measureSweep(
  of problem: DiagnosisProblem, request: SweepRequest, context: RunContext = RunContext()
) throws -> SweepReport {
  try Diagnosis.measureSweep(
    of: problem, request: request, executor: ReferenceExecutor(), context: context)
}

/// As `train(_:context:)`, of a problem that is given.
public func train(
  _ problem: DiagnosisProblem, request: TrainingRequest, context: RunContext = RunContext()
) throws -> TrainingResult {
  try Diagnosis.train(
    problem, request: request,
    TrainingSurroundings(executor: ReferenceExecutor(), context: context))
}
