import Presentation

/// Which rate: the limit and whose it is, the rate that the trials or the forecast speak for, the given one.
extension AdviceFacts {
  var rate: Advice.Rate? {
    let suggestion = suggestion
    var sentences = [limitSentence, suggestion?.sentence, givenSentence].compactMap { $0 }
    guard !sentences.isEmpty else { return nil }
    // A note is no sentence until others follow.
    if sentences.count > 1, !sentences[0].hasSuffix(".") { sentences[0] += "." }
    sentences[0] = capitalised(sentences[0])
    return Advice.Rate(
      stabilityLimit: learningRate.stabilityLimit, suggested: suggestion?.rate,
      suggestion: suggestion?.kind, given: learningRate.given, verdict: learningRate.verdict,
      sentence: sentences.joined(separator: " "))
  }

  /// Whether the limit holds everywhere.
  private var isLimitGlobal: Bool {
    learningRate.restsOn.map { $0 == .limitEverywhere } ?? basis.isQuadratic
  }

  private var limitSentence: String? {
    let name =
      learningRate.optimizer ?? (isPlain ? "gradient descent" : problem.optimizer ?? "it")
    guard let limit = learningRate.stabilityLimit else {
      guard let miniBatches, let own = miniBatches.limit else { return learningRate.note }
      return "Stay below \(Wording.number(own)), the limit of \(name) on batches of "
        + "\(Wording.count(miniBatches.batch, "sample")) with the second moments "
        + (miniBatches.runRate.map {
          "of a run at \(Wording.number($0)) from the minimum: at another rate they are others, and so is "
            + "the limit."
        }
          ?? "that steps are divided by at this point: along a run they change, and with them the limit.")
    }
    if let miniBatches, let own = miniBatches.limit, own < limit {
      return "Stay below \(Wording.number(own)), the limit of \(name) on batches of "
        + "\(Wording.count(miniBatches.batch, "sample")) (\(Wording.number(limit)) on all at once)."
    }
    let number = Wording.number(limit)
    let onBatches = miniBatches?.limitRemark(limit).map { " \($0)" } ?? ""
    // A limit that a run has shown not to decide is told and not advised.
    switch learningRate.verdict {
    case .unstableHereSettles, .stableHereDiverged:
      return "The stability limit of \(name) at this point is \(number)." + onBatches
    case .slow, .stable, .oscillating, .unstable, .noStableRate, .unstableInBatches, nil:
      return "Stay below \(number), the stability limit of \(name)"
        + (basis.isQuadratic ? "." : " at this point.") + onBatches
    }
  }

  // MARK: The suggestion

  private struct Suggested {
    var rate: Double?
    var kind: Advice.Suggestion?
    var sentence: String
  }

  /// A rate of plain descent; nil for other optimizers.
  private var suggestion: Suggested? {
    guard isPlain, learningRate.stabilityLimit != nil else { return nil }
    if let run = suggestionInBatches { return run }
    if let miniBatches, !miniBatches.isWhole, let own = miniBatches.limit {
      return .init(
        rate: own / 2, kind: .halfOfBatchLimit,
        sentence:
          "Half of it, \(Wording.number(own / 2)), keeps clear of bursts; the loss that noise "
          + "leaves falls with the rate.")
    }
    if let fastest = prescription(.fastestRate), fastest.measured?.diverged != true,
      basis.isQuadratic, let rate = fastest.predicted.rate, fastest.predicted.iterations != nil
    {
      return .init(
        rate: rate, kind: .fewestPredictedSteps,
        sentence: "As the data stand, \(Wording.number(rate)) gets there in the fewest predicted "
          + "steps, a margin of 5 % kept.")
    }
    if let run = suggestionOfTrials { return run }
    guard let bound = curvature.largest.upperBound, bound > 0 else { return nil }
    if !basis.isQuadratic,
      let item = plainRates.compactMap({ item in
        item.predicted.iterations.map { (item: item, steps: $0) }
      }).min(by: { $0.steps < $1.steps })?.item, let rate = item.predicted.rate
    {
      return .init(
        rate: rate, kind: .fewestPredictedSteps,
        sentence: "\(Wording.number(rate)) is predicted to get there in the fewest steps (not run)."
      )
    }
    return .init(
      rate: 1 / bound, kind: .sharpestDirection,
      sentence: "\(Wording.number(1 / bound)) suits the sharpest direction"
        + (basis.isQuadratic ? "." : " here (not run)."))
  }

