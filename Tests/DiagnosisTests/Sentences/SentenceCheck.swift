import Foundation

/// What the sentences of a diagnosis say against what its own trials did, read from the JSON alone, so that
/// the report of any version can be checked.
struct SentenceCheck {
  /// Contradictions, in sentences; nothing, if all is well.
  private(set) var faults: [String] = []
  let report: Report

  init(json: Data) throws {
    report = try JSONDecoder().decode(Report.self, from: json)
    checkVerdict()
    checkGivenRate()
    checkSafety()
    checkSuggestion()
    checkLimits()
    checkAction()
    checkCounts()
    checkForecasts()
  }

  /// As much of `eigenstep.diagnosis/1` as is needed.
  struct Report: Decodable {
    struct Problem: Decodable {
      let loss: Double?
      let optimizer: String?
      let isQuadratic: Bool?
    }
    struct Rate: Decodable {
      let stabilityLimit, given: Double?
      let verdict: String?
    }
    struct Prediction: Decodable {
      let rate: Double?
      let iterations: Int?
    }
    struct Sentence: Decodable {
      let id: String?
      let sentence: String
    }
    struct Item: Decodable {
      struct Predicted: Decodable {
        let rate: Double?
        let iterations: Int?
      }
      struct Measured: Decodable {
        let iterations, stepsRun: Int?
        let reached, diverged: Bool
        let loss, relativeGap, gradientEquivalents, lossAtEqualWork, rate, lossAtEnd: Double?
        let settled, wasCut: Bool?
      }
      let id, change: String
      let predicted: Predicted
      let measured: Measured?

      var rate: Double? { measured?.rate ?? predicted.rate }
    }
    struct Advice: Decodable {
      struct Rate: Decodable {
        let suggested: Double?
        let sentence: String
      }
      struct Action: Decodable {
        struct Figures: Decodable { let steps: Int? }
        struct Against: Decodable { let prescription: String }
        let prescription, certainty, sentence: String
        let rate: Double?
        let figures: Figures
        let against: Against?
      }
      struct Basis: Decodable { let isMinimumCertified: Bool? }
      let why: Sentence
      let rate: Rate?
      let action: Action?
      let basis: Basis
    }
    let problem: Problem
    let learningRate: Rate
    let prediction: Prediction
    let findings: [Sentence]
    let prescriptions: [Item]
    /// Nil in reports of the earliest versions.
    let advice: Advice?
  }

  // MARK: What the trials did

  var own: Report.Item? { report.prescriptions.first { $0.id == "as-given" } }
  var given: Double? { report.learningRate.given }
  var isQuadratic: Bool { report.problem.isQuadratic == true }
  private var isPlain: Bool { report.problem.optimizer ?? "gd" == "gd" }

  /// Plain descent on the columns as they are.
  var plain: [Report.Item] {
    report.prescriptions.filter {
      $0.measured != nil
        && (["safe-rate", "fastest-rate"].contains($0.id) || $0.id == "as-given" && isPlain)
    }
  }

  var sentences: [String] {
    let advice = report.advice
    return report.findings.map(\.sentence)
      + [advice?.why.sentence, advice?.rate?.sentence, advice?.action?.sentence].compactMap { $0 }
  }

  private func hasFinding(_ id: String) -> Bool { report.findings.contains { $0.id == id } }

  private func hasFallen(_ item: Report.Item) -> Bool {
    guard let measured = item.measured, !measured.diverged else { return false }
    if measured.reached { return true }
    guard let start = report.problem.loss, let end = measured.lossAtEnd ?? measured.loss else {
      return false
    }
    return end < start && measured.settled != false
  }

  mutating func expect(_ holds: Bool, _ fault: @autoclosure () -> String) {
    if !holds { faults.append(fault()) }
  }

  static func close(_ left: Double, _ right: Double) -> Bool {
    abs(left - right) <= 0.011 * max(abs(left), abs(right))
  }

  func trial(at rate: Double) -> Report.Item? {
    plain.first { $0.rate.map { Self.close($0, rate) } ?? false }
  }

