import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let decayedRate = Self("decayed-rate", effort: 1, swing: .asGiven)
}

/// In mini-batches: the given optimizer from half of the limit of the batches and from the given rate, as far as
/// they are known and below it, the rate lowered along a line to zero, so that the noise dies out with it. The lower
/// of both counts.
struct DecayedRate: Remedy {
  let kind = Prescription.Kind.decayedRate

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    guard let batches = measured.userBatches else { return nil }
    let limit = batches.limit(start.optimizer)
    let own = limit.map { $0 / 2 }
    // A rate that is not known to be too large may be lowered from where it is.
    let given =
      measured.facts.verdict == .unstable
      ? nil : start.request.training.rate.flatMap { $0 < limit ?? .infinity ? $0 : nil }
    let optimizer: any Optimizer =
      own != nil || given != nil ? start.optimizer : GradientDescent()
    var rates = [own, given].compactMap { $0 }
    if rates.isEmpty { rates = [1 / measured.survey.upperBound] }
    if rates.count == 2, abs(rates[0] - rates[1]) <= 0.1 * rates[0] { rates.removeLast() }
    let form = TrialForm(schedule: Polynomial())
    @Sendable func phrase(_ rate: Double) -> String {
      "\(optimizer.phrase) at \(Wording.number(rate)), lowered step by step to zero"
    }
    return Plan(
      kind, phrase(rates[0]), .init(rate: rates[0]),
      note: rates.count == 2
        ? "of runs that began at \(Wording.list(rates.map { Wording.number($0) })) the lower" : nil,
      slower: phrase
    ) { [rates] bench in
      var best: TrialBench<Scalar>.Outcome?
      for rate in rates {
        let theory = measured.theory(measured.survey, rate: rate, by: optimizer)
        var outcome = try bench.run(
          start.objective, optimizer, rate: rate, from: start.point, theory: theory, form: form)
        guard !outcome.wasCancelled else { return outcome }
        if outcome.chosenRate == nil {
          outcome.chosenRate = rate
          outcome.change = phrase(rate)
        }
        if best.map({ outcome.isBetter(than: $0) }) ?? true { best = outcome }
      }
      return best!
    }
  }
}

extension TrialBench.Outcome {
  /// Whether it ended lower in the mean over the orders of its batches.
  fileprivate func isBetter(than other: Self) -> Bool {
    guard isDiverged == other.isDiverged else { return !isDiverged }
    func end(_ outcome: Self) -> Double {
      outcome.orders.reduce(0) { sum, order in
        let values = order.gaps ?? order.losses
        return sum + values.reduce(0, +) / Double(values.count)
      }
    }
    return end(self) < end(other)
  }
}
