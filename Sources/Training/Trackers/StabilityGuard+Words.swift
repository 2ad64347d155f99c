import Presentation

extension StabilityGuard {
  mutating func alarm(
    _ sharpness: TrackedValue, rate: Double, loss: Double, along: Double, top: Double
  ) -> GuardAlarm {
    let isAhead = loss <= top && along <= top
    let checks = isAhead ? foretold : Self.patience
    foretold = 0
    let what =
      isAhead
      ? "the loss or its part along the sharpest direction grew so fast that it is about to leave its band"
      : loss > top
        ? "the loss rose above its band"
        : "the part of the loss along the sharpest direction grew above its band"
    numbers.suspicions = 0
    numbers.isTold = 1
    return answer(
      "At the \(sharpness.name.replacing("-", with: " ")) \(Wording.number(sharpness.value)) rates above "
        + "\(Wording.number(rate / numbers.ratio)) are unstable, the rate is \(Wording.number(rate)), and in "
        + "\(checks) checks in a row \(what), which ends at \(Wording.number(top)): "
        + "\(Wording.number(max(loss, along))) now, \(Wording.number(losses.numbers.start)) at the start",
      rate: rate, loss: loss)
  }

  /// By the losses alone.
  mutating func alarm(
    _ verdict: LossWatch.Verdict, rate: Double, loss: Double, top: Double
  ) -> GuardAlarm {
    let start = Wording.number(losses.numbers.start)
    let beside =
      numbers.ratio.isNaN
      ? ""
      : numbers.ratio > 1
        ? " The rate was over the limit of the last check, \(Wording.number(numbers.ratio)) times."
        : " The rate is within the limit of the last check, which is not all there is: batches and momentum "
          + "are unstable below it."
    switch verdict {
    case .aboveBand(let count):
      return answer(
        "\(count) losses in a row lie above their band, which ends at \(Wording.number(top)): "
          + "\(Wording.number(loss)) now, \(start) at the start, at rate \(Wording.number(rate))",
        rate: rate, loss: loss, beside)
    case .aboveStart(let mean):
      return answer(
        "The last \(LossWatch.lot) losses are \(Wording.number(mean)) in the mean, above the \(start) of the start, "
          + "at rate \(Wording.number(rate))", rate: rate, loss: mean, beside)
    case .flat(let mean, let peak, let steps):
      return answer(
        "The loss jumped to \(Wording.number(peak)) \(steps) steps ago and lies flat since, at "
          + "\(Wording.number(mean)) in the mean of \(LossWatch.lot) steps, with \(start) at the start"
          + "\(losses.chance(mean)), at rate \(Wording.number(rate))", rate: rate, loss: mean,
        beside)
    }
  }

  /// What is done about an alarm, in its sentence.
  private mutating func answer(
    _ sentence: String, rate: Double, loss: Double, _ beside: String = ""
  ) -> GuardAlarm {
    switch action {
    case .lowerRate where Int(numbers.lowerings) < Self.mostLowerings:
      return lowered(sentence, rate: rate, loss: loss, beside)
    case .stop:
      return GuardAlarm(sentence + ": the run stops here; start again at a lower rate." + beside)
    case .lowerRate:
      return GuardAlarm(
        sentence + ". The rate has been lowered \(Self.mostLowerings) times, and is left as it is."
          + beside)
    case .off, .warn:
      return GuardAlarm(sentence + ". A lower rate would keep it from growing." + beside)
    }
  }
}
