import Presentation
import Training

/// What a rate rests on, in words that are true of its runs.
struct AutoRateWords {
  let auto: AutoRate
  /// Of the rate that was chosen, and at the start.
  let loss: Double
  /// How many rates it was chosen among where there are batches, and in how many orders each was run.
  let confirmed: (rates: Int, orders: Int)
  let start: Double
  let optimizer: any Optimizer
  let measured: Result<StepLimit, StepLimit.Absence>
  /// The rates that were run next to the interval.
  let beside: [Double]
  /// Whether others ended at the same loss.
  let isTied: Bool
  /// Of the run.
  let steps: Int
  let isPart: Bool

  var sentence: String { [choice, theory, runs].joined(separator: " ") }

  private var choice: String {
    let (lower, upper) = (Wording.number(auto.lower), Wording.number(auto.upper))
    let rate = Wording.number(auto.rate)
    let share = "a hundredth of the way down"
    let others = Wording.list(beside.map { Wording.number($0) })
    guard lower != upper else {
      return "The rate is \(rate); \(others), run beside it, lose more than \(share)."
    }
    return
      "The rate is \(rate) (in the short runs those from \(lower) to \(upper) lose at most \(share)"
      + (isTied ? ", and several around it ended at the same loss" : "")
      + (beside.isEmpty
        ? ")."
        : "; \(others), run beside \(beside.count == 1 ? "them, loses" : "them, lose") more).")
  }

  private var theory: String {
    let noise = auto.noise.map {
      "the noise of the batches is \(Wording.number($0)) times the squared gradient"
    }
    switch measured {
    case .failure(let absence):
      return absence.sentence(optimizer)
        + (noise.map { " At the start \($0), and the runs alone chose." }
          ?? " The runs alone chose.")
    case .success(let limit):
      var text =
        "The largest eigenvalue of the \(limit.isPreconditioned ? "preconditioned " : "")Hessian at the "
        + "start is \(Wording.number(limit.sharpness)), which limits \(optimizer.phrase) to "
        + Wording.number(limit.rate)
      text += noise.map { ", and \($0)" } ?? ""
      if let expected = auto.expected, auto.noise != nil {
        text +=
          isCompatible(expected)
          ? ": about \(Wording.number(expected)) was expected, and the runs agree"
          : "; about \(Wording.number(expected)) would follow from that, and the runs speak against it"
      }
      text += "."
      guard auto.upper > limit.rate else { return text }
      return text
        + " That limit is of a constant rate where the run starts, and runs above it ended as well here."
    }
  }

  /// Whether no run next to the interval stands between it and this rate.
  private func isCompatible(_ rate: Double) -> Bool {
    beside.allSatisfy { ($0 < auto.lower) == ($0 < rate) && $0 != rate }
  }

  private var standing: String {
    if isTied { return "the least to rounding" }
    guard confirmed.orders > auto.orders else { return "the least" }
    return
      "the least of \(Wording.count(confirmed.rates)) that were run in \(confirmed.orders) orders and never "
      + "ended above the start"
  }

  private var runs: String {
    let whole = auto.steps == steps
    let own = isPart ? "that \(optimizer.phrase) has at most" : ""
    let length =
      whole
      ? (isPart
        ? "the \(Wording.count(steps, "step")) \(own)"
        : steps == 1 ? "its one step" : "all \(Wording.count(steps, "step"))")
      : "\(Wording.count(auto.steps)) of the \(Wording.count(steps, "step"))\(isPart ? " \(own)" : "")"
    return "\(Wording.count(auto.candidates.count, "rate")) from "
      + "\(Wording.number(auto.candidates[0].rate)) to \(Wording.number(auto.candidates.last!.rate)) were run "
      + "from the same start for \(length)"
      + (auto.orders > 1 ? ", in \(auto.orders) orders of the batches" : "")
      + "; at \(Wording.number(auto.rate)) the loss came to \(Wording.number(loss, digits: 4)), "
      + standing + ", from \(Wording.number(start, digits: 4))"
      + (whole ? "." : ". What a run of full length does beyond that is not known.")
  }
}
