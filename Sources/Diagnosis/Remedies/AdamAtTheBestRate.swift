import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let adam = Self("adam", effort: 3, swing: .always)
}

/// Adam at the best of four rates.
struct AdamAtTheBestRate: Remedy {
  let kind = Prescription.Kind.adam
  private let rates = [1, 0.1, 0.01, 0.001]

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    let wanted = start.budget.trialSteps(100, trials: 40)
    // A step of Adam is bounded by its rate: it cannot run away, however high it first jumps.
    let theory = TrialBench<Scalar>.Theory(
      modes: measured.exactLoss(measured.survey), isStable: true)
    return Plan(
      kind, "Adam at the best of the rates 1, 0.1, 0.01 and 0.001 after some steps of each",
      .init(),
      slower: { "Adam at \(Wording.number($0))" }
    ) { bench in
      let spent = start.objective.operations
      let probe = bench.probing(wanted)
      let steps = probe.maxIterations ?? wanted
      var chosen = (rate: 1e-3, loss: Double.infinity)
      for rate in rates where !start.context.isCancelled() {
        let trial =
          try probe
          .run(
            start.objective, Adam(), rate: rate, from: start.point, theory: .init(isStable: true))
        if let last = trial.losses.last, last < chosen.loss { chosen = (rate, last) }
      }
      var outcome = try bench.run(
        start.objective, Adam(), rate: chosen.rate, from: start.point, theory: theory,
        extraOperations: start.objective.operations - spent)
      // Where it ran at a smaller one, the sentence is the judge's.
      guard outcome.chosenRate == nil else { return outcome }
      outcome.chosenRate = chosen.rate
      outcome.change =
        "Adam at \(Wording.number(chosen.rate)), the best of 1, 0.1, 0.01 and 0.001 after \(steps) "
        + "steps of each"
      return outcome
    }
  }
}
