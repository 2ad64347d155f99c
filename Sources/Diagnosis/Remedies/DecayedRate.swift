import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let decayedRate = Self("decayed-rate", effort: 1, swing: .asGiven)
}

/// In mini-batches: the given optimizer at half of the limit of the batches, or where that is not known at the
/// given rate, and the rate lowered along a line to zero, so that the noise dies out with it.
struct DecayedRate: Remedy {
  let kind = Prescription.Kind.decayedRate

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    guard let batches = measured.userBatches else { return nil }
    let own = batches.limit(start.optimizer).map { $0 / 2 }
    // A rate that is not known to be too large may be lowered from where it is.
    let given = measured.facts.verdict == .unstable ? nil : start.request.training.rate
    let optimizer: any Optimizer =
      own != nil || given != nil ? start.optimizer : GradientDescent()
    let rate = own ?? given ?? 1 / measured.survey.upperBound
    let form = TrialForm(schedule: Polynomial())
    @Sendable func phrase(_ rate: Double) -> String {
      "\(optimizer.phrase) at \(Wording.number(rate)), lowered step by step to zero"
    }
    return Plan(
      kind, phrase(rate), .init(rate: rate), slower: phrase
    ) {
      [theory = measured.theory(measured.survey, rate: rate, by: optimizer)] bench in
      try bench.run(
        start.objective, optimizer, rate: rate, from: start.point, theory: theory, form: form)
    }
  }
}
