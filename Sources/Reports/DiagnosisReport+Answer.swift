import Diagnosis

extension DiagnosisReport {
  /// The sentence that answers "why": that of the first finding.
  var headline: String {
    findings.first?.sentence ?? "Nothing in the curvature stands in the way of training."
  }

  /// Three short paragraphs: why, which rate, what to do.
  func answer(_ style: TerminalStyle) -> [String] {
    var lines: [String] = []
    func paragraph(_ word: String, _ text: String, _ ink: TerminalStyle.Ink) {
      var wrapped = style.wrap(text, indent: 6)
      guard !wrapped.isEmpty else { return }
      let space = String(repeating: " ", count: 6 - word.count)
      wrapped[0] = style.paint(word, .bold, ink) + space + wrapped[0].dropFirst(6)
      lines += wrapped
    }
    paragraph("Why", headline, .yellow)
    if let rate = rateSentence { paragraph("Rate", rate, .cyan) }
    if let advice { paragraph("Do", advice, .green) }
    return lines
  }

  private var rateSentence: String? {
    guard let limit = learningRate.stabilityLimit else { return learningRate.note }
    var text = "Stay below \(Wording.number(limit)), the stability limit."
    let fastest = prescriptions.first { $0.id == Prescription.Kind.fastestRate.rawValue }
    if let rate = fastest?.predicted.rate {
      text += " \(Wording.number(rate)) gets there fastest."
    } else if let bound = curvature.largest.upperBound, bound > 0 {
      text += " \(Wording.number(1 / bound)) is safe in every direction."
    }
    guard let given = learningRate.given, let verdict = learningRate.verdict else { return text }
    return text + " Yours, \(Wording.number(given)), \(verdict.meaning)."
  }

  private var advice: String? {
    guard let best = prescriptions.first(where: { $0.measured?.reached == true }),
      let measured = best.measured, let iterations = measured.iterations
    else {
      guard let first = prescriptions.first, first.measured == nil else { return nil }
      let steps = first.predicted.iterations.map { ": \(Wording.count($0, "step")) predicted" }
      return "\(first.change)\(steps ?? "") (not run)."
    }
    var text = "\(best.change): \(Wording.count(iterations, "step"))"
    let work = measured.gradientEquivalents
    if let work, abs(work - Double(iterations)) > 0.5 {
      text += ", as much work as \(Wording.number(work)) gradients,"
    }
    text += " when run"
    let plain = [Prescription.Kind.asGiven, .safeRate].lazy.compactMap { kind in
      prescriptions.first { $0.id == kind.rawValue && $0.id != best.id }
    }.first
    if let plain, let before = plain.measured {
      let name = plain.id == Prescription.Kind.asGiven.rawValue ? "your rate" : "the safe rate"
      if let steps = before.iterations {
        text += ", against \(Wording.count(steps)) at \(name)"
      } else if before.diverged {
        text += "; \(name) diverged"
      } else if let steps = before.stepsRun {
        text += "; \(name) was not there after \(Wording.count(steps))"
      }
    }
    return text + "."
  }
}

extension Verdict {
  /// To be read after "your rate".
  var meaning: String {
    switch self {
    case .slow: "is far too small"
    case .stable: "is stable"
    case .oscillating: "is stable but overshoots the sharpest direction at every step"
    case .unstable: "is too large: training is unstable"
    case .noStableRate: "is as good as any: some direction curves downwards and no rate is stable"
    }
  }
}

extension DiagnosisReport {
  /// The remedies, best first: what was predicted, what was measured.
  func prescriptionLines(_ style: TerminalStyle) -> [String] {
    guard !prescriptions.isEmpty else { return [] }
    let table = TextTable(
      columns: ["", "predicted", "measured", "work", "gap left"],
      rows: prescriptions.map { item in
        [
          (item.measured?.reached == true && item == prescriptions.first ? "* " : "  ") + item.id,
          item.predicted.iterations.map { Wording.count($0) } ?? "-", measuredSteps(item),
          item.measured?.gradientEquivalents.map { Wording.number($0) } ?? "-",
          item.measured?.relativeGap.map { Wording.number($0, digits: 2) } ?? "-",
        ]
      }
    ).lines()
    var lines = [
      style.paint("What was tried, best first", .bold),
      style.paint(table.heading, .dim),
    ]
    for (item, row) in zip(prescriptions, table.rows) {
      let isBest = row.hasPrefix("  *")
      let failed = item.measured?.diverged == true
      lines.append(isBest ? style.paint(row, .green) : failed ? style.paint(row, .red) : row)
      let words = item.change + (item.note.map { " (\($0))" } ?? "")
      lines += style.wrap(words, indent: 6).map { style.paint($0, .dim) }
    }
    lines += style.wrap(
      "Steps until the loss gap is \(Wording.number(prediction.tolerance)) of its first value; "
        + "work counts evaluations of the gradient.", indent: 2)
    return lines
  }

  private func measuredSteps(_ item: Prescription) -> String {
    guard let measured = item.measured else { return "not run" }
    if measured.diverged { return "diverged" }
    if let iterations = measured.iterations { return Wording.count(iterations) }
    return measured.stepsRun.map { "> \(Wording.count($0))" } ?? "not reached"
  }
}
