import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let standardiseAndAdam = Self("standardise-and-adam", effort: 4, swing: .always)
  public static let standardiseAllAndAdam = Self(
    "standardise-all-and-adam", effort: 4, swing: .always)
}

/// Adam on standardised inputs: what either does by itself, together.
struct StandardiseAndAdam: Remedy {
  let kind = Prescription.Kind.standardiseAndAdam

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    guard measured.areInputsOff,
      let problem = try measured.rescaled(inputs: true, target: nil)
    else { return nil }
    return measured.adam(on: problem, kind, after: measured.inputPhrase)
  }
}

/// Adam on a standardised target, and on standardised inputs where they are not so already: steps that
/// the rate bounds have a target of their own size to reach.
struct StandardiseAllAndAdam: Remedy {
  let kind = Prescription.Kind.standardiseAllAndAdam

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    guard let target = measured.targetScaling, measured.hasToReach(target) else { return nil }
    let areInputsOff = measured.areInputsOff
    guard let problem = try measured.rescaled(inputs: areInputsOff, target: target) else {
      return nil
    }
    let change = target.phrase(measured.start.problem.targetName)
    return measured.adam(
      on: problem, kind, after: areInputsOff ? "\(measured.inputPhrase), \(change)" : change)
  }
}

extension Measurements {
  fileprivate var areInputsOff: Bool { inputs != nil || standardised != nil }

  fileprivate var inputPhrase: String { scaling?.phrase ?? StandardiseInputs.phrase }

  fileprivate func adam(
    on problem: RescaledProblem<Scalar>, _ kind: Prescription.Kind, after change: String
  ) -> Plan<Scalar> {
    let search = AdamSearch(
      problem.objective, from: problem.start, steps: start.budget.trialSteps(100, trials: 40),
      modes: problem.modes, context: start.context)
    return Plan(
      kind, "\(change), then \(AdamSearch<Scalar>.phrase)", .init(),
      note: problem.isExact ? nil : "trained afresh from the same weights",
      isAfresh: !problem.isExact,
      slower: { "\(change), then \(AdamSearch<Scalar>.slower($0))" }
    ) { bench in
      var outcome = try problem.run({ try search.run(on: $0) }, on: bench)
      outcome.change = outcome.change.map { "\(change), then \($0)" }
      // No command scales a target or a model's inputs.
      if kind == .standardiseAndAdam, start.problem.table != nil {
        outcome.course?.standardises = true
      } else {
        outcome.course = nil
      }
      return outcome
    }
  }
}
