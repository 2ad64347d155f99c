/// What an alarm does: a rate over the limit of stability together with growth, in consecutive checks.
public enum GuardAction: String, Sendable, Codable, CaseIterable {
  /// Nothing is watched.
  case off
  case warn
  case stop
  case lowerRate = "lower-rate"
}

/// Watches a run for what a crossing of the limit alone does not say: that the run is being lost.
public protocol RunGuard: Sendable {
  /// What it remembers between steps, so that a resumed run goes on bit for bit.
  var memory: [Double] { get set }

  /// Told each step as it was taken, with what was tracked before it.
  ///
  /// - Returns: an alarm with its numbers, or nil.
  mutating func observe(
    step: Int, report: StepReport, rate: Double, tracked: [TrackedValue]
  ) -> GuardAlarm?
}

/// An alarm, as the log states it.
public struct GuardAlarm: Sendable, Equatable, Codable {
  /// What was seen, with its numbers, and what was done.
  public var sentence: String
  /// What the rate is multiplied by from here on, for `GuardAction.lowerRate`.
  public var rateFactor: Double

  public init(_ sentence: String, rateFactor: Double = 1) {
    self.sentence = sentence
    self.rateFactor = rateFactor
  }
}
