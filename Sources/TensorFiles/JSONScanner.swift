/// Reads the little JSON that a safetensors header is made of: objects, strings and lists of whole
/// numbers. Foundation's decoders let a name stand twice and keep one, without saying which.
///
/// Reference: RFC 8259.
struct JSONScanner {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Calls `member` at each value with its name; false where this is no object or `member` says so.
  mutating func object(
    _ member: (inout JSONScanner, String) throws -> Bool
  ) rethrows -> Bool {
    guard take("{") else { return false }
    if take("}") { return true }
    repeat {
      guard let name = string(), take(":"), try member(&self, name) else { return false }
    } while take(",")
    return take("}")
  }

  /// A list of whole numbers from 0 to `Int.max`.
  mutating func numbers() -> [Int]? {
    guard take("[") else { return nil }
    if take("]") { return [] }
    var result: [Int] = []
    repeat {
      skipSpaces()
      let start = position
      while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        position += 1
      }
      guard let number = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
        return nil
      }
      result.append(number)
    } while take(",")
    return take("]") ? result : nil
  }

  mutating func string() -> String? {
    guard take("\"") else { return nil }
    var text: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        let result = String(decoding: text, as: UTF8.self)
        return result.utf8.elementsEqual(text) ? result : nil
      case 0..<0x20: return nil
      case UInt8(ascii: "\\"):
        guard let scalar = escaped() else { return nil }
        text += Array(String(scalar).utf8)
      default: text.append(byte)
      }
    }
    return nil
  }

  var isAtEnd: Bool {
    bytes[position...].allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpaces() {
    while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
      position += 1
    }
  }

  /// Skips spaces, then `sign` if it is there.
  private mutating func take(_ sign: Unicode.Scalar) -> Bool {
    skipSpaces()
    guard peek == UInt8(ascii: sign) else { return false }
    position += 1
    return true
  }

  /// What stands behind a backslash.
  private mutating func escaped() -> Unicode.Scalar? {
    guard let byte = peek else { return nil }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      guard let unit = codeUnit() else { return nil }
      guard (0xD800..<0xDC00).contains(unit) else { return Unicode.Scalar(unit) }
      guard bytes[position...].starts(with: Array("\\u".utf8)) else { return nil }
      position += 2
      guard let low = codeUnit(), (0xDC00..<0xE000).contains(low) else { return nil }
      return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    default: return nil
    }
  }

  private mutating func codeUnit() -> UInt32? {
    guard bytes.count - position >= 4 else { return nil }
    let digits = bytes[position..<position + 4]
    position += 4
    guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
