import Presentation
import Foundation

/// The text of a CSV file: its bytes, held once, known to be UTF-8.
struct TableFile {
  let path: String
  private let bytes: [UInt8]
  /// Where the text begins, behind byte order marks: some tools write a second one.
  private let start: Int

  /// Throws a `TableError` where there is no such file, it is longer than a table may be, or no text.
  init(_ path: String) throws {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw TableError("there is no such file; check the path.", path: path)
    }
    guard !isDirectory.boolValue else {
      throw TableError("this is a folder; name a CSV file in it.", path: path)
    }
    try self.init(bytes: TableFile.contents(of: path), path: path)
  }

  init(bytes: [UInt8], path: String) throws {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw TableError("the file is UTF-16 text; save it as UTF-8.", path: path)
    }
    if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
      throw TableError(
        "the file is an archive or a spreadsheet; export the sheet as CSV.", path: path)
    }
    guard !bytes.contains(0), TableFile.isUTF8(bytes) else {
      throw TableError(
        "the file is not UTF-8 text; is it a CSV file? Export the table as CSV in UTF-8.",
        path: path)
    }
    self.path = path
    self.bytes = bytes
    var start = 0
    while bytes[start...].starts(with: [0xEF, 0xBB, 0xBF]) { start += 3 }
    self.start = start
  }

  func withText<Result>(_ body: (CSVText.Bytes) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBufferPointer { try body(.init(rebasing: $0[start...])) }
  }

  /// The bytes up to the end, in parts: what is no text, or has no end, is left at once.
  private static func contents(of path: String) throws -> [UInt8] {
    let limit = TensorFileLimits.standard.tableBytes
    let unreadable = TableError("the file cannot be read; check its permissions.", path: path)
    // Opened, not mapped: a table may come through a pipe.
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw unreadable }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    if case .regular(let size) = FileKind(path) { bytes.reserveCapacity(min(size, limit)) }
    var part = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = part.withUnsafeMutableBytes { read(descriptor, $0.baseAddress!, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw unreadable }
      if count == 0 { return bytes }
      bytes.append(contentsOf: part[..<count])
      // The caller says what the file is instead.
      if part[..<count].contains(0) { return bytes }
      guard bytes.count <= limit else {
        throw TableError(
          "the table takes more than \(limit) bytes, which is all that is read; use fewer rows.",
          path: path)
      }
    }
  }

  /// In parts, each of which is decoded for a moment.
  private static func isUTF8(_ bytes: [UInt8]) -> Bool {
    var start = 0
    while start < bytes.count {
      var end = min(bytes.count, start + 1 << 20)
      // A character is at most four bytes and is not cut.
      for _ in 0..<3 where end < bytes.count && bytes[end] & 0xC0 == 0x80 { end -= 1 }
      guard String(data: Data(bytes[start..<end]), encoding: .utf8) != nil else { return false }
      start = end
    }
    return true
  }
}
