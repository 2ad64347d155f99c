import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The sentences that answer "why": the first finding, and for a rate that diverges also what makes
  /// training slow below it.
  var headline: String {
    guard let first = findings.first?.sentence else {
      return "Nothing in the curvature stands in the way of training."
    }
    guard findings[0].id == "rate-above-limit",
      let scales = finding("ill-conditioned-feature-scales")
    else { return first }
    return "\(first) Below the limit, \(scales.sentence.prefix(1).lowercased())"
      + scales.sentence.dropFirst()
  }

  /// Whether the headline says what a finding says.
  func isInHeadline(_ finding: Finding) -> Bool {
    finding == findings.first
      || findings.first?.id == "rate-above-limit" && finding.id == "ill-conditioned-feature-scales"
  }

  func finding(_ id: String) -> Finding? { findings.first { $0.id == id } }

  /// Whether the loss is a quadratic, on which predictions are exact and the limit holds everywhere.
  var isQuadratic: Bool { problem.model == "linear" && problem.lossName != "cross-entropy" }

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
    let place = isQuadratic ? "" : " at this point"
    var text = "Stay below \(Wording.number(limit)), the stability limit\(place)."
    // The remedies are rates of plain descent.
    if problem.optimizer ?? "gd" == "gd" {
      let fastest = prescriptions.first { $0.id == Prescription.Kind.fastestRate.rawValue }
      if let rate = fastest?.predicted.rate, fastest?.predicted.iterations != nil {
        text +=
          " As the data stand, \(Wording.number(rate)) gets there in the fewest predicted steps, "
          + "a margin of 5 % kept."
      } else if let bound = curvature.largest.upperBound, bound > 0 {
        text += " \(Wording.number(1 / bound)) suits the sharpest direction."
      }
    }
    guard let given = learningRate.given, let verdict = learningRate.verdict else { return text }
    return text + " Yours, \(Wording.number(given)), \(verdict.meaning)."
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
    case .noStableRate:
      "is below it; no rate is stable along a direction that curves downwards"
    }
  }
}
