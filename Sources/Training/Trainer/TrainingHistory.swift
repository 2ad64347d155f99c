/// What a run has shown so far, as its report tells it; part of every checkpoint, so that the report of a run
/// that was stopped and resumed is that of one that was not.
public struct TrainingHistory: Sendable, Equatable, Codable {
  /// Gradients and curvature products of all steps.
  public internal(set) var gradients = 0
  public internal(set) var products = 0
  /// The rates of the first and the last step, and the extremes.
  public internal(set) var rates: Rates?
  public internal(set) var evaluations: [TrainingEvaluation] = []
  /// The first alarms, as many as `mostAlarms`.
  public internal(set) var alarms: [Alarm] = []
  public internal(set) var alarmCount = 0
  /// What the run decided by itself; of its checks the last.
  public internal(set) var notes: [StepNote] = []
  /// What the checks came to.
  public internal(set) var summary = TrackingSummary()
  /// What all checks cost, in gradients of a training step and in seconds.
  public internal(set) var trackingGradients = 0.0
  public internal(set) var trackingSeconds = 0.0
  /// What measuring for the schedule cost, likewise.
  public internal(set) var measuringGradients = 0.0
  public internal(set) var measuringSeconds = 0.0
  /// Steps that the run was resumed after.
  public internal(set) var resumedAfter: [Int] = []

  /// More alarms than these are counted only.
  static var mostAlarms: Int { 100 }

  public init() {}

  public struct Rates: Sendable, Equatable, Codable {
    public var first: Double
    public var last: Double
    public var lowest: Double
    public var highest: Double
  }

  public struct Alarm: Sendable, Equatable, Codable {
    public var step: Int
    public var sentence: String
  }

  /// All checks of one number.
  public struct Tracked: Sendable, Equatable, Codable {
    public var name: String
    /// The parameter or layer that it is of; nil for all.
    public var part: String?
    public var checks: Int
    public var first: Double
    public var last: Double
    public var lowest: Double
    public var highest: Double
    /// The value above which the run becomes unstable, at the last check.
    public var threshold: Double?
    /// Checks whose value was above the threshold of that check.
    public var crossings: Int
    /// Checks whose error was too large to go by.
    public var unreliable: Int
  }

  mutating func note(_ report: StepReport, rate: Double) {
    gradients += report.gradients
    products += report.products
    guard var known = rates else {
      rates = Rates(first: rate, last: rate, lowest: rate, highest: rate)
      return
    }
    known.last = rate
    known.lowest = min(known.lowest, rate)
    known.highest = max(known.highest, rate)
    rates = known
  }

  mutating func note(_ note: StepNote) {
    if note.kind == .check, let last = notes.lastIndex(where: { $0.kind == .check }) {
      notes.remove(at: last)
    }
    notes.append(note)
  }

  mutating func note(_ alarm: GuardAlarm, step: Int) {
    alarmCount += 1
    if alarms.count < Self.mostAlarms { alarms.append(Alarm(step: step, sentence: alarm.sentence)) }
  }

  mutating func note(_ record: TrackingRecord) {
    summary.add(record)
    trackingGradients += record.gradients
    trackingSeconds += record.seconds
  }

  /// Forgets what the checks came to beside their limits since a point.
  mutating func goBack(_ limits: [TrackingSummary.Limits?], at step: Int) {
    summary.goBack(limits, at: step)
  }

  /// All checks, by number.
  public var tracked: [Tracked] { summary.series.map { Tracked($0) } }
}

extension TrainingHistory.Tracked {
  init(_ series: TrackingSummary.Series) {
    (name, part, checks) = (series.name, series.part, series.checks)
    (first, last, lowest, highest) = (series.first, series.last, series.least, series.most)
    (threshold, crossings, unreliable) = (series.threshold, series.crossings, series.unreliable)
  }
}
