import Foundation

/// What all checks of a run come to, kept as they come: findings and costs for the report at its end.
public struct TrackingSummary: Sendable, Equatable, Codable {
  /// What the checks of one number come to.
  public struct Series: Sendable, Equatable, Codable {
    public var name: String
    /// As `TrackedValue.part`.
    public var part: String?
    public var checks = 0
    public var unreliable = 0
    public var first: Double
    public var last: Double
    public var least: Double
    public var most: Double
    /// The mean of `log |value|` over values that are not zero, and how many those are.
    public var meanLog = 0.0
    public var logs = 0
    public var limits: Limits?
    /// The value above which the run becomes unstable, at the last check.
    public var threshold: Double?
    /// Checks whose value was above the threshold of that check.
    public var crossings = 0

    init(_ value: TrackedValue) {
      (name, part) = (value.name, value.part)
      (first, last, least, most) = (value.value, value.value, value.value, value.value)
    }

    /// The geometric mean of the sizes; nil where all are zero.
    public var typical: Double? { logs > 0 ? exp(meanLog) : nil }
  }

  /// A value beside its threshold.
  public struct Limits: Sendable, Equatable, Codable {
    /// Value over threshold at the last check, and at its most.
    public var last = 0.0
    public var most = 0.0
    /// The step of the first check over the threshold.
    public var crossing: Int?
    /// Checks from there on, and the ratio over them; without those that the run has gone back from.
    public var checks = 0
    public var least = 0.0
    public var highest = 0.0
    /// The ratio in the mean over steps, so that checks which came closer together count for less.
    public var mean = 0.0
    /// Steps that `mean` is over.
    public var steps = 0.0
    public var lastStep = 0
  }

  public private(set) var series: [Series] = []
  /// Whether the run has gone back from some of the checks.
  public private(set) var wentBack = false
  /// Per tracker, all its checks.
  public private(set) var costs: [TrackerCost] = []
  public private(set) var lastStep = 0

  public init() {}

  public mutating func add(_ record: TrackingRecord) {
    lastStep = max(lastStep, record.step)
    for value in record.values { add(value, step: record.step) }
    for cost in record.costs {
      if let index = costs.firstIndex(where: { $0.tracker == cost.tracker }) {
        costs[index].gradients += cost.gradients
        costs[index].seconds += cost.seconds
      } else {
        costs.append(cost)
      }
    }
  }

  /// What is not finite is left out.
  private mutating func add(_ value: TrackedValue, step: Int) {
    guard value.value.isFinite else { return }
    let known = series.firstIndex { $0.name == value.name && $0.part == value.part }
    let index = known ?? series.count
    if known == nil { series.append(Series(value)) }
    series[index].checks += 1
    series[index].last = value.value
    series[index].least = min(series[index].least, value.value)
    series[index].most = max(series[index].most, value.value)
    if !value.isReliable { series[index].unreliable += 1 }
    if value.value != 0 {
      series[index].logs += 1
      series[index].meanLog +=
        (log(abs(value.value)) - series[index].meanLog) / Double(series[index].logs)
    }
    series[index].threshold = value.threshold
    guard let threshold = value.threshold, threshold > 0 else { return }
    if value.value > threshold { series[index].crossings += 1 }
    var limits = series[index].limits ?? Limits()
    let ratio = value.value / threshold
    (limits.last, limits.most) = (ratio, max(limits.most, ratio))
    if ratio > 1, limits.crossing == nil { limits.crossing = step }
    if limits.crossing != nil {
      limits.checks += 1
      // A check stands for the steps since the one before; the first for one.
      let weight = limits.checks == 1 ? 1 : Double(max(1, step - limits.lastStep))
      limits.steps += weight
      limits.mean += (ratio - limits.mean) * weight / limits.steps
      limits.lastStep = step
      limits.least = limits.checks == 1 ? ratio : min(limits.least, ratio)
      limits.highest = max(limits.highest, ratio)
    }
    series[index].limits = limits
  }

  /// Takes back what was noted beside limits since a point; the first crossing and the most stay told.
  mutating func goBack(_ limits: [Limits?], at step: Int) {
    wentBack = true
    for index in series.indices {
      guard let last = series[index].limits else { continue }
      var kept = (index < limits.count ? limits[index] : nil) ?? Limits()
      (kept.crossing, kept.most, kept.lastStep) = (last.crossing, last.most, step)
      series[index].limits = kept
    }
  }

  /// The series of one name, in the order that its parts came.
  public func all(_ name: String) -> [Series] { series.filter { $0.name == name } }
}
