import Diagnosis
import Presentation

extension DiagnosisReport {
  /// What to do, in a few sentences: the simplest change that is nearly the best, how it compares
  /// with what is done now, and what would be less work still.
  var advice: String? {
    guard prescriptions.contains(where: { $0.measured != nil }) else { return untriedAdvice }
    guard let lead else { return closestAdvice }
    var text = "\(capitalised(lead.change)): \(outcome(of: lead))\(comparison(with: lead))."
    if let best = prescriptions.first, best != lead, best.isReached,
      let less = best.measured?.gradientEquivalents, let more = lead.measured?.gradientEquivalents,
      less <= more / 2
    {
      text +=
        " Less work still, that of \(Wording.number(less)) gradients: \(best.change)."
    } else if !lead.isOrdinary, let other = bestOrdinary {
      text += " Without products by the Hessian, \(other.change): \(outcome(of: other))."
    }
    if let remedy = missingMinimumRemedy { text += " Better, \(remedy)" }
    return text
  }

  /// What gives a loss without a minimum one, to be read after "better"; nil where it has one.
  private var missingMinimumRemedy: String? {
    guard let finding = finding("no-finite-minimum") else { return nil }
    return finding.evidence["remedy"] == .text("leave-out")
      ? "leave out the classes that have no samples, and diagnose again."
      : "add a penalty first, such as --l2 1e-3, and diagnose again."
  }

  /// The remedy to name first. Newton's method and preconditioners need products by the Hessian,
  /// which few training programs offer: they lead only where nothing else comes near.
  private var lead: Prescription? {
    let reached = prescriptions.filter(\.isReached)
    guard let best = reached.first else { return nil }
    let ordinary = reached.filter(\.isOrdinary)
    guard let cheapest = ordinary.map(\.work).min(), cheapest <= 100 * best.work else {
      return best
    }
    return ordinary.filter { $0.work <= 2 * cheapest }
      .min { ($0.effort, $0.work) < ($1.effort, $1.work) }
  }

  private var bestOrdinary: Prescription? {
    prescriptions.first { $0.isOrdinary && $0.measured?.diverged == false }
  }

  private func outcome(of item: Prescription) -> String {
    guard let measured = item.measured else { return "not run" }
    guard let iterations = measured.iterations else {
      if isJudgedByLoss, let loss = measured.lossAtEqualWork {
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

  /// Whether no minimum is certified, so that runs are compared by their losses at equal work.
  var isJudgedByLoss: Bool {
    finding("reference-loss")?.evidence["certified"] == .integer(0)
  }

  /// The rate that was given, or else the safe one, beside the remedy.
  private func comparison(with lead: Prescription) -> String {
    let plain = [Prescription.Kind.asGiven, .safeRate].lazy.compactMap { kind in
      prescriptions.first { $0.id == kind.rawValue && $0.id != lead.id }
    }.first
    guard let plain, let before = plain.measured else { return "" }
    let name = plain.id == Prescription.Kind.asGiven.rawValue ? "your rate" : "the safe rate"
    if let steps = before.iterations { return ", against \(Wording.count(steps)) at \(name)" }
    if before.diverged { return "; \(name) diverged" }
    if isJudgedByLoss, let loss = before.lossAtEqualWork {
      guard let own = lead.measured?.lossAtEqualWork, Wording.number(own) != Wording.number(loss)
      else { return ", \(name) hardly less" }
      return ", against \(Wording.number(loss)) at \(name)"
    }
    return before.stepsRun.map { "; \(name) was not there after \(Wording.count($0))" } ?? ""
  }

  /// No trial is known to have reached the tolerance: the one that came lowest, or what is nearly as low
  /// and needs no products by the Hessian.
  private var closestAdvice: String? {
    if isJudgedByLoss {
      guard let best = bestByLoss else { return nil }
      return
        "\(capitalised(best.change)) came lowest: \(outcome(of: best))\(comparison(with: best))."
        + (missingMinimumRemedy.map { " Better, \($0)" } ?? "")
    }
    let closest = prescriptions.filter { $0.measured?.relativeGap?.isFinite == true }
      .min { $0.measured?.relativeGap ?? 0 < $1.measured?.relativeGap ?? 0 }
    let better = missingMinimumRemedy.map { " Better, \($0)" } ?? ""
    return closest.map {
      "\(capitalised($0.change)) came closest: \(outcome(of: $0)).\(better)"
    }
  }

  private var bestByLoss: Prescription? {
    prescriptions.filter { $0.measured?.diverged == false && $0.measured?.lossAtEqualWork != nil }
      .min { $0.measured?.lossAtEqualWork ?? 0 < $1.measured?.lossAtEqualWork ?? 0 }
  }

  /// Nothing was run: theory alone.
  private var untriedAdvice: String? {
    let stable = prescriptions.filter {
      learningRate.verdict != .unstable || $0.id != Prescription.Kind.asGiven.rawValue
    }
    let ordinary = stable.filter(\.isOrdinary)
    let fewest = ordinary.compactMap(\.predicted.iterations).min()
    let chosen =
      fewest.flatMap { fewest in
        ordinary.filter { ($0.predicted.iterations ?? .max) <= 2 * fewest }
          .min { $0.effort < $1.effort }
      } ?? stable.first
    guard let chosen else { return nil }
    if fewest == nil, let remedy = missingMinimumRemedy {
      return "\(capitalised(remedy)) No number of steps leads to a minimum that there is not. As "
        + "it stands: \(chosen.change) (not run)."
    }
    let steps = chosen.predicted.iterations.map { ": \(Wording.count($0, "step")) predicted" }
    return "\(capitalised(chosen.change))\(steps ?? "") (not run)."
  }

  private func capitalised(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }
}

extension Prescription {
  /// What it takes to act on, in rising order; nil for what needs products by the Hessian.
  private static let efforts: [Kind: Int] = [
    .asGiven: 0, .safeRate: 1, .fastestRate: 1, .momentum: 2, .standardiseFeatures: 2, .adam: 3,
  ]

  fileprivate var isOrdinary: Bool { Kind(rawValue: id).flatMap { Self.efforts[$0] } != nil }
  fileprivate var effort: Int { Kind(rawValue: id).flatMap { Self.efforts[$0] } ?? .max }
  fileprivate var isReached: Bool { measured?.reached == true }
  fileprivate var work: Double { measured?.gradientEquivalents ?? .infinity }
}
