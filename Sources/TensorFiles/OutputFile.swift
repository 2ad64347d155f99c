import Foundation

/// A file being written under another name, which takes the real one when it is complete.
final class OutputFile {
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
    let temporary = "\(target).\(UUID().uuidString.prefix(8)).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o666)
    let file = OutputFile(descriptor, path: path)
    guard descriptor >= 0 else { throw file.failure }
    do {
      defer { close(descriptor) }
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

/// The file that a path leads to, so that a rename replaces it and leaves the link itself; the path as
/// it is where there is no file yet.
package func fileBehindLink(_ path: String) -> String {
  guard let resolved = realpath(path, nil) else { return path }
  defer { free(resolved) }
  return String(cString: resolved)
}
