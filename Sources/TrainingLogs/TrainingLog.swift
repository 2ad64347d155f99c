import Foundation
import Presentation
import SwiftProtobuf
import Training

/// The log of a training run as files of a folder: `events.jsonl`, one event a line, and event files of
/// TensorBoard with its numbers.
///
/// A run that goes on from a checkpoint first takes out of `events.jsonl` what came after it, and tells
/// TensorBoard to do the same, so that nothing stands there twice.
public final class TrainingLog {
  public let folder: String
  private let lines: String
  private var lineFile: FileHandle?
  private var eventFile: FileHandle?
  private var waiting = Data()
  private var waitingEvents = Data()

  /// Bytes that wait before they are written.
  private static let most = 1 << 16

  /// Makes the folder where there is none.
  ///
  /// - Parameter resumes: whether the log of an earlier run is to go on.
  /// - Throws: `LogError`.
  public init(_ folder: String, resumes: Bool) throws {
    self.folder = folder
    lines = (folder as NSString).appendingPathComponent("events.jsonl")
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      var isFolder: ObjCBool = false
      let isFile = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
      throw isFile && !isFolder.boolValue ? LogError.noFolder(folder) : LogError.cannotWrite(folder)
    }
    let isThere = FileManager.default.fileExists(atPath: lines)
    guard !isThere || resumes else { throw LogError.taken(folder) }
    guard FileManager.default.isWritableFile(atPath: isThere ? lines : folder) else {
      throw LogError.cannotWrite(folder)
    }
  }

  deinit {
    try? flush()
    try? lineFile?.close()
    try? eventFile?.close()
  }

  /// - Throws: `LogError` where it cannot be written.
  public func note(_ event: TrainingEvent) throws {
    if case .started(let step, _, _) = event { try begin(after: step) }
    waiting.append(Data(try LogLine.text(event).utf8))
    if let message = Self.message(event) { waitingEvents.append(try Self.record(message)) }
    let isStep = if case .step = event { true } else { false }
    if !isStep || waiting.count > Self.most { try flush() }
  }

  /// Writes what waits.
  public func flush() throws {
    do {
      try lineFile?.write(contentsOf: waiting)
      try eventFile?.write(contentsOf: waitingEvents)
    } catch { throw lost }
    (waiting, waitingEvents) = (Data(), Data())
  }

  /// Why what was begun cannot go on.
  private var lost: LogError {
    FileManager.default.fileExists(atPath: folder) ? .cannotWrite(folder) : .gone(folder)
  }

  private func begin(after step: Int) throws {
    // TensorBoard drops from earlier files what has the step where a new one goes on, an evaluation there too.
    var again: [TrainingEvaluation] = []
    do {
      let old = (try? String(contentsOfFile: lines, encoding: .utf8)) ?? ""
      let kept = old.split(separator: "\n").filter { LogLine.isBefore(step, $0) }
      again = kept.suffix(8).compactMap {
        try? JSONDecoder().decode(TrainingEvaluation.self, from: Data($0.utf8))
      }.filter { $0.step == step }
      try kept.map { $0 + "\n" }.joined()
        .write(toFile: lines, atomically: true, encoding: .utf8)
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: lines))
      try file.seekToEnd()
      lineFile = file
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      let number = names.count { $0.contains(".tfevents.") }
      // TensorBoard reads the files of a folder in the order of their names.
      let digits = String(number)
      let name =
        "events.out.tfevents.\(String(repeating: "0", count: max(0, 10 - digits.count)))\(digits).eigenstep"
      let path = (folder as NSString).appendingPathComponent(name)
      guard FileManager.default.createFile(atPath: path, contents: nil) else {
        throw LogError.cannotWrite(folder)
      }
      eventFile = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    } catch { throw LogError.cannotWrite(folder) }
    var version = EventMessage()
    version.wallTime = Date().timeIntervalSince1970
    version.fileVersion = "brain.Event:2"
    var start = EventMessage()
    start.wallTime = version.wallTime
    start.step = Int64(step)
    start.sessionLog = SessionLogMessage()
    start.sessionLog?.status = 1
    waitingEvents.append(try Self.record(version) + Self.record(start))
    for evaluation in again {
      if let message = Self.message(.evaluated(evaluation)) {
        waitingEvents.append(try Self.record(message))
      }
    }
  }

  private static func record(_ message: EventMessage) throws -> Data {
    RecordFraming.framed(try message.serializedBytes())
  }

  /// The numbers of an event; nil where it has none.
  private static func message(_ event: TrainingEvent) -> EventMessage? {
    var scalars: [(tag: String, value: Double?)] = []
    let step: Int
    switch event {
    case .step(let record):
      step = record.step
      scalars = [
        ("loss/step", record.loss),
        // A loop of somebody else's does not tell it.
        ("gradient_norm", record.gradientNorm.isNaN ? nil : record.gradientNorm),
        ("rate", record.rate),
      ]
    case .tracked(let record):
      step = record.step
      scalars = record.values.map {
        ("tracked/\($0.name)" + ($0.part.map { "/\($0)" } ?? ""), $0.value)
      }
    case .evaluated(let evaluation):
      step = evaluation.step
      for (name, reading) in [("training", evaluation.training), ("held_out", evaluation.heldOut)] {
        guard let reading else { continue }
        scalars += [
          ("loss/\(name)", reading.loss), ("accuracy/\(name)", reading.accuracy),
          ("r_squared/\(name)", reading.rSquared),
        ]
      }
    case .noted(let note):
      step = note.step
      scalars = note.values.sorted { $0.key < $1.key }.map { ("noted/\($0.key)", $0.value) }
    case .alarm(let at, let alarm):
      step = at
      scalars = [("alarm/rate_factor", alarm.rateFactor)]
    case .started, .kept, .ended: return nil
    }
    var message = EventMessage()
    message.wallTime = Date().timeIntervalSince1970
    message.step = Int64(step)
    var summary = SummaryMessage()
    summary.value = scalars.compactMap { tag, value in
      guard let value else { return nil }
      var one = SummaryValueMessage()
      (one.tag, one.simpleValue) = (tag, Float(value))
      return one
    }
    message.summary = summary
    return message
  }
}

/// Why a log cannot be kept: one sentence and the next step.
public enum LogError: MessageError, Equatable, Sendable {
  case cannotWrite(String)
  /// The folder holds the log of another run.
  case taken(String)
  /// There is a file of this name.
  case noFolder(String)
  /// The folder was removed while the run went on.
  case gone(String)

  public var message: Presentation.Message {
    switch self {
    case .cannotWrite(let folder):
      "The log in '\(folder)' cannot be written, for want of room or of permission; give another folder."
    case .taken(let folder):
      "'\(folder)' holds the log of an earlier run; give \(option: .log) another folder."
    case .noFolder(let path):
      "'\(path)' is a file, and \(option: .log) takes a folder; give the name of one, which is made."
    case .gone(let folder):
      "The folder '\(folder)' of the log is gone: it was removed while the run went on; give \(option: .log) "
        + "another one."
    }
  }
}
