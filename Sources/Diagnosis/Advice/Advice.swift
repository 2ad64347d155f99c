/// What a diagnosis advises: why training is as it is, which rate, what to do, how surely, and the numbers
/// that it rests on.
///
/// Made once, where a report is made; every view of the report shows it and decides nothing anew.
public struct Advice: Sendable, Equatable, Codable {
  public let why: Why
  /// Nil where nothing is known of a rate.
  public let rate: Rate?
  /// Nil where there is nothing to do: training has arrived, or no remedy came to anything.
  public let action: Action?
  public let basis: Basis
  /// Ids of the findings to be told after everything else, in the report's order: those that neither
  /// ``why`` nor ``notes`` tell, and without prescriptions all of them.
  public let also: [String]
  /// How predictions and trials are to be read, in sentences; empty without prescriptions.
  public let notes: [String]

  /// The answer to "why".
  public struct Why: Sendable, Equatable, Codable {
    /// Ids of the findings that the sentence tells.
    public let findings: [String]
    public let sentence: String
  }

  /// Which learning rate.
  public struct Rate: Sendable, Equatable, Codable {
    public let stabilityLimit: Double?
    /// A rate of plain descent that is advised; nil for other optimizers, or where there is none.
    public let suggested: Double?
    public let suggestion: Suggestion?
    public let given: Double?
    public let verdict: Verdict?
    public let sentence: String
  }

  /// What a suggested rate is good for.
  public enum Suggestion: String, Sendable, Codable, CaseIterable {
    /// It has the fewest predicted steps, a margin of 5 % below the limit kept.
    case fewestPredictedSteps = "fewest-predicted-steps"
    /// `1 / upperBound`, which suits the sharpest direction.
    case sharpestDirection = "sharpest-direction"
    /// Of the rates of plain descent that were run it reached the tolerance with the least work.
    case leastWorkWhenRun = "least-work-when-run"
    /// None that was run reached the tolerance; it came closest, or to the lowest loss.
    case lowestWhenRun = "lowest-when-run"
    /// Half of the limit of the batches that are trained on.
    case halfOfBatchLimit = "half-of-batch-limit"
    /// Of the rates of plain descent that were run in the batches it came lowest, for what can be told, or near
    /// that and is what to do.
    case lowestInBatches = "lowest-in-batches"
  }

  /// What to do.
  public struct Action: Sendable, Equatable, Codable {
    /// The id of the prescription.
    public let prescription: String
    public let change: String
    /// The learning rate of it, and the coefficient of momentum, where theory names them.
    public let rate: Double?
    public let momentum: Double?
    public let certainty: Certainty
    public let figures: Figures
    /// What is done now, or else the safe rate, for comparison; nil where it was not run.
    public let against: Comparison?
    /// What may be done instead.
    public let alternative: Alternative?
    /// What should come first; nil where nothing need.
    public let first: Preparation?
    public let sentence: String
    /// The command that trains so, word by word; nil where there is none.
    public let command: [String]?
  }

  /// How surely an action is advised, the surest first.
  public enum Certainty: String, Sendable, Codable, CaseIterable {
    /// A trial of it reached the tolerance above a certified minimum.
    case measured
    /// No trial reached the tolerance; its gap to a certified minimum came down most.
    case closest
    /// Nothing certifies a minimum; its loss was the lowest for the work that every run had.
    case lowest
    /// It was not run; theory predicts its steps.
    case predicted
    /// It was not run, and theory predicts no steps.
    case untried
  }

  /// What a prescription came to, or what is predicted where it was not run.
  public struct Figures: Sendable, Equatable, Codable {
    /// To the tolerance, to stay; predicted where it was not run.
    public let steps: Int?
    /// In evaluations of the gradient.
    public let work: Double?
    /// The last loss, or, where runs are compared by loss, the lowest for the work that every run had.
    public let loss: Double?
    /// What is left of the loss gap.
    public let relativeGap: Double?
    public let stepsRun: Int?
    public let diverged: Bool
  }

  public struct Comparison: Sendable, Equatable, Codable {
    public let prescription: String
    public let figures: Figures
  }

  public struct Alternative: Sendable, Equatable, Codable {
    public enum Reason: String, Sendable, Codable, CaseIterable {
      /// At most half the work, for more effort to set up.
      case lessWork = "less-work"
      /// It needs no products by the Hessian, as the advised action does.
      case noHessianProducts = "no-hessian-products"
      /// It came lower, or to a smaller gap, for more effort or on all samples.
      case lowest
    }

    public let prescription: String
    public let change: String
    public let reason: Reason
    public let figures: Figures
  }

  /// What gives a loss without a minimum one.
  public enum Preparation: String, Sendable, Codable, CaseIterable {
    case penalty
    case leaveOut = "leave-out"
  }

  /// What advice and predictions rest on.
  public struct Basis: Sendable, Equatable, Codable {
    /// Whether the loss is a quadratic: predictions are exact, and the limit holds everywhere. Else both
    /// are for the curvature at the point of diagnosis.
    public let isQuadratic: Bool
    /// Whether something certifies the minimum that gaps are measured against; nil without a trial.
    public let isMinimumCertified: Bool?
    /// Whether any remedy was run.
    public let isTried: Bool

    /// Whether runs are compared by their losses at equal work, since no gap can be known.
    public var isJudgedByLoss: Bool { isMinimumCertified == false }
  }
}

extension Advice {
  /// From everything else that a report holds.
  init(_ facts: AdviceFacts) {
    why = facts.why
    rate = facts.rate
    action = facts.action
    basis = facts.basis
    also = facts.also
    notes = facts.notes.map(facts.told)
  }
}
