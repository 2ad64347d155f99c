import Curvature
import Presentation

extension SweepReport {
  static func boundary(_ rates: [Rate]) -> Boundary {
    let first = rates.firstIndex(where: \.isDiverged)
    let stable = (first ?? rates.count) - 1
    return Boundary(
      stable: stable >= 0 ? rates[stable].rate : nil, diverged: first.map { rates[$0].rate })
  }

  /// The least mean loss, of several equal to rounding the middle one, with the rates around it that lose no
  /// more than a hundredth of the way down from the start and, of several seeds, whose mean difference from the
  /// least, seed by seed, is within its 95 % interval of zero. Nil where no rate brought the loss down.
  static func best(_ rates: [Rate], start: Double, precision: Double) -> Best? {
    func isAlike(_ index: Int, _ best: Int) -> Bool {
      let differences = zip(rates[index].losses, rates[best].losses).map { $0! - $1! }
      guard differences.count > 1 else { return true }
      let count = Double(differences.count)
      let mean = differences.reduce(0, +) / count
      let variance = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
      return mean <= studentQuantile(0.975, freedom: differences.count - 1)
        * (variance / count).squareRoot()
    }
    let means = rates.map { $0.isDiverged ? nil : $0.mean }
    guard
      let least = LeastLosses(
        means, start: start, precision: precision, share: Best.share, where: isAlike),
      let loss = means[least.middle], loss < start
    else { return nil }
    let seeds = rates[0].losses.count
    let (lower, upper) = (least.near.lowerBound, least.near.upperBound)
    let rate = Wording.number(rates[least.middle].rate)
    func range(_ one: Int, _ other: Int) -> String {
      "\(Wording.number(rates[one].rate)) to \(Wording.number(rates[other].rate))"
    }
    var sentence = "Use \(rate)"
    if least.tied.count > 1 {
      sentence +=
        ", the middle of those from \(range(least.tied.lowerBound, least.tied.upperBound)): all of them ended "
        + "at \(Wording.number(loss, digits: 4)) to rounding"
    } else {
      sentence += ": it ended at the least loss, \(Wording.number(loss, digits: 4))"
    }
    if seeds > 1 { sentence += " in the mean over \(seeds) seeds" }
    let share = "a hundredth of the way down"
    let rest =
      switch (least.near == least.tied, seeds > 1) {
      case _ where least.tied.count == rates.count: "."
      case (true, true):
        "; no other rate that was tried is as good, by \(seeds) seeds and to \(share)."
      case (true, false):
        "; every other rate that was tried loses more than \(share), in one run each."
      case (false, true):
        "; from \(range(lower, upper)) the seeds do not tell the losses apart, and none loses more than "
          + "\(share)."
      case (false, false):
        "; from \(range(lower, upper)) none loses more than \(share), and one seed does not say how sure "
          + "that is."
      }
    sentence += rest
    return Best(
      rate: rates[least.middle].rate, loss: loss, lower: rates[lower].rate,
      upper: rates[upper].rate, sentence: sentence,
      tied: least.tied.count > 1
        ? [rates[least.tied.lowerBound].rate, rates[least.tied.upperBound].rate] : nil)
  }
}