  /// Of the rates that were run in the batches: the one that came lowest, the simplest of those that cannot be told
  /// from it. None at or above the limit of the batches.
  private var suggestionInBatches: Suggested? {
    let kinds: [Prescription.Kind] = [.asGiven, .safeRate, .fastestRate, .decayedRate]
    let limit = miniBatches?.limit ?? .infinity
    let all = kinds.compactMap { prescription($0) }.filter { item in
      item.measured?.inBatches?.batch != nil && item.measured?.diverged == false
    }
    let run = all.filter { $0.rateRun.map { $0 < limit } ?? false }
    // What to do may be another of them, which comes near enough for less.
    let chosen = run.first { $0.id == closest?.id }
    guard let (best, isAlone) = bestInBatches(run, preferred: chosen), let rate = best.rateRun
    else { return nil }
    let near =
      chosen.map {
        $0.id == best.id
          ? ""
          : "; \(name(ofBatched: $0)) comes near it"
            + (isHigherForLess($0, than: best) ? " for less" : "")
      } ?? ""
    let below = all.count == run.count ? "" : "below the limit "
    return .init(
      rate: chosen?.rateRun ?? rate, kind: .lowestInBatches,
      sentence: "Of the rates \(below)that were run in your batches, \(name(ofBatched: best)) "
        + (run.count == 1
          ? "alone did not diverge."
          : (isAlone ? "came lowest" : "came as low as any, for what their runs tell") + near + ".")
    )
  }

  private func name(ofBatched item: Prescription) -> String {
    if item.id == Prescription.Kind.asGiven.rawValue { return "yours" }
    let number = Wording.number(item.rateRun ?? 0)
    return item.id == Prescription.Kind.decayedRate.rawValue
      ? "\(number), lowered step by step to zero," : number
  }

  /// Plain descent on the columns as they are, in the report's order: best first.
  private var plainRates: [Prescription] {
    let ids = [Prescription.Kind.fastestRate, .safeRate].map(\.rawValue)
    return prescriptions.filter { ids.contains($0.id) }
  }

  /// The best of the rates of plain descent that were run; nil where none was.
  private var suggestionOfTrials: Suggested? {
    // What the limit and its run speak against is not suggested, however low it ended.
    let isRejected = learningRate.verdict == .unstable
    let own = isRejected ? nil : prescription(.asGiven)
    let run = prescriptions.filter { item in
      item.measured != nil && (item.id == own?.id || plainRates.contains { $0.id == item.id })
    }
    guard run.contains(where: { $0.id != own?.id }) else { return nil }
    let first = curvature.largest.upperBound.map { 1 / $0 }
    // A rate that was replaced by a smaller one had diverged.
    let isReplaced =
      prescription(.safeRate)?.rateRun.flatMap { rate in
        first.map { rate < 0.75 * $0 }
      } ?? false
    var remark =
      isReplaced
      ? first.map { " One over the sharpness here, \(Wording.number($0)), diverged." } ?? "" : ""
    guard let best = run.first(where: { $0.measured?.diverged == false }), let rate = best.rateRun
    else {
      let rates = run.compactMap(\.rateRun).map { Wording.number($0) }
      return .init(
        rate: nil, kind: nil,
        sentence: "Gradient descent diverged at \(Wording.list(rates)) when run.")
    }
    // A shorter run of another rate says less.
    let cut = run.filter { item in
      guard item.id != best.id, let measured = item.measured, measured.wasCut == true else {
        return false
      }
      return best.measured?.iterations == nil
        && (measured.stepsRun ?? 0) < (best.measured?.stepsRun ?? 0)
    }
    if let item = cut.first, let rate = item.rateRun, let steps = item.measured?.stepsRun {
      remark +=
        " \(item.id == own?.id ? "Yours" : Wording.number(rate)) was stopped after "
        + "\(Wording.count(steps, "step")), since it could no longer win."
    }
    let isOwn = best.id == own?.id
    let name = isOwn ? "yours" : Wording.number(rate)
    let others =
      run.count == 1 ? "" : "Of the rates \(isRejected ? "below it " : "")that were run, "
    let words: String
    if let steps = best.measured?.iterations {
      words =
        "\(name) took \(run.count == 1 ? "" : "the least work: ")\(Wording.count(steps, "step"))"
      return .init(
        rate: rate, kind: .leastWorkWhenRun, sentence: capitalised("\(others)\(words).") + remark)
    }
    words =
      run.count == 1
      ? "\(name) did not diverge when run"
      : "\(name) came \(basis.isJudgedByLoss ? "lowest" : "closest")"
    return .init(
      rate: rate, kind: .lowestWhenRun, sentence: capitalised("\(others)\(words).") + remark)
  }

