import Diagnosis
import Foundation
import Presentation

/// Keeps a second process out of a folder, as long as this one lives.
///
/// The lock is the system's on the open file, not the file: it ends with the process, however that ends, so that a
/// run that was killed leaves nothing behind which would keep the next one out.
final class FolderLock {
  private let path: String
  private let descriptor: Int32

  /// Where the file system knows no locks, there is none.
  ///
  /// - Throws: `DiagnosisFailure` of kind `usage` where another process holds it.
  init(_ folder: String) throws {
    path = (folder as NSString).appendingPathComponent(".lock")
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { break }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let isHeld = errno == EWOULDBLOCK
        defer { close(descriptor) }
        guard isHeld else { break }
        let holder = Self.holder(descriptor)
        throw DiagnosisFailure(
          .usage,
          "Another process\(holder.map { ", \($0)," } ?? "") keeps its checkpoints in '\(folder)': wait for its "
            + "end, or give \(option: .checkpoints) another folder.")
      }
      // One that ended meanwhile may have taken the file away: its lock would keep nobody out.
      guard Self.isStillThere(descriptor, path) else {
        close(descriptor)
        continue
      }
      ftruncate(descriptor, 0)
      let text = Array("\(getpid())\n".utf8)
      _ = pwrite(descriptor, text, text.count, 0)
      self.descriptor = descriptor
      return
    }
    descriptor = -1
  }

  deinit {
    guard descriptor >= 0 else { return }
    unlink(path)
    close(descriptor)
  }

  private static func holder(_ descriptor: Int32) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 20)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    return Int(String(decoding: bytes[..<count], as: UTF8.self).filter(\.isNumber))
  }

  private static func isStillThere(_ descriptor: Int32, _ path: String) -> Bool {
    var (mine, there) = (stat(), stat())
    return fstat(descriptor, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino
      && mine.st_dev == there.st_dev
  }
}
