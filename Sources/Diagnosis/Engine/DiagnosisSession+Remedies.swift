import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Training

extension DiagnosisSession {
  /// Prescriptions with what was predicted and measured, and how they were measured.
  struct Remedies {
    var prescriptions: [Prescription] = []
    var reference: Reference?
    var hasFiniteMinimum = true
    var interrupted: (done: Int, planned: Int)?
  }

  /// The loss that trials are judged by.
  struct Reference {
    var loss: Double
    /// Where it comes from, in words.
    var source: String
    /// Whether it is a minimum or an infimum for certain, so that gaps to it mean something; else it is
    /// the lowest loss that was seen.
    var isCertified: Bool

    static func lowestSeen(_ loss: Double) -> Reference {
      Reference(loss: loss, source: "the lowest loss seen", isCertified: false)
    }
  }

  /// A prescription that can be run.
  struct Plan {
    var prescription: Prescription
    /// Whether it trains another function anew: that may pass the reference loss at once, and shows
    /// what it is worth only by running on.
    var isAfresh = false
    var run: (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome
  }

  func remedies(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>,
    standardised: StandardisedVariant?
  ) throws -> Remedies {
    var result = Remedies()
    guard survey.largest > survey.zeroThreshold else { return result }
    do {
      try remedies(survey, map: map, standardised: standardised, into: &result)
    } catch is CancellationError {
      // What was measured before the interruption is in the result already.
      result.interrupted = result.interrupted ?? (0, result.prescriptions.count)
    }
    return result
  }

  private func remedies(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>,
    standardised: StandardisedVariant?, into result: inout Remedies
  ) throws {
    let plans = try self.plans(survey, map: map, standardised: standardised)
    let newtonPlan = Prescription(
      .newtonCG, change: "Newton's method, each step solved by conjugate gradients",
      predicted: .init(
        conditionNumber: 1, iterations: newtonIterations(plans.map(\.prescription), survey)))
    result.prescriptions = plans.map(\.prescription) + [newtonPlan]
    result.hasFiniteMinimum = !finiteMinimum.isAbsent
    guard request.trials.areRun else { return }

    guard budget.affords("Newton's method", products: 300, share: 0.2) else {
      result.prescriptions.removeLast()
      try shortTrials(plans, into: &result)
      return
    }
    context.report("finding the minimum (newton-cg)")
    let exact = exactLoss(survey)
    let newton = try NewtonCG(
      minimizing: objective, from: point, diagonal: survey.diagonal,
      tolerance: min(1e-12, 1e-6 * request.trials.tolerance),
      forcing: problem.isQuadratic ? 1e-8 : 1e-3,
      maxOperations: problem.table == nil ? 2000 * objective.gradientOperations() : .infinity,
      relativeGap: { x in exact?.relativeGap(at: x.map { Double($0) }) }, context: context)
    guard newton.ending != .cancelled else {
      result.interrupted = (0, result.prescriptions.count)
      return
    }
    // Least squares and penalised losses have a minimum, however long the way to it.
    switch finiteMinimum {
    case .exists: result.hasFiniteMinimum = true
    case .none: result.hasFiniteMinimum = false
    case .unknown:
      result.hasFiniteMinimum =
        newton.ending != .noFiniteMinimum || problem.isQuadratic || problem.l2 > 0
    }
    var reference = try certifiedMinimum(survey, newton)
    if let known = reference, result.hasFiniteMinimum,
      (exact?.initialGap ?? loss - known.loss) <= 4 * Double(Scalar.ulpOfOne) * abs(loss)
    {
      result.reference = Reference(
        loss: known.loss, source: "the start itself, which is the minimum", isCertified: true)
      return
    }
    let gradientOperations = try objective.gradientOperations()
    func bench(_ reference: Double?) -> TrialBench<Scalar> {
      TrialBench(
        startLoss: loss, referenceLoss: reference, tolerance: request.trials.tolerance,
        maxIterations: request.trials.maxIterations, gradientOperations: gradientOperations,
        // Small convolutions and attention reach a fraction of the rate of a table's products.
        allowance: problem.table == nil ? 2e10 : 1.5e11, context: context)
    }
    var outcomes = try run(
      plans, on: { bench($0.isAfresh ? nil : reference?.loss) }, after: 1, into: &result)
    let newtonLoss = newton.path.map(\.loss).filter(\.isFinite).min() ?? loss
    func lowest() -> Double {
      min(newtonLoss, outcomes.compactMap(\.lowestLoss).min() ?? newtonLoss)
    }
    if let known = reference, exact == nil,
      lowest() < known.loss - request.trials.tolerance * (loss - known.loss)
    {
      // A minimum of its neighbourhood alone: what was stopped at it has to run on.
      reference = nil
      for (index, outcome) in outcomes.enumerated()
      where outcome.arrival != nil && !isCancelled() {
        context.report("trial, further: \(plans[index].prescription.id)")
        let further = try plans[index].run(bench(nil))
        if !further.wasCancelled { outcomes[index] = further }
      }
      if isCancelled() {
        result.interrupted = result.interrupted ?? (outcomes.count + 1, result.prescriptions.count)
      }
    }
    let judge = bench(reference?.loss)
    let work = reference == nil ? Self.sharedWork(outcomes) ?? newton.path.last?.operations : nil
    result.reference = reference ?? .lowestSeen(lowest())
    for index in outcomes.indices where plans[index].isAfresh || reference == nil {
      outcomes[index] = judge.judged(outcomes[index])
    }
    record(outcomes, of: plans, by: judge, comparedAt: work, into: &result)
    let measured = judge.measured(
      newton.path,
      extraOperations: survey.diagonal == nil ? 0 : try diagonalOperations(survey, map: map),
      comparedAt: work)
    result.prescriptions[result.prescriptions.count - 1] = newtonPlan.with(measured: measured)
  }

