import Foundation

/// A file being written under another name, which takes the real one when it is complete.
package final class OutputFile {
  private let descriptor: Int32
  private let path: String
  private(set) var count = 0

  /// Writes a file whole or not at all: on any failure what was at `path` is still there.
  ///
  /// Throws an `ArrayFileError` where the folder is missing or closed to writing, or the disk is full.
  static func write(to path: String, _ body: (OutputFile) throws -> Void) throws {
    if case .stream = FileKind(path) {
      throw ArrayFileError(
        "the path is that of a device or a pipe; give that of a file.", path: path,
        kind: .cannotWrite)
    }
    let target = fileBehindLink(path)
    let temporary = temporaryPath(beside: target)
    unfinished.withLock { _ = $0.insert(temporary) }
    defer { unfinished.withLock { _ = $0.remove(temporary) } }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o666)
    let file = OutputFile(descriptor, path: path)
    guard descriptor >= 0 else { throw file.failure }
    do {
      defer { close(descriptor) }
      var status = stat()
      if stat(target, &status) == 0 { fchmod(descriptor, status.st_mode & 0o777) }
      try body(file)
      guard fsync(descriptor) == 0 else { throw file.failure }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, target) == 0 else {
      unlink(temporary)
      throw file.failure
    }
  }

  /// Likewise for bytes that are there already.
  package static func write(_ bytes: Data, to path: String) throws {
    try write(to: path) { file in try bytes.withUnsafeBytes { try file.write($0) } }
  }

  /// A new name in the folder of `path`.
  private static func temporaryPath(beside path: String) -> String {
    let url = URL(fileURLWithPath: path)
    // Short, since the whole name may not be longer than the file system allows.
    let name = ".\(url.lastPathComponent.prefix(40)).\(UUID().uuidString.prefix(8)).part"
    return url.deletingLastPathComponent().appendingPathComponent(name).path
  }

  /// Whether a file could be written at `path`, found by making one beside it for a moment; where not,
  /// `errno` says why.
  package static func canWrite(to path: String) -> Bool {
    let temporary = temporaryPath(beside: fileBehindLink(path))
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o644)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    unlink(temporary)
    return true
  }

  /// Removes what is being written, for a program that ends at once.
  package static func removeUnfinished() {
    unfinished.withLock { for path in $0 { unlink(path) } }
  }

  private static let unfinished = UnfinishedFiles()

  private init(_ descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    try write(bytes, at: count)
    count += bytes.count
  }

  func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  /// Overwrites bytes written before.
  func replace(at offset: Int, with bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0, at: offset) }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let put = pwrite(
        descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 30),
        off_t(offset + done))
      if put < 0 && errno == EINTR { continue }
      guard put > 0 else { throw failure }
      done += put
    }
  }

  private var failure: ArrayFileError {
    ArrayFileError(
      "the file cannot be written; check that the folder exists, is writable and has room.",
      path: path, kind: .cannotWrite)
  }
}

/// The temporary files of this process.
// Unchecked: the set is only touched under the lock.
private final class UnfinishedFiles: @unchecked Sendable {
  private let lock = NSLock()
  private var paths: Set<String> = []

  func withLock<Result>(_ body: (inout Set<String>) -> Result) -> Result {
    lock.withLock { body(&paths) }
  }
}

/// The file that a path leads to, so that a rename replaces it and leaves the link itself; where there is
/// no file yet, the one that a link names, or else the path as it is.
package func fileBehindLink(_ path: String) -> String {
  var path = path
  // As many links as Linux follows.
  for _ in 0..<40 {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes {
      readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    guard count > 0 else { return path }
    let target = String(decoding: buffer[..<count], as: UTF8.self)
    path =
      target.hasPrefix("/")
      ? target
      : ((path as NSString).deletingLastPathComponent as NSString).appendingPathComponent(target)
  }
  return path
}
