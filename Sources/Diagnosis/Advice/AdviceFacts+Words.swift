import Presentation
import Training

extension AdviceFacts {
  /// The first finding, and for a rate that diverges also what makes training slow below it.
  var why: Advice.Why {
    guard let first = findings.first else {
      return Advice.Why(
        findings: [], sentence: "Nothing in the curvature stands in the way of training.")
    }
    guard first.id == "rate-above-limit", let scales = finding("ill-conditioned-feature-scales")
    else {
      return Advice.Why(findings: [first.id], sentence: first.sentence)
    }
    return Advice.Why(
      findings: [first.id, scales.id],
      sentence: "\(first.sentence) Below the limit, \(scales.sentence.prefix(1).lowercased())"
        + scales.sentence.dropFirst())
  }

  /// An interruption is told with the prescriptions, where there are any.
  var also: [String] {
    let told = why.findings
    return findings.map(\.id)
      .filter {
        !told.contains($0) && !["interrupted", "coefficients-unfinished"].contains($0)
          || prescriptions.isEmpty
      }
  }

  /// The simplest change that is nearly the best, how it compares with what is done now, and what would be
  /// less work still.
  var action: Advice.Action? {
    guard finding("at-minimum") == nil else { return nil }
    guard basis.isTried else { return untriedAction }
    guard let lead else { return closestAction }
    let alternative = alternative(to: lead)
    var sentence = "\(capitalised(lead.change)): \(outcome(of: lead))\(comparison(with: lead))."
    if let (item, reason) = alternative {
      switch reason {
      case .lessWork:
        sentence +=
          " Less work still, that of \(Wording.number(item.measured?.gradientEquivalents ?? 0)) "
          + "gradients: \(item.change)."
      case .noHessianProducts:
        sentence += withoutHessianProducts(item)
      case .lowest: break
      }
    }
    return made(lead, .measured, sentence + better, alternative)
  }

  private func withoutHessianProducts(_ item: Prescription) -> String {
    " Without products by the Hessian, \(item.change): \(outcome(of: item))."
  }

  private var closestAction: Advice.Action? {
    guard let closest else { return nil }
    let change = capitalised(closest.change)
    let other = alternative(to: closest)
    // What is the least effort of equals is not said to have come lowest.
    let rank =
      other?.1 == .lowest || closest.isAtRounding
      ? ""
      : " came \(basis.isJudgedByLoss || isInBatches ? "lowest" : "closest")"
        + (isBelowRejected(closest) ? " of what the limits allow" : "")
    let lower = other.map { item, reason in
      if reason == .noHessianProducts { return withoutHessianProducts(item) }
      let place =
        item.measured?.inBatches.map { $0.batch == nil ? " on all samples" : "" } ?? ""
      let lower = lowering(from: closest, to: item)
      return " \(lower.words)\(place)\(lower.amount), for more to set up: \(item.change), "
        + "\(outcome(of: item))."
    }
    guard basis.isJudgedByLoss || isInBatches else {
      return made(
        closest, .closest,
        "\(change)\(rank): \(outcome(of: closest)).\(lower ?? "")\(better)", other,
        isCompared: false)
    }
    return made(
      closest, basis.isJudgedByLoss ? .lowest : .closest,
      "\(change)\(rank): \(outcome(of: closest))\(comparison(with: closest)).\(lower ?? "")"
        + better, other)
  }

  private var untriedAction: Advice.Action? {
    guard let chosen = untried else { return nil }
    // The bowl at the start counts no steps where the loss is another.
    let count = isCountTrusted(chosen) ? chosen.predicted.iterations : nil
    let isPredicted = count != nil
    let certainty: Advice.Certainty = isPredicted ? .predicted : .untried
    if !isAnyOrdinaryPredicted, let preparation {
      return made(
        chosen, certainty,
        "\(capitalised(told(preparation.sentence))) No number of steps leads to a minimum that there is not. As "
          + "it stands: \(chosen.change) (not run).")
    }
    let steps = count.map { ": \(Wording.count($0, "step")) predicted" }
    return made(
      chosen, certainty, "\(capitalised(chosen.change))\(steps ?? "") (not run).")
  }

