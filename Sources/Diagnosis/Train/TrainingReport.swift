import Presentation
import Training

/// What a training run came to; `docs/json.md` describes its JSON, which is stable.
///
/// What was not asked for, or does not exist, is nil and prints as `null`.
public struct TrainingReport: Sendable, Equatable, Codable {
  public static let currentSchema = "eigenstep.training/1"

  public let schema: String
  /// The samples that were trained on; loss and gradient norm at the start.
  public var problem: DiagnosisReport.Problem
  public var method: Method
  public var rate: Rate
  public var length: Length
  /// At the start, and with the parameters of the result.
  public var before: DataReading
  public var after: DataReading
  public var heldOut: HeldOut?
  public var evaluations: [TrainingEvaluation]
  public var tracked: [TrainingHistory.Tracked]
  /// What was tracked says, in sentences.
  public var findings: [TrackingFinding]
  public var cost: Cost
  /// What the run decided by itself, and the last of the checks that it rested on.
  public var decisions: [StepNote]
  public var alarms: Alarms
  public var ending: TrainingEnding
  /// What to do next, in sentences.
  public var next: [String]
  public var checkpoints: Checkpoints?
  /// What was done to a table's columns; nil where they are as given.
  public var standardisation: Standardisation?
  /// What the parameters of the result are: `last`, `best`, or `none` where they are not finite.
  public var result: Result
  /// What was asked for, to be done again by `eigenstep run`.
  public var request: TrainingRequest

  /// The report as JSON: keys in the documented order, `null` for missing values.
  public func json(indented: Bool = true) throws -> String {
    try OrderedJSON.string(self, indented: indented)
  }

  init(
    problem: DiagnosisReport.Problem, method: Method, rate: Rate, length: Length,
    before: DataReading, after: DataReading, heldOut: HeldOut?, history: TrainingHistory,
    ending: TrainingEnding, next: [String], checkpoints: Checkpoints?,
    standardisation: Standardisation?, result: Result, request: TrainingRequest
  ) {
    schema = Self.currentSchema
    self.problem = problem
    self.method = method
    self.rate = rate
    self.length = length
    self.before = before
    self.after = after
    self.heldOut = heldOut
    evaluations = history.evaluations
    tracked = history.tracked
    let isHealthy = history.alarmCount == 0 && !Self.isWorse(before, after)
    findings = history.summary.findings(batchSize: method.batch, isHealthy: isHealthy)
    cost = Cost(
      gradients: history.gradients, products: history.products,
      trackingGradients: history.trackingGradients, trackingSeconds: history.trackingSeconds,
      measuringGradients: history.measuringGradients, measuringSeconds: history.measuringSeconds)
    decisions = history.notes
    alarms = Alarms(count: history.alarmCount, first: history.alarms)
    self.ending = ending
    self.next = next
    self.checkpoints = checkpoints
    self.standardisation = standardisation
    self.result = result
    self.request = request
  }
}

extension TrainingReport {
  /// Whether training made the loss larger, beyond rounding.
  static func isWorse(_ before: DataReading, _ after: DataReading) -> Bool {
    guard let before = before.loss else { return false }
    guard let after = after.loss else { return true }
    return after - before > 1e-6 * Swift.max(abs(before), 1e-300)
  }

  public struct Method: Sendable, Equatable, Codable {
    /// The name in the catalogue, and with what was set in words.
    public var name: String
    public var phrase: String
    public var schedule: String
    /// Samples whose mean gradient makes a step; nil for all.
    public var batch: Int?
    /// How they are drawn, in words.
    public var sampling: String
  }

  public struct Rate: Sendable, Equatable, Codable {
    /// The rate that the schedule starts from; of one that measures the largest that it takes, 0 for no bound.
    public var given: Double
    /// Those of the steps; nil before the first.
    public var steps: TrainingHistory.Rates?
    /// What it rests on, where `auto` chose it for this run.
    public var chosen: AutoRate?
  }

  public struct Length: Sendable, Equatable, Codable {
    public var steps: Int
    public var stepsAsked: Int
    /// Steps of a pass over the samples; 1 on all samples.
    public var stepsPerPass: Int
    /// Steps that the run was resumed after, in order.
    public var resumedAfter: [Int]
  }

  public struct HeldOut: Sendable, Equatable, Codable {
    public var samples: Int
    public var before: DataReading
    public var after: DataReading
    /// The lowest loss at an evaluation, and after which step.
    public var lowest: Double?
    public var lowestStep: Int?
  }

  public struct Cost: Sendable, Equatable, Codable {
    /// Gradients and curvature products of all steps.
    public var gradients: Int
    public var products: Int
    /// What the checks of trackers took, in gradients of a step and in seconds.
    public var trackingGradients: Double
    public var trackingSeconds: Double
    /// What measuring for the schedule took, likewise.
    public var measuringGradients: Double
    public var measuringSeconds: Double
  }

  public struct Alarms: Sendable, Equatable, Codable {
    public var count: Int
    /// The first hundred.
    public var first: [TrainingHistory.Alarm]
  }

  public struct Checkpoints: Sendable, Equatable, Codable {
    public var folder: String
    /// The newest, and the step that it was taken after; nil where none was written.
    public var newest: String?
    public var step: Int?
  }

  public enum Result: String, Sendable, Codable, CaseIterable {
    case last
    case best
    case none
  }
}

/// A report with the parameters that it is of.
public struct TrainingResult: Sendable {
  public var report: TrainingReport
  /// One per parameter of the model, in its order; empty where they are not finite.
  public var parameters: [NamedValues]
  /// The same of the columns as they were given, where a model that is linear in its parameters was trained on
  /// standardised ones; else empty.
  public var ofGivenColumns: [NamedValues] = []

  init(report: TrainingReport, parameters: [NamedValues]) {
    self.report = report
    self.parameters = parameters
  }

  public struct NamedValues: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    public var values: [Double]
  }
}
