import Foundation

/// What is said to do, and counts of steps, beside the trials.
extension SentenceCheck {
  mutating func checkAction() {
    guard let action = report.advice?.action,
      let item = report.prescriptions.first(where: { $0.id == action.prescription })
    else { return }
    if let measured = item.measured {
      expect(!measured.diverged, "it diverged: \(action.sentence)")
      expect(action.certainty != "measured" || measured.reached, "not reached: \(action.sentence)")
      for match in Self.matches(#": ([\d,]+) steps? when run"#, action.sentence).prefix(1) {
        expect(
          measured.iterations.map(Double.init) == Self.number(match[0]),
          "other steps: \(action.sentence)")
      }
      if !measured.reached, let start = report.problem.loss, let loss = measured.lossAtEqualWork {
        expect(loss < start, "it ended above its start: \(action.sentence)")
      }
    } else {
      expect(
        !report.prescriptions.contains { $0.measured?.reached == true },
        "another was run, and reached the tolerance: \(action.sentence)")
    }
    let against = action.against.flatMap { other in
      report.prescriptions.first { $0.id == other.prescription }
    }
    if let measured = against?.measured {
      expect(
        measured.diverged || !action.sentence.contains("; your rate diverged"),
        "your rate did not diverge: \(action.sentence)")
      for match in Self.matches(#", against ([\d,]+) at (?:your|the|gradient)"#, action.sentence) {
        // A loss at equal work has no thousands' commas and may be any number.
        guard let iterations = measured.iterations else { continue }
        expect(Double(iterations) == Self.number(match[0]), "other steps: \(action.sentence)")
      }
    }
  }

  /// Counts of steps beside what was measured of the same rate.
  mutating func checkCounts() {
    for sentence in Set(sentences) {
      func agree(_ count: String, _ item: Report.Item?) -> Bool {
        guard let measured = item?.measured, let count = Self.number(count) else { return true }
        if let iterations = measured.iterations {
          return abs(Double(iterations) - count) <= 0.02 * count + 1
        }
        return !measured.diverged && Double(measured.stepsRun ?? 0) <= count
      }
      for match in Self.matches(#"It would take ([\d.,e+-]+) steps? to reach"#, sentence) {
        expect(agree(match[0], own), "the run at it says otherwise: \(sentence)")
      }
      for match in Self.matches(
        #"a rate of ([\d.,e+-]+) (?:would take|took) ([\d.,e+-]+)"#, sentence)
      {
        let item = Self.number(match[0]).flatMap { trial(at: $0) }
        expect(agree(match[1], item), "the run at it says otherwise: \(sentence)")
      }
      for match in Self.matches(#"was not (?:at the tolerance|there) after ([\d,]+)"#, sentence) {
        let steps = report.prescriptions.compactMap(\.measured?.stepsRun)
        expect(
          Self.number(match[0]).map { steps.contains(Int($0)) } ?? false, "no such run: \(sentence)"
        )
      }
      if sentence.contains("did not come down"), let start = report.problem.loss {
        expect(own?.measured?.lossAtEqualWork ?? start >= start, "it did on its way: \(sentence)")
      }
      if sentence.contains("A larger learning rate alone does little"), let own = own?.measured,
        let steps = own.iterations ?? own.stepsRun
      {
        let quicker = plain.filter {
          ($0.rate ?? 0) > 1.02 * (given ?? 0)
            && ($0.measured?.iterations).map { 10 * $0 < steps } ?? false
        }
        expect(quicker.isEmpty, "\(quicker.map(\.id)) took a tenth: \(sentence)")
      }
    }
  }

  /// No forecast stands beside a verdict that takes it back, nor far from the run of the same rate.
  mutating func checkForecasts() {
    let isAbove = ["unstable", "unstable-here-settles", "stable-here-diverged"]
      .contains(report.learningRate.verdict)
    if isAbove, !isQuadratic {
      expect(report.prediction.iterations == nil, "a forecast of what is unstable")
      expect(own?.predicted.iterations == nil, "a count for the given rate, which is unstable")
    }
    guard let own, let measured = own.measured, let count = report.prediction.iterations else {
      return
    }
    expect(!measured.diverged, "\(count) steps predicted of a run that diverged")
    if let iterations = measured.iterations {
      expect(
        max(iterations, count) <= 2 * min(iterations, count) + 5,
        "\(count) steps predicted for \(iterations)")
    } else if let steps = measured.stepsRun {
      expect(count > steps, "\(count) steps predicted, and not there after \(steps)")
    }
  }
}
