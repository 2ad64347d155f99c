/// What a run of the given optimizer at the given rate did, beside what the curvature at its start says.
public struct RateRun: Sendable, Equatable, Codable {
  public enum Outcome: String, Sendable, Codable, CaseIterable {
    /// A loss that is not finite, or far beyond any transient.
    case diverged
    /// The loss ended below its start, and was below it for the second half of the steps.
    case fell
    /// Neither: the loss swings about its start, or ended above it.
    case notLower = "not-lower"
  }

  public let outcome: Outcome
  /// For how many steps it was watched; of a run that diverged, until it had.
  public let steps: Int
  public let lossAtStart: Double?
  /// Nil where it is not finite.
  public let lossAtEnd: Double?
  /// The largest eigenvalue found where the run ended; nil where it was not measured.
  public let sharpnessAtEnd: Double?
  /// The optimizer's stability limit for that sharpness.
  public let limitAtEnd: Double?

  public init(
    outcome: Outcome, steps: Int, lossAtStart: Double?, lossAtEnd: Double?,
    sharpnessAtEnd: Double? = nil, limitAtEnd: Double? = nil
  ) {
    self.outcome = outcome
    self.steps = steps
    self.lossAtStart = lossAtStart
    self.lossAtEnd = lossAtEnd
    self.sharpnessAtEnd = sharpnessAtEnd
    self.limitAtEnd = limitAtEnd
  }
}

/// What a verdict on a learning rate rests on.
public enum VerdictBasis: String, Sendable, Codable, CaseIterable {
  /// The limit alone, which holds everywhere: the loss is a quadratic.
  case limitEverywhere = "limit-everywhere"
  /// The limit at the point of diagnosis alone: the rate was not run.
  case limitHere = "limit-here"
  /// The limit at the point of diagnosis, and what a run did.
  case limitHereAndRun = "limit-here-and-run"
}

extension Verdict {
  /// This verdict of the curvature at one point, with what a run from there did.
  ///
  /// - Parameter isLimitGlobal: whether the limit holds everywhere, so that a run above it only has not
  ///   diverged yet.
  public func after(_ run: RateRun?, isLimitGlobal: Bool) -> Verdict {
    switch (self, run?.outcome) {
    case (.unstable, .fell) where !isLimitGlobal: .unstableHereSettles
    case (.unstable, _), (_, nil): self
    case (_, .diverged): .stableHereDiverged
    case (_, .fell), (_, .notLower): self
    }
  }

  /// Whether neither the limit nor a run speaks for the rate.
  var isUnstable: Bool {
    self == .unstable || self == .stableHereDiverged || self == .unstableInBatches
  }

  /// This verdict of all samples, with the limit of the batches that are trained on.
  func with(_ batches: MiniBatches?) -> Verdict {
    guard let batches, let rate = batches.rate, let limit = batches.limit else { return self }
    switch self {
    case .slow, .stable, .oscillating:
      if rate >= limit { return .unstableInBatches }
      // What more is gained by a larger rate the noise takes.
      let isFast = rate >= Self.slowBelow * limit || batches.binds == .noise
      return self == .slow && isFast ? .stable : self
    case .stableHereDiverged:
      // That run was in the batches: what is above their limit bursts.
      return rate >= limit ? .unstableInBatches : self
    case .unstable, .noStableRate, .unstableHereSettles, .unstableInBatches: return self
    }
  }
}

extension RateRun {
  /// What the trial of the rate as given came to; nil where it was not run.
  ///
  /// - Parameter limit: the limit of the optimizer for a curvature, where one is known.
  init?(_ prescriptions: [Prescription], startLoss: Double?, limit: (Double) -> Double?) {
    guard
      let measured = prescriptions.first(where: { $0.id == Prescription.Kind.asGiven.rawValue })?
        .measured
    else { return nil }
    let end = measured.lossAtEnd ?? measured.loss
    let hasFallen =
      measured.settled ?? (startLoss.flatMap { first in end.map { $0 < first } } ?? false)
    self.init(
      outcome: measured.diverged ? .diverged : measured.reached || hasFallen ? .fell : .notLower,
      steps: measured.stepsRun ?? measured.iterations ?? 0, lossAtStart: startLoss, lossAtEnd: end,
      sharpnessAtEnd: measured.sharpnessAtEnd,
      limitAtEnd: measured.sharpnessAtEnd.flatMap(limit))
  }
}
