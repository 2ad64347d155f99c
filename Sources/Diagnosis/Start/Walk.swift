import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// The steps of the given optimizer before the diagnosis, and loss and gradient where they end.
struct Walk<Scalar: LinearMapScalar> {
  private(set) var point: [Scalar]
  private(set) var preconditioner: [Double]?
  private(set) var loss = Double.nan
  private(set) var gradient: [Scalar]
  private(set) var brokenStep: Int?

  init(
    _ objective: any Loss<Scalar>, _ optimizer: any Optimizer, _ request: DiagnosisRequest,
    from start: [Double], _ context: RunContext
  ) throws {
    point = start.map { Scalar($0) }
    gradient = [Scalar](repeating: .nan, count: point.count)
    let steps = request.training.steps
    if optimizer.curvatureProbe != nil {
      // A loss without targets to draw is refused before anything is measured.
      do { _ = try TrainingRun(objective, optimizer, rate: 1, from: point) } catch let error
        as TrainingError
      { throw DiagnosisFailure(.usage, "\(error)") }
    }
    if steps > 0 {
      guard let rate = request.training.rate else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .steps, String(steps)) runs the optimizer first, which needs a rate: add "
            + "\(option: .rate).")
      }
      context.report("running \(steps) steps first", fraction: 0)
      let run = try TrainingRun(
        objective, optimizer, rate: rate, from: point,
        gradients: request.training.gradients(seed: request.resources.probeSeed))
      for step in 0..<steps {
        let loss = try run.step().loss
        guard loss.isFinite else {
          brokenStep = step
          break
        }
        guard !context.isCancelled() else {
          throw DiagnosisFailure(.interrupted, "Interrupted before anything was measured.")
        }
      }
      point = run.parameters
      preconditioner = optimizer.preconditioner(
        state: { run.state($0).map { Double($0) } }, step: steps)
      // A step beyond may be finite again, as where a logarithm's argument comes back: it is not the
      // point asked for.
      if brokenStep != nil { return }
    } else {
      preconditioner = (optimizer as? CarriedOptimizer)?.carriedPreconditioner
    }
    (loss, gradient) = try objective.valueAndGradient(at: point)
    let isFinite = loss.isFinite && Scalar.nrm2(gradient.count, gradient).isFinite
    if !isFinite, steps > 0 { brokenStep = steps }
  }
}
