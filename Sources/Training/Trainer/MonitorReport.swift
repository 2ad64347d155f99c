import Presentation

/// What a monitored loop has shown so far; `docs/json.md` describes its JSON.
public struct MonitorReport: Sendable, Equatable, Codable {
  public static let currentSchema = "eigenstep.monitor/1"

  public let schema: String
  /// The optimizer in words, and samples of the batch that checks are made on.
  public var optimizer: String?
  public var batch: Int
  public var steps: Int
  public var every: Int
  public var guardAction: GuardAction
  public var rates: TrainingHistory.Rates?
  public var losses: LoopWatch.Losses?
  public var tracked: [TrainingHistory.Tracked]
  public var findings: [TrackingFinding]
  /// What the checks took, in gradients of a step and in seconds.
  public var gradients: Double
  public var seconds: Double
  public var alarmCount: Int
  /// The first hundred.
  public var alarms: [TrainingHistory.Alarm]
  /// What alarms have multiplied the rate by.
  public var rateFactor: Double
  public var notes: [String]

  public init(_ watch: LoopWatch, optimizer: String?, batch: Int, notes: [String]) {
    let history = watch.history
    schema = Self.currentSchema
    self.optimizer = optimizer
    self.batch = batch
    steps = watch.stepCount
    every = watch.period
    guardAction = watch.action
    rates = history.rates
    losses = watch.losses
    tracked = history.tracked
    let isBelowStart = watch.losses.map { $0.last <= $0.first } ?? true
    findings = history.summary.findings(
      batchSize: batch > 0 ? batch : nil, isHealthy: history.alarmCount == 0 && isBelowStart)
    gradients = history.trackingGradients
    seconds = history.trackingSeconds
    alarmCount = history.alarmCount
    alarms = history.alarms
    rateFactor = watch.rateFactor
    self.notes = notes
  }

  /// The report as JSON: keys in the documented order, `null` for missing values.
  public func json(indented: Bool = true) throws -> String {
    try OrderedJSON.string(self, indented: indented)
  }
}