  /// The captures of every match, in order.
  static func matches(_ pattern: String, _ text: String) -> [[String]] {
    let expression = try? NSRegularExpression(pattern: pattern)
    let range = NSRange(text.startIndex..., in: text)
    return (expression?.matches(in: text, range: range) ?? []).map { match in
      (1..<match.numberOfRanges).map { index in
        Range(match.range(at: index), in: text).map { String(text[$0]) } ?? ""
      }
    }
  }

  static func number(_ text: String) -> Double? {
    Double(text.replacingOccurrences(of: ",", with: "").trimmingCharacters(in: ["."]))
  }

  // MARK: The rules

  private mutating func checkVerdict() {
    guard let own, let measured = own.measured, let verdict = report.learningRate.verdict else {
      return
    }
    let isBelow = ["slow", "stable", "oscillating", "no-stable-rate"].contains(verdict)
    expect(!(isBelow && measured.diverged), "\(verdict), and its run diverged")
    expect(
      !(verdict == "unstable" && !isQuadratic && hasFallen(own)),
      "unstable, and its run went on falling")
    expect(
      verdict != "unstable-here-settles" || hasFallen(own) && !isQuadratic,
      "settles, and its run did not fall")
    expect(
      verdict != "stable-here-diverged" || measured.diverged,
      "diverged, and its run did not")
  }

  private mutating func checkGivenRate() {
    guard let own, let measured = own.measured else { return }
    if measured.diverged {
      for id in ["rate-far-below", "rate-oscillates", "rate-limited-by-sharpest"] {
        expect(!hasFinding(id), "\(id), and its run diverged")
      }
      expect(
        report.advice?.why.sentence.contains("Nothing in the curvature stands in the way") != true,
        "nothing in the way, and the given rate diverged")
      if let sentence = report.advice?.rate?.sentence, sentence.contains("Yours, ") {
        expect(sentence.contains("diverge"), "not said that it diverged: \(sentence)")
      }
    }
    guard hasFallen(own) else { return }
    // What contradicts the run must say what the run did.
    for sentence in sentences
    where ["training diverges", "training is unstable", "locally unstable", "diverged when run"]
      .contains(where: sentence.contains) && !sentence.contains("when run the loss")
      && !sentence.contains("yet when run it settled")
      && !sentence.contains("steps that were run")
    {
      let isOther =
        sentence.contains("diverged when run") && plain.contains { $0.measured!.diverged }
      expect(isOther, "the given rate's run fell: \(sentence)")
    }
  }

