import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let adam = Self("adam", effort: 3, swing: .always)
}

/// Adam at the best of four rates.
struct AdamAtTheBestRate: Remedy {
  let kind = Prescription.Kind.adam

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    let search = AdamSearch(
      start.objective, from: start.point, steps: start.budget.trialSteps(100, trials: 40),
      modes: measured.exactLoss(measured.survey), context: start.context,
      found: measured.adamRate)
    return Plan(
      kind, AdamSearch<Scalar>.phrase, .init(), slower: AdamSearch<Scalar>.slower
    ) { try search.run(on: $0) }
  }
}
