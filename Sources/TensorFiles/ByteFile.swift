import Foundation

/// A file read at any offset, open as long as this is held; or bytes in memory that stand for one.
package final class ByteFile: Sendable {
  package let path: String
  package let count: Int

  private enum Content: Sendable {
    case descriptor(Int32)
    case bytes([UInt8])
  }
  private let content: Content

  /// Throws an `ArrayFileError` where there is no such file, it is a folder or a device, or it cannot
  /// be opened.
  package init(_ path: String) throws {
    self.path = path
    let place = ArrayPlace(path: path)
    switch FileKind(path) {
    case .missing:
      throw ArrayFileError(
        "there is no such file; check the path.", path: path, kind: .missingFile)
    case .folder: throw place.failure("this is a folder; name a file in it.")
    case .stream:
      throw place.failure("this is a pipe or a device; save the arrays to a file first.")
    case .regular(let size): count = size
    }
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw place.failure("the file cannot be read; check its permissions.")
    }
    content = .descriptor(descriptor)
  }

  package init(bytes: [UInt8], path: String) {
    self.path = path
    count = bytes.count
    content = .bytes(bytes)
  }

  deinit {
    if case .descriptor(let descriptor) = content { close(descriptor) }
  }

  /// Fills `buffer` from `offset` on; throws where the file ends before.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    let (end, overflow) = offset.addingReportingOverflow(buffer.count)
    guard offset >= 0, !overflow, end <= count else {
      throw ArrayFileError("the file ends too early; save it again.", path: path)
    }
    switch content {
    case .bytes(let bytes):
      bytes.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[offset..<end])) }
    case .descriptor(let descriptor):
      var filled = 0
      while filled < buffer.count {
        let got = pread(
          descriptor, buffer.baseAddress! + filled, min(buffer.count - filled, 1 << 30),
          off_t(offset + filled))
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else {
          throw ArrayFileError(
            got < 0
              ? "the file cannot be read any further; check the disk."
              : "the file became shorter while it was read; try again.", path: path)
        }
        filled += got
      }
    }
  }

  package func bytes(_ range: Range<Int>) throws -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw ArrayFileError("the file ends too early; save it again.", path: path)
    }
    var result = [UInt8](repeating: 0, count: range.count)
    try result.withUnsafeMutableBytes { try read(at: range.lowerBound, into: $0) }
    return result
  }
}

/// What a path leads to.
enum FileKind {
  case missing, folder, stream
  case regular(size: Int)

  init(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      self = .missing
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .regular(size: Int(status.st_size))
    case S_IFDIR: self = .folder
    default: self = .stream
    }
  }
}

extension Array where Element == UInt8 {
  /// The little-endian number in the `count` (at most 8) bytes from `offset` on, all of which must be
  /// there; nil where it is above `Int.max`.
  func littleEndian(_ count: Int, at offset: Int) -> Int? {
    Int(
      exactly: self[offset..<offset + count].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  func little16(_ offset: Int) -> Int { Int(self[offset]) | Int(self[offset + 1]) << 8 }

  func little32(_ offset: Int) -> Int { little16(offset) | little16(offset + 2) << 16 }

  mutating func appendLittle(_ value: Int, bytes: Int) {
    for byte in 0..<bytes { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }
}