  /// Runs plans in order until one is interrupted.
  ///
  /// - Parameter done: how many of the prescriptions have been run already.
  private func run(
    _ plans: [Plan], on bench: (Plan) -> TrialBench<Scalar>, after done: Int,
    into result: inout Remedies
  ) throws -> [TrialBench<Scalar>.Outcome] {
    var outcomes: [TrialBench<Scalar>.Outcome] = []
    let planned = result.prescriptions.count
    for (index, plan) in plans.enumerated() {
      context.report(
        "trial: \(plan.prescription.id)", fraction: Double(index) / Double(planned))
      let outcome = try plan.run(bench(plan))
      outcomes.append(outcome)
      if outcome.wasCancelled || isCancelled() {
        result.interrupted = (done + index + (outcome.wasCancelled ? 0 : 1), planned)
        break
      }
    }
    return outcomes
  }

  /// Puts what the runs came to beside their predictions; of one that was cut short nothing is said.
  private func record(
    _ outcomes: [TrialBench<Scalar>.Outcome], of plans: [Plan], by judge: TrialBench<Scalar>,
    comparedAt work: Double?, into result: inout Remedies
  ) {
    for (index, outcome) in outcomes.enumerated() where !outcome.wasCancelled {
      result.prescriptions[index] = plans[index].prescription
        .with(measured: judge.measured(outcome, comparedAt: work), change: outcome.change)
    }
  }

  /// The work that every run had that came to an end of its own.
  private static func sharedWork(_ outcomes: [TrialBench<Scalar>.Outcome]) -> Double? {
    outcomes.filter { !$0.isDiverged && !$0.wasCancelled }
      .map { $0.operations(after: $0.losses.count - 1) }.min()
  }

  /// Trials of a few steps each, for a model whose minimum is too dear to look for.
  private func shortTrials(_ plans: [Plan], into result: inout Remedies) throws {
    let bench = TrialBench<Scalar>(
      startLoss: loss, referenceLoss: nil, tolerance: request.trials.tolerance,
      maxIterations: request.trials.maxIterations ?? shortTrialSteps(plans.count),
      gradientOperations: try objective.gradientOperations(), context: context)
    let outcomes = try run(plans, on: { _ in bench }, after: 0, into: &result)
    guard let best = outcomes.compactMap(\.lowestLoss).min() else { return }
    result.reference = .lowestSeen(best)
    record(
      outcomes, of: plans, by: bench, comparedAt: Self.sharedWork(outcomes), into: &result)
  }

  private func shortTrialSteps(_ trials: Int) -> Int {
    // Adam tries four rates first.
    budget.trialSteps(1000, trials: trials + 4)
  }
}
