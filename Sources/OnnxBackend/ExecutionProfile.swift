/// Where the time of an executor's runs went, per primitive and part of the model.
public struct ExecutionProfile: Codable, Sendable, Equatable {
  public struct Entry: Codable, Sendable, Equatable {
    /// The primitive of the program; `fused` for what ONNX Runtime made of several.
    public var primitive: String
    /// The part of the model that the primitive comes from, such as a node of the model file.
    public var source: String?
    /// The operator of ONNX Runtime that ran.
    public var kernel: String
    public var milliseconds: Double
    public var runs: Int
  }

  public static let currentSchema = "eigenstep.profile/1"

  public let schema: String
  /// The time of all entries.
  public private(set) var milliseconds: Double
  /// The costliest first.
  public private(set) var entries: [Entry]

  init(entries: [Entry]) {
    schema = Self.currentSchema
    self.entries = entries
    milliseconds = entries.reduce(0) { $0 + $1.milliseconds }
  }

  private struct Key: Hashable {
    var label: NodeLabel
    var kernel: String
  }

  /// Adds the events of one session. A loop counts without the nodes within it.
  mutating func add(_ events: [NodeEvent]) {
    var totals: [Key: (microseconds: Double, runs: Int)] = [:]
    for entry in entries {
      let label = NodeLabel(primitive: entry.primitive, source: entry.source)
      totals[Key(label: label, kernel: entry.kernel)] = (entry.milliseconds * 1e3, entry.runs)
    }
    var loop: (key: Key, end: Double)?
    // A loop starts before, and is written after, the nodes within it.
    for event in events.sorted(by: { ($0.start, -$0.duration) < ($1.start, -$1.duration) }) {
      let label =
        NodeLabel(nodeName: event.nodeName) ?? NodeLabel(primitive: "fused", source: nil)
      let key = Key(label: label, kernel: event.operation)
      totals[key, default: (0, 0)].microseconds += event.duration
      totals[key, default: (0, 0)].runs += 1
      if let outer = loop, event.start < outer.end {
        totals[outer.key]!.microseconds -= event.duration
      }
      if event.isLoop { loop = (key, event.start + event.duration) }
    }
    entries = totals.map { key, total in
      Entry(
        primitive: key.label.primitive, source: key.label.source, kernel: key.kernel,
        milliseconds: total.microseconds / 1e3, runs: total.runs)
    }
    .sorted {
      ($1.milliseconds, $0.primitive, $0.source ?? "", $0.kernel)
        < ($0.milliseconds, $1.primitive, $1.source ?? "", $1.kernel)
    }
    milliseconds = entries.reduce(0) { $0 + $1.milliseconds }
  }
}
