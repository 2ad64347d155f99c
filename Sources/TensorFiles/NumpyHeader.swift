import Foundation
import TensorPrograms

extension NumpyArray {
  /// What stands before the numbers of an `.npy` file, checked against the file's size.
  struct Header {
    var element: ElementType
    var isFortranOrder: Bool
    var shape: [Int]
    /// Bytes before the first number.
    var length: Int

    /// Axes that NumPy allows.
    private static let maximumRank = 64
    private static let maximumLength = 1 << 20

    init(_ bytes: Data, path: String) throws {
      func failure(_ sentence: String) -> ArrayFileError { ArrayFileError(sentence, path: path) }
      let prefix = Array(bytes.prefix(12))
      guard prefix.count >= 10, Array(prefix.prefix(6)) == NumpyArray.magic else {
        throw failure("this is not an .npy file; write it with numpy.save.")
      }
      let start = prefix[6] == 1 ? 10 : 12
      guard (1...3).contains(prefix[6]), prefix.count >= start else {
        throw failure(
          "the .npy format's version \(prefix[6]) is not known; save it with a current NumPy.")
      }
      let count = prefix[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard count <= Self.maximumLength, start + count <= bytes.count else {
        throw failure("the file ends within its header of \(count) bytes; save it again.")
      }
      let text = bytes.dropFirst(start).prefix(count)
      var scanner = Scanner(Array(text))
      guard let fields = scanner.dictionary() else {
        throw failure("the header cannot be understood; write the file with numpy.save.")
      }
      guard NumpyArray.codes[fields.descr] != nil || fields.descr == "?" else {
        throw failure(Self.unusable(fields.descr))
      }
      element = NumpyArray.codes[fields.descr] ?? .bool
      isFortranOrder = fields.isFortranOrder
      shape = fields.shape
      length = start + count
      guard shape.count <= Self.maximumRank else {
        throw failure(
          "the array has \(shape.count) axes; at most \(Self.maximumRank) are possible.")
      }
      var size = element.byteCount
      for dimension in shape {
        let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
        guard !overflow else {
          throw failure("the shape \(shape) is larger than any memory; save the file again.")
        }
        size = product
      }
      guard bytes.count - length == size else {
        throw failure(
          "the header announces \(size) bytes of \(element.rawValue)\(Shape(shape)), but "
            + "\(bytes.count - length) follow; save the file again.")
      }
    }

    private static func unusable(_ descr: String) -> String {
      let kind = descr.drop { "<>=|".contains($0) }
      let shown = descr.count > 40 ? descr.prefix(40) + "..." : descr[...]
      if kind == "O" { return "the array holds Python objects; save numbers instead." }
      if descr.hasPrefix(">"), NumpyArray.codes["<" + kind] != nil {
        return "the numbers are big-endian (\(shown)); save it as array.astype('<\(kind)')."
      }
      return
        "elements of type '\(shown)' cannot be used; save it as array.astype('<f4'), '<f8', '<i4', "
        + "'<i8' or bool."
    }
  }

  /// Reads the Python literal of a header: a dictionary of a string, a bool and a tuple of whole numbers.
  private struct Scanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func dictionary() -> (descr: String, isFortranOrder: Bool, shape: [Int])? {
      var descr: String?
      var isFortranOrder: Bool?
      var shape: [Int]?
      guard take("{") else { return nil }
      while !take("}") {
        guard let key = string(), take(":") else { return nil }
        switch key {
        case "descr" where descr == nil: descr = string()
        case "fortran_order" where isFortranOrder == nil:
          isFortranOrder = take("True") ? true : take("False") ? false : nil
        case "shape" where shape == nil: shape = tuple()
        default: return nil
        }
        guard take(",") || peek == UInt8(ascii: "}") else { return nil }
      }
      skipSpaces()
      guard position == bytes.count, let descr, let isFortranOrder, let shape else { return nil }
      return (descr, isFortranOrder, shape)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpaces() {
      while let byte = peek, byte == 0x20 || byte == 0x0A { position += 1 }
    }

    /// Skips spaces, then `word` and the spaces behind it, if it is there.
    private mutating func take(_ word: String) -> Bool {
      skipSpaces()
      guard bytes[position...].starts(with: word.utf8) else { return false }
      position += word.utf8.count
      skipSpaces()
      return true
    }

    private mutating func string() -> String? {
      skipSpaces()
      guard let quote = peek, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
        return nil
      }
      let start = position + 1
      guard let end = bytes[start...].firstIndex(of: quote) else { return nil }
      position = end + 1
      skipSpaces()
      return String(bytes: bytes[start..<end], encoding: .utf8)
    }

    private mutating func tuple() -> [Int]? {
      guard take("(") else { return nil }
      var numbers: [Int] = []
      while !take(")") {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
          position += 1
        }
        guard let number = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
          return nil
        }
        numbers.append(number)
        guard take(",") || peek == UInt8(ascii: ")") else { return nil }
      }
      return numbers
    }
  }
}
