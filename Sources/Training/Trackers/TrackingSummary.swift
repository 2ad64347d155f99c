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
    /// Checks from there on, and the ratio over them.
    public var checks = 0
    public var mean = 0.0
    public var least = 0.0
    public var highest = 0.0
  }

  public private(set) var series: [Series] = []
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
    guard let threshold = value.threshold, threshold > 0 else { return }
    var limits = series[index].limits ?? Limits()
    let ratio = value.value / threshold
    (limits.last, limits.most) = (ratio, max(limits.most, ratio))
    if ratio > 1, limits.crossing == nil { limits.crossing = step }
    if limits.crossing != nil {
      limits.checks += 1
      limits.mean += (ratio - limits.mean) / Double(limits.checks)
      limits.least = limits.checks == 1 ? ratio : min(limits.least, ratio)
      limits.highest = max(limits.highest, ratio)
    }
    series[index].limits = limits
  }

  /// The series of one name, in the order that its parts came.
  public func all(_ name: String) -> [Series] { series.filter { $0.name == name } }
}
