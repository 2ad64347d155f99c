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
      profile.add(NodeEvent.read(events))
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

  /// The events of a trace, in which ONNX Runtime writes one to a line: a reader of any JSON takes
  /// longer over a million of them than their runs took.
  static func read(_ trace: Data) -> [NodeEvent] {
    trace.withUnsafeBytes { bytes in
      bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
        let line = TraceLine(bytes: UnsafeRawBufferPointer(rebasing: line))
        guard let nodeName = line.text(after: "\"name\" :\"", until: "_kernel_time\""),
          let operation = line.text(after: "\"op_name\" : \"", until: "\""),
          let start = line.text(after: "\"ts\" :", until: ",").flatMap(Double.init),
          let duration = line.text(after: "\"dur\" :", until: ",").flatMap(Double.init)
        else { return nil }
        return NodeEvent(
          nodeName: nodeName[...], operation: operation, start: start, duration: duration)
      }
    }
  }
}

private struct TraceLine {
  let bytes: UnsafeRawBufferPointer

  func text(after key: StaticString, until end: StaticString) -> String? {
    func place(of key: StaticString, from start: Int) -> Int? {
      let key = UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
      return (start..<max(start, bytes.count - key.count + 1)).first { place in
        bytes[place] == key[0]
          && bytes[place..<place + key.count].elementsEqual(key)
      }
    }
    guard let start = place(of: key, from: 0).map({ $0 + key.utf8CodeUnitCount }),
      let stop = place(of: end, from: start)
    else { return nil }
    return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<stop]), as: UTF8.self)
  }
}