  private func made(
    _ item: Prescription, _ certainty: Advice.Certainty, _ sentence: String,
    _ alternative: (item: Prescription, reason: Advice.Alternative.Reason)? = nil,
    isCompared: Bool = true
  ) -> Advice.Action {
    let plain = isCompared ? plain(beside: item) : nil
    return Advice.Action(
      prescription: item.id, change: item.change,
      rate: item.rateRun, momentum: item.predicted.momentum,
      certainty: certainty, figures: figures(item),
      against: plain.map { .init(prescription: $0.id, figures: figures($0)) },
      alternative: alternative.map {
        .init(
          prescription: $0.item.id, change: $0.item.change, reason: $0.reason,
          figures: figures($0.item))
      },
      first: preparation, sentence: sentence, command: command(item))
  }

  /// From the start alone: a training begins there.
  private func command(_ item: Prescription) -> [String]? {
    guard let request, request.training.steps == 0 else { return nil }
    return (item.course ?? predictedCourse(item, request.training))?
      .arguments(request.problem, request.resources)
  }

  /// Of a rate that was not run, for as many steps as are predicted.
  private func predictedCourse(
    _ item: Prescription, _ training: TrainingSetup
  ) -> TrainingCourse? {
    guard item.measured == nil, training.batch == nil, let rate = item.predicted.rate,
      let steps = item.predicted.iterations
    else { return nil }
    let optimizer: OptimizerSetting?
    switch Prescription.Kind(rawValue: item.id) {
    case .asGiven?: optimizer = training.optimizer
    case .safeRate?, .fastestRate?, .standardiseFeatures?: optimizer = OptimizerSetting()
    case .momentum?:
      optimizer = item.predicted.momentum.flatMap {
        try? OptimizerSetting("momentum", ["momentum": $0])
      }
    default: optimizer = nil
    }
    return optimizer.map {
      var course = TrainingCourse(.optimizer($0), rate: rate)
      course.standardises = item.id == Prescription.Kind.standardiseFeatures.rawValue
      course.steps = steps
      return course
    }
  }

  /// What gives a loss without a minimum one; empty where it has one.
  private var better: String { preparation.map { " Better, \(told($0.sentence))" } ?? "" }

  private func outcome(of item: Prescription) -> String {
    guard let measured = item.measured else { return "not run" }
    if let end = measured.inBatches { return outcome(measured, end) }
    guard let iterations = measured.iterations else {
      if basis.isJudgedByLoss, let loss = measured.lossAtEqualWork {
        return "a loss of \(Wording.number(loss)) for the work that every run had"
      }
      let gap = measured.relativeGap.map { Wording.number($0, digits: 2) } ?? "an unknown part"
      let steps = measured.stepsRun.map { " after \(Wording.count($0, "step"))" } ?? ""
      return "\(gap) of the loss gap is left\(steps)"
    }
    let steps = Wording.count(iterations, "step")
    guard let work = measured.gradientEquivalents, work > 1.1 * Double(iterations) + 5 else {
      return "\(steps) when run"
    }
    return "\(steps) when run, the work of \(Wording.number(work)) gradients"
  }

  /// Of a run in the user's batches, or on all samples for the work of as many passes.
  private func outcome(_ measured: Prescription.Measured, _ end: Prescription.InBatches) -> String {
    let length = Wording.passes(end.passes)
    let place =
      end.batch.map { "after \(length) in batches of \(Wording.count($0, "sample"))" }
      ?? "for at most the work of \(length)"
    if basis.isJudgedByLoss, let loss = measured.lossAtEqualWork {
      return "a \(end.batch == nil ? "" : "mean ")loss of \(Wording.number(loss)) \(place)"
    }
    if let gap = measured.relativeGap, gap < Prescription.rounding {
      return "nothing of the loss gap is left, to rounding, \(place)"
    }
    let gap = measured.relativeGap.map { Wording.number($0, digits: 2) } ?? "an unknown part"
    return "\(gap) of the loss gap is left \(end.batch == nil ? "" : "in the mean ")\(place)"
  }

