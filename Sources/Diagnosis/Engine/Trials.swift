import Curvature
import LinearMaps
import Training

/// Runs optimizers until the relative loss gap `(f_k - f*) / (f_0 - f*)` reaches a tolerance.
struct TrialBench<Scalar: LinearMapScalar> {
  /// The loss at the start of the original problem.
  let startLoss: Double
  /// The loss that gaps are measured against; nil where it is only known after all trials, which then
  /// run to their budgets and are judged by their records.
  let referenceLoss: Double?
  let tolerance: Double
  /// Steps that a trial may take; nil for as many as its work budget allows, 200,000 at most.
  let maxIterations: Int?
  /// Operations of one gradient of the original problem.
  let gradientOperations: Double
  /// Operations that a trial may take without `maxIterations`: a few seconds' worth.
  var allowance = 1.5e11
  let isCancelled: () -> Bool

  /// What a trial did.
  struct Outcome {
    /// The loss before each step, where there was no reference to stop at; else the last one only.
    var losses: [Double]
    /// Steps before the first entry of `losses`.
    var offset: Int
    var isDiverged: Bool
    var wasCancelled: Bool
    var operationsPerStep: Double
    var extraOperations: Double
    /// The change in words, where the trial itself chose a rate.
    var change: String?

    /// Of those recorded; a run may have passed its lowest point before its end.
    var lowestLoss: Double? { losses.filter(\.isFinite).min() }
  }

  /// Nil without a reference, where it is not below the start, or where the quotient overflows.
  private func relativeGap(_ loss: Double) -> Double? {
    referenceLoss.flatMap { $0 < startLoss ? (loss - $0) / (startLoss - $0) : nil }
      .flatMap { $0.isFinite ? $0 : nil }
  }

  private func isReached(_ loss: Double) -> Bool {
    relativeGap(loss).map { $0 <= tolerance } ?? false
  }

  /// Steps that a trial of several seconds has time for, at most 200,000.
  ///
  /// Counted from operations and a price per equation for its dispatch, not from a clock, so that every
  /// run of the same command stops at the same step.
  private func affordableSteps(operations: Double, equations: Int) -> Int {
    min(200_000, max(1000, Int(allowance / (operations + 3e4 * Double(equations)))))
  }

  func run(
    _ objective: Objective<Scalar>, _ optimizer: any Optimizer, rate: Double, from start: [Scalar],
    state: [[Scalar]]? = nil, extraOperations: Double = 0
  ) throws -> Outcome {
    let spent = objective.operations
    let run = try TrainingRun(objective, optimizer, rate: rate, from: start, state: state)
    var losses: [Double] = []
    var last = startLoss
    let limit =
      maxIterations
      ?? affordableSteps(
        operations: max(run.operationsPerStep, gradientOperations),
        equations: run.equationsPerStep)
    func outcome(diverged: Bool = false, cancelled: Bool = false) -> Outcome {
      let steps = run.stepCount - 1
      return Outcome(
        losses: referenceLoss == nil ? losses : [last],
        offset: referenceLoss == nil ? 0 : steps, isDiverged: diverged, wasCancelled: cancelled,
        operationsPerStep: (objective.operations - spent) / Double(max(1, run.stepCount)),
        extraOperations: extraOperations)
    }
    // The loss at a point is known when the step away from it has run.
    var step = 0
    while true {
      last = try run.step().loss
      if referenceLoss == nil { losses.append(last) }
      if !last.isFinite || last - startLoss > 1e8 * max(abs(startLoss), 1e-300) {
        return outcome(diverged: true)
      }
      if isReached(last) || step >= limit { return outcome() }
      if isCancelled() { return outcome(cancelled: true) }
      step += 1
    }
  }

  /// The figures of a trial against the reference loss.
  /// - Precondition: `referenceLoss` is known.
  func measured(_ outcome: Outcome) -> Prescription.Measured {
    // What left again has not arrived.
    let hit = outcome.isDiverged ? nil : outcome.losses.firstIndex(where: isReached)
    let end = hit ?? outcome.losses.count - 1
    let steps = outcome.offset + end
    let loss = outcome.losses[end]
    return Prescription.Measured(
      iterations: hit.map { outcome.offset + $0 }, reached: hit != nil,
      diverged: outcome.isDiverged, loss: loss.isFinite ? loss : nil,
      relativeGap: loss.isFinite ? relativeGap(loss) : nil,
      gradientEquivalents: (Double(steps + 1) * outcome.operationsPerStep
        + outcome.extraOperations) / gradientOperations,
      stepsRun: steps)
  }

  /// The figures of a Newton run, read off its path.
  /// - Precondition: `referenceLoss` is known.
  func measured(
    _ path: [NewtonCG<Scalar>.Point], extraOperations: Double
  ) -> Prescription.Measured {
    let first = path.firstIndex { isReached($0.loss) }
    let end = path[first ?? path.count - 1]
    return Prescription.Measured(
      iterations: first, reached: first != nil, diverged: !end.loss.isFinite,
      loss: end.loss.isFinite ? end.loss : nil,
      relativeGap: end.loss.isFinite ? relativeGap(end.loss) : nil,
      gradientEquivalents: (end.operations + extraOperations) / gradientOperations,
      stepsRun: first ?? path.count - 1)
  }
}
