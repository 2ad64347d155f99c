import Presentation
import Training

/// What a sweep over learning rates showed; `docs/json.md` describes its JSON, which is stable.
public struct SweepReport: Sendable, Equatable, Codable {
  public static let currentSchema = "eigenstep.sweep/1"

  public let schema: String
  public let problem: DiagnosisReport.Problem
  /// The optimizer in words, with what was set.
  public let method: String
  /// Steps of each run.
  public var steps: Int
  /// Ascending.
  public var rates: [Rate]
  /// Between which two rates the runs begin to diverge.
  public var boundary: Boundary
  /// The largest stable rates by the curvature measured, where the optimizer's are known.
  public var limits: [Limit]
  /// The rate to use; nil where none brought the loss down.
  public var best: Best?
  public var rangeTest: RangeTest?
  /// The rate that `--lr auto` stands for; nil where it was not asked for, or was refused.
  public var auto: AutoRate?
  /// How many runs shared each program.
  public var lanesPerChunk: Int
  /// What all this means, the most important first.
  public var sentences: [String]
  /// What was asked for, to be run again by `eigenstep run`.
  public var request: SweepRequest?

  public struct Rate: Sendable, Equatable, Codable {
    public var rate: Double
    /// The loss over all samples after the last step, of each seed; nil where it was not finite.
    public var losses: [Double?]
    /// Their mean; nil where one is missing.
    public var mean: Double?
    /// The mean loss over the samples that are held out; nil where none are, or a run was not finite.
    public var heldOut: Double?
    /// Whether a run of it diverged: was not finite, or ended far above the loss that it began with.
    public var isDiverged: Bool
    /// Whether a run of it was not finite, or ended above the loss that it began with.
    public var isAboveStart: Bool
    /// The first step, counted from 0, before which a run was not finite; nil where all stayed so.
    public var brokenAt: Int?
  }

  public struct Boundary: Sendable, Equatable, Codable {
    /// No run at this rate, nor at a smaller one, diverged; nil where one did at the smallest.
    public var stable: Double?
    /// The smallest rate at which a run diverged; nil where none did.
    public var diverged: Double?
  }

  public struct Limit: Sendable, Equatable, Codable {
    public enum Place: String, Sendable, Codable, CaseIterable {
      /// At the starting point.
      case start
      /// Where the best run of the first seed ended.
      case end
    }
    public var place: Place
    public var rate: Double
    /// The largest eigenvalue that it rests on, of the preconditioned Hessian where the optimizer has a
    /// preconditioner.
    public var sharpness: Double
    public var isPreconditioned: Bool
  }

  public struct Best: Sendable, Equatable, Codable {
    public var rate: Double
    /// The mean loss over the seeds.
    public var loss: Double
    /// The rates around it that lose no more than a hundredth of the way down from the start and, of several
    /// seeds, whose losses cannot be told from its own, end here.
    public var lower: Double
    public var upper: Double
    public var sentence: String
    /// The first and the last of several rates that ended at the same loss to rounding, of which `rate` is in
    /// the middle; nil where there is one.
    public var tied: [Double]?

    /// The most that rates of the interval lose, of the way down from the start.
    public static let share = 0.01
  }

  /// The report as JSON: keys in the documented order, `null` for missing values.
  public func json(indented: Bool = true) throws -> String {
    try OrderedJSON.string(self, indented: indented)
  }

  init(
    problem: DiagnosisReport.Problem, method: String, steps: Int, rates: [Rate], boundary: Boundary,
    lanesPerChunk: Int
  ) {
    schema = Self.currentSchema
    self.problem = problem
    self.method = method
    self.steps = steps
    self.rates = rates
    self.boundary = boundary
    limits = []
    self.lanesPerChunk = lanesPerChunk
    sentences = []
  }
}
