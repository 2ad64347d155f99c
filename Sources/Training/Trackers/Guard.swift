/// What an alarm does: the rate is over the limit of stability and something grows, or the losses by themselves show
/// that the run is lost.
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

  /// Told the loss over all samples at the start, before the first step.
  mutating func begin(loss: Double)

  /// Told each step as it was taken, with what was tracked before it.
  ///
  /// - Returns: an alarm with its numbers, or nil.
  mutating func observe(
    step: Int, report: StepReport, rate: Double, tracked: [TrackedValue]
  ) -> GuardAlarm?

  /// Told the loss over all samples after the last step.
  ///
  /// - Returns: an alarm where the run is to end at the point kept, or nil.
  mutating func end(loss: Double) -> GuardAlarm?

  /// The most steps between two checks of the trackers that it goes by (`Tracker.isGuiding`), while it looks
  /// closer; nil for their own periods.
  var checkPeriod: Int? { get }

  /// Whether the point before this step is one to keep, for `GuardAction.lowerRate` to go back to; asked after
  /// the checks and before the step.
  func wantsPoint(before step: Int, tracked: [TrackedValue]) -> Bool

  /// Offers the point before a step that it wanted: parameters and the optimizer's tensors, flat.
  mutating func offer(_ point: [Double], before step: Int, tracked: [TrackedValue])

  /// The step of the first point that was kept, where another has taken its place; nil where none has.
  var firstStep: Int? { get }

  /// The point to go back to, once the losses from there on have shown that it is good, and the step that it
  /// stands before; empty where there is none. Part of `memory`.
  var point: [Double] { get }
  var pointStep: Int { get }
}

extension RunGuard {
  public var firstStep: Int? { nil }

  public mutating func begin(loss: Double) {}
  public mutating func end(loss: Double) -> GuardAlarm? { nil }
  public var checkPeriod: Int? { nil }
  public func wantsPoint(before step: Int, tracked: [TrackedValue]) -> Bool { false }
  public mutating func offer(_ point: [Double], before step: Int, tracked: [TrackedValue]) {}
  public var point: [Double] { [] }
  public var pointStep: Int { 0 }
}

/// An alarm, as the log states it.
public struct GuardAlarm: Sendable, Equatable, Codable {
  /// What was seen, with its numbers, and what was done.
  public var sentence: String
  /// What the rate is multiplied by from here on, for `GuardAction.lowerRate`.
  public var rateFactor: Double
  /// Whether the run goes back to the guard's point, for `GuardAction.lowerRate`.
  public var goesBack: Bool

  public init(_ sentence: String, rateFactor: Double = 1, goesBack: Bool = false) {
    self.sentence = sentence
    self.rateFactor = rateFactor
    self.goesBack = goesBack
  }
}
