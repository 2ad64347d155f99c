import Diagnosis
import Foundation
import Presentation
import TensorFiles
import Training

/// The checkpoints of a run as files of a folder, of which the last few are kept.
///
/// Each is written under another name, brought to the disk, and renamed: so whenever a run ends, those that have
/// their names are whole.
public struct CheckpointFolder: CheckpointStore {
  public let path: String
  /// How many are kept.
  public let kept: Int

  private let lock: FolderLock

  private static let prefix = "step-"
  private static let suffix = ".checkpoint"

  /// Makes the folder where there is none, and removes what runs that were killed left unfinished.
  ///
  /// - Throws: `DiagnosisFailure` of kind `cannotCreate` where nothing can be written there, and of kind `usage`
  ///   where another process keeps its checkpoints there.
  /// - Precondition: one or more are kept.
  public init(_ path: String, kept: Int) throws {
    precondition(kept >= 1, "\(kept) checkpoints are kept")
    self.path = path
    self.kept = kept
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw Self.failure(path, "it cannot be made, or is no folder")
    }
    lock = try FolderLock(path)
    guard OutputFile.canWrite(to: file(step: 0)) else {
      throw Self.failure(path, String(cString: strerror(errno)).lowercased())
    }
    for name in try names() where name.hasPrefix("." + Self.prefix) && name.hasSuffix(".part") {
      try? FileManager.default.removeItem(atPath: (path as NSString).appendingPathComponent(name))
    }
  }

  private static func failure(_ path: String, _ reason: String) -> DiagnosisFailure {
    DiagnosisFailure(
      .cannotCreate,
      "No checkpoint can be written in '\(path)' (\(reason)); give \(option: .checkpoints) another folder."
    )
  }

  private func names() throws -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  private func file(step: Int) -> String {
    let digits = String(step)
    return (path as NSString).appendingPathComponent(
      Self.prefix + String(repeating: "0", count: max(0, 10 - digits.count)) + digits + Self.suffix)
  }

  /// Steps of which there is one, last first.
  private func steps() throws -> [Int] {
    try names().compactMap { name in
      guard name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix) else { return nil }
      return Int(name.dropFirst(Self.prefix.count).dropLast(Self.suffix.count))
    }.sorted(by: >)
  }

  /// - Throws: `DiagnosisFailure` of kind `cannotCreate`, those before still whole.
  public func write(_ bytes: Data, step: Int) throws -> String {
    let target = file(step: step)
    do { try OutputFile.write(bytes, to: target) } catch {
      guard FileManager.default.fileExists(atPath: path) else {
        throw DiagnosisFailure(
          .cannotCreate,
          "The folder '\(path)' of the checkpoints is gone, and with it those up to step \(step): it was "
            + "removed while the run went on; give \(option: .checkpoints) another one.")
      }
      let before =
        try steps().first.map {
          "the last good one, '\(file(step: $0))', is whole, and --resume goes on from it"
        } ?? "there is none before it"
      throw DiagnosisFailure(
        .cannotCreate,
        "The checkpoint after step \(step) cannot be written in '\(path)', for want of room or of permission; \(before)."
      )
    }
    // The new name is on the disk before an old one goes.
    let descriptor = open(path, O_RDONLY)
    if descriptor >= 0 {
      fsync(descriptor)
      close(descriptor)
    }
    for old in try steps().filter({ $0 <= step }).dropFirst(kept) {
      try? FileManager.default.removeItem(atPath: file(step: old))
    }
    return target
  }

  public func stored() throws -> [StoredCheckpoint] {
    try steps().map { step in
      let target = file(step: step)
      return StoredCheckpoint(place: "'\(target)'") {
        do { return try Data(contentsOf: URL(fileURLWithPath: target)) } catch {
          throw CheckpointError.damaged("it cannot be read")
        }
      }
    }
  }
}