  private mutating func checkSafety() {
    for sentence in sentences {
      for match in Self.matches(#"a rate ([\d.,e+-]+)(?: or more)? times larger is safe"#, sentence)
      {
        guard let factor = Self.number(match[0]), let given else { continue }
        let broken = plain.filter {
          $0.measured!.diverged && ($0.rate ?? .infinity) <= 1.02 * factor * given
        }
        expect(broken.isEmpty, "\(broken.map(\.id)) diverged: \(sentence)")
      }
      if sentence.contains("the safe rate") {
        let safe = report.prescriptions.first { $0.id == "safe-rate" }
        expect(safe?.measured?.diverged != true, "the safe rate diverged: \(sentence)")
      }
      for match in Self.matches(#"a rate of ([\d.,e+-]+) is safe"#, sentence) {
        let broken = Self.number(match[0]).flatMap { trial(at: $0) }?.measured?.diverged
        expect(broken != true, "it diverged: \(sentence)")
      }
      for match in Self.matches(
        #"a rate ([\d.,e+-]+)(?: or more)? times larger did not diverge when run for ([\d,]+) step"#,
        sentence)
      {
        guard let factor = Self.number(match[0]), let given, let steps = Self.number(match[1])
        else { continue }
        let isKnown = plain.contains { item in
          guard let measured = item.measured, let rate = item.rate else { return false }
          return Self.close(rate, factor * given) && !measured.diverged
            && Double(measured.stepsRun ?? -1) == steps
        }
        expect(isKnown, "no such run: \(sentence)")
        let (own, other) = (own?.measured, trial(at: factor * given)?.measured)
        if let own, let other, !own.reached {
          let gaps = (own.relativeGap ?? .infinity, other.relativeGap ?? 0)
          expect(other.reached || gaps.1 <= gaps.0, "it came to no more: \(sentence)")
        }
      }
    }
    if sentences.contains(where: { $0.contains("one learning rate suits every direction") }) {
      expect(
        plain.isEmpty || plain.contains { !$0.measured!.diverged },
        "a round bowl, and every rate diverged")
    }
  }

  private mutating func checkSuggestion() {
    guard let rate = report.advice?.rate else { return }
    if let suggested = rate.suggested, let run = self.trial(at: suggested) {
      expect(run.measured?.diverged == false, "the rate \(suggested) diverged: \(rate.sentence)")
    }
    for pattern in [
      #"([\d.,e+-]+) suits the sharpest direction"#, #"([\d.,e+-]+) gets there in the fewest"#,
      #"([\d.,e+-]+) is predicted to get there"#,
    ] {
      for match in Self.matches(pattern, rate.sentence) {
        let run = Self.number(match[0]).flatMap { self.trial(at: $0) }
        expect(run?.measured?.diverged != true, "it diverged: \(rate.sentence)")
      }
    }
    let isByLoss = report.advice?.basis.isMinimumCertified == false
    let isBelow = rate.sentence.contains("Of the rates below it")
    let limit = report.learningRate.stabilityLimit ?? .infinity
    func lowest(_ value: (Report.Item.Measured) -> Double?) -> Double? {
      plain.filter { !$0.measured!.diverged && !(isBelow && $0.rate ?? 0 >= limit) }.compactMap {
        value($0.measured!)
      }.min()
    }
    func named(_ name: String) -> Report.Item? {
      name == "yours" || name == "Yours" ? own : Self.number(name).flatMap { trial(at: $0) }
    }
    let name = #"([Yy]ours|[\d.,e+-]+)"#
    for match in Self.matches(name + #" came (?:lowest|closest)"#, rate.sentence) {
      func value(_ measured: Report.Item.Measured) -> Double? {
        isByLoss ? measured.lossAtEqualWork : measured.relativeGap
      }
      guard let best = lowest(value), let own = named(match[0])?.measured.flatMap(value) else {
        expect(false, "of no run: \(rate.sentence)")
        continue
      }
      expect(own <= best + 1e-9 * abs(best), "another came closer: \(rate.sentence)")
      let steps = named(match[0])?.measured?.stepsRun ?? 0
      let isShort = plain.contains {
        $0.measured!.wasCut == true && $0.measured!.stepsRun ?? 0 < steps
          && !(isBelow && $0.id == "as-given")
      }
      expect(
        !isShort || rate.sentence.contains("was stopped after"), "a shorter run: \(rate.sentence)")
    }
    for match in Self.matches(name + #" took the least work: ([\d,]+) step"#, rate.sentence) {
      let item = named(match[0])?.measured
      let least: Double = lowest { $0.reached ? $0.gradientEquivalents : nil } ?? 0
      let work: Double = item?.gradientEquivalents ?? .infinity
      let steps: Double? = item?.iterations.map { Double($0) }
      expect(
        steps == Self.number(match[1]) && work <= 1.001 * least,
        "another took less: \(rate.sentence)")
    }
    if rate.sentence.contains("no other rate that was run did better"), let own = own?.measured,
      !own.reached
    {
      expect(
        !plain.contains { $0.measured!.reached }, "another reached the tolerance: \(rate.sentence)")
    }
  }

  /// A limit names its optimizer, and no advice of the same optimizer lies above it.
  private mutating func checkLimits() {
    guard let limit = report.learningRate.stabilityLimit,
      let sentence = report.advice?.rate?.sentence,
      sentence.contains("Stay below")
    else { return }
    let holder = Self.matches(#"Stay below [\d.,e+-]+, the stability limit( of [^.,]+)?"#, sentence)
    let isNamed = holder.first.map { $0[0].hasPrefix(" of ") } ?? false
    if let action = report.advice?.action, let rate = action.rate, rate > limit {
      let isPlainAction = ["safe-rate", "fastest-rate"].contains(action.prescription)
      expect(
        isNamed && !(isPlainAction && isPlain) && action.prescription != "as-given",
        "\(sentence) And yet: \(action.sentence)")
    }
    if let suggested = report.advice?.rate?.suggested {
      expect(suggested <= 1.0001 * limit || !isPlain, "\(suggested) is above it: \(sentence)")
    }
  }
}
