import Foundation

/// Collects the profiles of sessions, which ONNX Runtime writes to files in a temporary folder.
// Unchecked: every access to the sessions holds the lock.
final class SessionProfiler: @unchecked Sendable {
  private let folder: URL
  private let lock = NSLock()
  private var sessions: [OnnxSession] = []

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("eigenstep-profile-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// A file prefix of its own for each session.
  var prefix: String { folder.appendingPathComponent(UUID().uuidString).path }

  func add(_ session: OnnxSession) { lock.withLock { sessions.append(session) } }

  func profile() throws -> ExecutionProfile {
    let ended = lock.withLock {
      defer { sessions = [] }
      return sessions
    }
    var profile = ExecutionProfile(entries: [])
    for session in ended {
      let events = try Data(contentsOf: URL(fileURLWithPath: session.endProfile()))
      profile.add(try NodeEvent.read(events))
    }
    return profile
  }
}

/// The run of one node, as ONNX Runtime's trace tells it; times in microseconds.
struct NodeEvent {
  var nodeName: Substring
  var operation: String
  var start: Double
  var duration: Double

  /// Operators whose time holds that of the nodes within.
  var isLoop: Bool { ["Scan", "Loop", "If"].contains(operation) }

  static func read(_ events: Data) throws -> [NodeEvent] {
    struct Event: Decodable {
      struct Arguments: Decodable { var op_name: String? }
      var cat: String
      var name: String
      var ts: Double
      var dur: Double?
      var args: Arguments?
    }
    let suffix = "_kernel_time"
    return try JSONDecoder().decode([Event].self, from: events).compactMap { event in
      guard event.cat == "Node", event.name.hasSuffix(suffix), let operation = event.args?.op_name,
        let duration = event.dur
      else { return nil }
      return NodeEvent(
        nodeName: event.name.dropLast(suffix.count), operation: operation, start: event.ts,
        duration: duration)
    }
  }
}
