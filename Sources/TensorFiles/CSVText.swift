import Foundation

/// What single characters of a CSV text mean, by their UTF-8 bytes.
enum CSVText {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  /// Bytes of the line break at `position`, where there is one: LF, CR or CR LF.
  @inline(__always)
  static func lineBreak(_ bytes: Bytes, at position: Int) -> Int? {
    switch bytes[position] {
    case 0x0A: 1
    case 0x0D: position + 1 < bytes.count && bytes[position + 1] == 0x0A ? 2 : 1
    default: nil
    }
  }

  static func lineBreaks(_ bytes: Bytes) -> Int {
    var count = 0
    var position = 0
    while position < bytes.count {
      let length = lineBreak(bytes, at: position)
      count += length == nil ? 0 : 1
      position += length ?? 1
    }
    return count
  }

  /// Bytes of the white space at `position`, where there is some: one scalar.
  @inline(__always)
  static func whitespace(_ bytes: Bytes, at position: Int) -> Int? {
    let byte = bytes[position]
    if byte < 0x80 { return byte == 0x20 || (0x09...0x0D).contains(byte) ? 1 : nil }
    // Those beyond ASCII begin with one of these.
    guard [0xC2, 0xE1, 0xE2, 0xE3].contains(byte) else { return nil }
    let length = byte == 0xC2 ? 2 : 3
    let scalar = String(decoding: bytes[position..<position + length], as: UTF8.self).unicodeScalars
      .first
    return scalar?.properties.isWhitespace == true ? length : nil
  }

  /// Whether there is nothing but white space.
  static func isBlank(_ bytes: Bytes) -> Bool {
    var position = 0
    while position < bytes.count {
      guard let length = whitespace(bytes, at: position) else { return false }
      position += length
    }
    return true
  }

  /// Whichever of comma, semicolon and tab the first line has most of outside quotes.
  static func delimiter(of bytes: Bytes) -> UInt8 {
    let delimiters: [UInt8] = [0x2C, 0x3B, 0x09]
    var counts = [0, 0, 0]
    var position = 0
    while position < bytes.count, let length = lineBreak(bytes, at: position) {
      position += length
    }
    var quoted = false
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 { quoted.toggle() }
      if !quoted {
        if lineBreak(bytes, at: position) != nil { break }
        if let index = delimiters.firstIndex(of: byte) { counts[index] += 1 }
      }
      position += 1
    }
    // The first of equals.
    return delimiters[counts.firstIndex(of: counts.max()!)!]
  }

  /// Calls `body` with a cell without the white space around it, which is looked for where a space or a
  /// tab is outermost.
  @inline(__always)
  static func withTrimmed(_ cell: Bytes, _ body: (Bytes) -> Void) {
    func isPadding(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    guard let first = cell.first, isPadding(first) || isPadding(cell.last!) else {
      body(cell)
      return
    }
    guard cell.contains(where: { $0 >= 0x80 }) else {
      let start = cell.firstIndex { !isPadding($0) } ?? cell.count
      let end = cell.lastIndex { !isPadding($0) } ?? cell.count - 1
      body(Bytes(rebasing: cell[start..<end + 1]))
      return
    }
    // Other spaces may stand between.
    var text = String(decoding: cell, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    text.withUTF8(body)
  }
}