  private func comparison(with lead: Prescription) -> String {
    guard let plain = plain(beside: lead), let before = plain.measured else { return "" }
    let name =
      plain.id == Prescription.Kind.asGiven.rawValue
      ? "your rate"
      : before.diverged || !basis.isQuadratic
        ? plain.rateRun.map { "gradient descent at \(Wording.number($0))" } ?? "the safe rate"
        : "the safe rate"
    if lead.measured?.inBatches != nil, !before.diverged, !basis.isJudgedByLoss {
      return before.relativeGap.map {
        ", against \($0 < Prescription.rounding ? "0 to rounding" : Wording.number($0, digits: 2)) at \(name)"
      } ?? ""
    }
    if let steps = before.iterations { return ", against \(Wording.count(steps)) at \(name)" }
    if before.diverged { return "; \(name) diverged" }
    if basis.isJudgedByLoss, let loss = before.lossAtEqualWork {
      guard let own = lead.measured?.lossAtEqualWork, Wording.number(own) != Wording.number(loss)
      else { return ", \(name) hardly less" }
      return ", against \(Wording.number(loss)) at \(name)"
    }
    return before.stepsRun.map { "; \(name) was not there after \(Wording.count($0))" } ?? ""
  }

  func capitalised(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  /// How the prescriptions are to be read.
  var notes: [String] {
    guard !prescriptions.isEmpty else { return [] }
    let tolerance = Wording.number(prediction.tolerance)
    let isJudgedByLoss = basis.isJudgedByLoss
    guard !isInBatches else { return batchNotes }
    if !basis.isTried, let untried = untriedBatchNotes { return untried }
    var notes = [
      "Steps until the loss gap is \(tolerance) of its first value and stays below; work counts "
        + "evaluations of the gradient."
    ]
    if isJudgedByLoss {
      notes = [
        "Nothing certifies a minimum here, so no run can be said to have arrived. The lowest loss is "
          + "that for the work that every run had; work counts evaluations of the gradient."
          + (isPredicted
            ? " Predicted are the steps until \(tolerance) is left of the gap to the minimum ahead of "
              + "each method, which may be a higher one." : "")
      ]
    } else if prescriptions.contains(where: { canSwing($0) && $0.measured?.reached == true }) {
      notes.append(
        "Runs that can swing were watched on for a fifth of their steps to see that they stayed.")
    }
    if preparation != nil {
      notes.append(
        "This loss has no minimum at finite parameters: "
          + (isPredicted
            ? "gaps are to its infimum, which no step reaches, and predictions made for a bowl are "
              + "far too small."
            : basis.isTried && !isJudgedByLoss
              ? "gaps are to the loss that its infimum was taken for, and no steps are predicted."
              : "no steps to one are predicted."))
    } else if !basis.isQuadratic, prescriptions.contains(where: { predictedBesideRun($0) != nil }) {
      let ofTheBowl = prescriptions.contains {
        !isCountTrusted($0) && predictedBesideRun($0) != nil
      }
      notes.append(
        "Predictions for gradient descent follow the curvature as it changes on the way"
          + (ofTheBowl
            ? "; those for momentum and the diagonal are for the bowl that fits the loss here, and hold "
              + "only as far as its curvature stays the same." : "."))
    }
    if miniBatches != nil {
      notes.append(
        "These runs take all samples at each step; what batches change stands under Mini-batches.")
    }
    if let mark = markNote { notes.append(mark) }
    if let unfinished = finding("coefficients-unfinished") { notes.append(unfinished.sentence) }
    if prescriptions.contains(where: { $0.measured?.wasCut == true }) {
      notes.append(
        "Runs that could no longer win were cut, as said below each: their figures are those of the "
          + "steps up to there. With --effort 10 every run goes on to its end.")
    }
    if let interrupted = finding("interrupted") { notes.append(interrupted.sentence) }
    return notes
  }
}

extension Advice.Preparation {
  /// To be read after "better".
  fileprivate var sentence: String {
    switch self {
    case .penalty: "add a penalty first, such as --l2 1e-3, and diagnose again."
    case .leaveOut: "leave out the classes that have no samples, and diagnose again."
    }
  }
}
