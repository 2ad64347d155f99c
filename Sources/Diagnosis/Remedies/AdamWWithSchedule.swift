import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let adamWWithSchedule = Self("adamw-with-schedule", effort: 3, swing: .always)
}

/// AdamW, warmed up and brought down along a cosine over the steps of its trial, at the rate that suited Adam
/// best; for networks, and in mini-batches.
struct AdamWWithSchedule: Remedy {
  let kind = Prescription.Kind.adamWWithSchedule

  /// PyTorch's default for AdamW.
  private static let decay = 0.01
  private static let warmUp = 0.05

  private static func phrase(_ rate: Double?, steps: Int?) -> String {
    "AdamW at \(rate.map { Wording.number($0) } ?? "the rate that suits Adam best"), decay "
      + "\(Wording.number(decay)), warmed up for \(Wording.number(100 * warmUp)) % of "
      + (steps.map { "\(Wording.count($0, "step"))" } ?? "its steps")
      + " and then along a cosine to 0"
  }

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    // With batches a rate that comes down is for every loss: their noise dies out with it.
    guard start.problem.isNetwork || measured.userBatches != nil else { return nil }
    let search = AdamSearch(
      start.objective, from: start.point, steps: start.budget.trialSteps(100, trials: 40),
      modes: nil, context: start.context, found: measured.adamRate)
    let form = TrialForm(schedule: WarmUp(Self.warmUp, before: Cosine()))
    return Plan(
      kind, Self.phrase(nil, steps: nil), .init(), slower: { Self.phrase($0, steps: nil) }
    ) { [form] bench in
      // The search is part of its work, whoever made it.
      let choice = try search.chosen(on: bench)
      let rate = choice.rate
      var outcome = try bench.run(
        start.objective, AdamW(decay: Self.decay), rate: rate, from: start.point,
        theory: .init(isStable: true),
        extraOperations: choice.operations, form: form)
      guard outcome.chosenRate == nil else { return outcome }
      outcome.chosenRate = rate
      outcome.change = Self.phrase(rate, steps: outcome.limit)
      return outcome
    }
  }
}