  // MARK: The given rate

  private var givenSentence: String? {
    guard let rate = learningRate.given else { return nil }
    if learningRate.verdict == .unstableInBatches, miniBatches?.growsInMostRuns == true {
      return
        "Yours, \(Wording.number(rate)), is below the limit of all samples but above that of your batches, "
        + "and in most runs the error grows."
    }
    if learningRate.verdict == .unstableInBatches, let run = miniBatches?.run, run.ranAway {
      return
        "Yours, \(Wording.number(rate)), is below the limit of all samples but not below that of your "
        + "batches, and did not come back from a burst when run in them."
    }
    guard let verdict = learningRate.verdict else {
      return learningRate.run.map { "Yours, \(Wording.number(rate)), \($0.ofUnknownLimit)." }
    }
    return "Yours, \(Wording.number(rate)), "
      + verdict.meaning(
        learningRate.run, isLimitKnown: learningRate.stabilityLimit != nil,
        isLimitGlobal: isLimitGlobal, best: isGivenBest) + "."
  }

  /// Whether no other rate of plain descent that was run came to more than the given one.
  private var isGivenBest: Bool {
    guard let own = prescription(.asGiven), own.measured?.diverged == false else { return false }
    if let decayed = prescription(.decayedRate), isLower(decayed, than: own) { return false }
    return prescriptions.first { item in
      item.measured?.diverged == false
        && (item.id == own.id || plainRates.contains { $0.id == item.id })
    }?.id == own.id
      && plainRates.contains { $0.measured != nil }
  }
}

extension RateRun {
  /// To be read after "yours".
  fileprivate var ofUnknownLimit: String {
    switch outcome {
    case .diverged: "diverged when run, \(Self.by(steps))"
    case .fell: "did not diverge when run: the loss went \(course)"
    case .notLower: "did not diverge when run, but \(swing)"
    }
  }
}

extension Verdict {
  /// To be read after "yours": what the limit says, then what a run did.
  ///
  /// - Parameters:
  ///   - run: nil where it was not run.
  ///   - isLimitKnown: false for what is known to curve downwards alone.
  ///   - isLimitGlobal: whether the limit holds everywhere, so that no run is needed to know.
  ///   - best: whether no other rate of plain descent that was run came to more.
  fileprivate func meaning(
    _ run: RateRun?, isLimitKnown: Bool, isLimitGlobal: Bool, best: Bool
  ) -> String {
    // What the loss did, where the limit alone does not tell.
    func course(_ contrast: String = ", but") -> String {
      guard !isLimitGlobal else { return "" }
      guard let run else { return " (not run)" }
      switch run.outcome {
      case .diverged: return "\(contrast) diverged when run, \(RateRun.by(run.steps))"
      case .fell: return "; when run the loss went \(run.course)"
      case .notLower: return "\(contrast) when run \(run.swing)"
      }
    }
    switch self {
    case .slow:
      if best {
        return "is far below the limit, and no other rate that was run did better\(course())"
      }
      return "is far too small\(isLimitGlobal ? "" : " for the curvature here")\(course(";"))"
    case .stable: return (isLimitGlobal ? "is stable" : "is below the limit") + course()
    case .oscillating:
      return
        "is \(isLimitGlobal ? "stable" : "below the limit") but overshoots the sharpest direction at every step"
        + course(";")
    case .unstable:
      if isLimitGlobal {
        return "is too large: training diverges"
          + (run?.outcome == .fell
            ? ", though not within the \(run?.steps ?? 0) steps that were run" : "")
      }
      switch run?.outcome {
      case .diverged:
        return "is too large: training diverged when run, \(RateRun.by(run?.steps ?? 0))"
      case .notLower, .fell:
        return "is above the limit, and when run \(run?.swing ?? "")"
      case nil: return "is above the limit: training is unstable here, and may settle (not run)"
      }
    case .unstableInBatches:
      return
        "is below the limit of all samples but not below that of your batches: expect rare bursts"
    case .unstableHereSettles:
      return
        "is above the limit, yet training settled when run for \(Wording.count(run?.steps ?? 0, "step"))"
    case .stableHereDiverged:
      return "is below the limit, but training diverged when run, \(RateRun.by(run?.steps ?? 0))"
    case .noStableRate:
      return
        (isLimitKnown
        ? "is below the limit; no rate is stable" : "is, as any rate, unstable at this point")
        + " along a direction that curves downwards" + course(";")
    }
  }
}
