import Foundation
import Presentation
import TensorPrograms

extension NumpyArray {
  /// What stands before the numbers of an `.npy` array, checked against the bytes that follow.
  struct Header: Sendable {
    var number: StoredNumber
    var isFortranOrder: Bool
    var shape: [Int]
    /// Bytes before the first number.
    var length: Int

    /// The type as it is read.
    var type: TensorType { TensorType(number.element, Shape(shape)) }

    /// Axes that NumPy allows.
    private static let maximumRank = 64

    /// Reads the header of an array that takes `total` bytes with it, leaving `stream` at the numbers.
    init(
      _ stream: some ByteStream, total: Int, limits: TensorFileLimits, place: ArrayPlace
    ) throws {
      guard total >= 10, case var prefix = try stream.bytes(10), prefix.starts(with: magic) else {
        throw place.failure("this is not an .npy file; write it with numpy.save.")
      }
      let start = prefix[6] == 1 ? 10 : 12
      guard (1...3).contains(prefix[6]), total >= start else {
        throw place.failure(
          "the .npy format's version \(prefix[6]) is not known; save it with a current NumPy.")
      }
      prefix += try stream.bytes(start - 10)
      let count = prefix[8...].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard count <= total - start else {
        throw place.failure("the file ends within its header of \(count) bytes; save it again.")
      }
      guard count <= limits.headerBytes else {
        throw place.failure(
          "the header takes \(count) bytes, and at most \(limits.headerBytes) are read; save it "
            + "with numpy.save.")
      }
      var scanner = Scanner(try stream.bytes(count))
      guard let fields = scanner.dictionary() else {
        throw place.failure("the header cannot be understood; write the file with numpy.save.")
      }
      guard let number = StoredNumber(descr: fields.descr) else {
        throw place.failure(Self.unusable(fields.descr))
      }
      self.number = number
      isFortranOrder = fields.isFortranOrder
      shape = fields.shape
      length = start + count
      guard shape.count <= Self.maximumRank else {
        throw place.failure(
          "the array has \(shape.count) axes; at most \(Self.maximumRank) are possible.")
      }
      guard let size = number.byteCount(of: shape) else {
        throw place.failure("the shape \(shape) is larger than any memory; save the file again.")
      }
      guard total - length == size else {
        throw place.failure(
          "the header announces \(size) bytes of \(number.kind.rawValue)\(Shape(shape)), but "
            + "\(total - length) follow; save the file again.")
      }
    }

    private static func unusable(_ descr: String) -> String {
      if descr.hasSuffix("O") { return "the array holds Python objects; save numbers instead." }
      return "elements of type '\(Printable.name(descr))' cannot be used; save it as "
        + "array.astype('<f4'), '<f8', '<i4', '<i8' or bool."
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

extension StoredNumber {
  /// NumPy's name of a number type: byte order, kind, bytes.
  fileprivate init?(descr: String) {
    let order = descr.first.flatMap { "<>|=".contains($0) ? $0 : nil }
    guard let kind = StoredNumber.numpyKinds[String(descr.dropFirst(order == nil ? 0 : 1))] else {
      return nil
    }
    self.init(kind: kind, isBigEndian: order == ">")
  }

  private static let numpyKinds: [String: Kind] = [
    "f2": .float16, "f4": .float32, "f8": .float64, "i1": .int8, "i2": .int16, "i4": .int32,
    "i8": .int64, "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64, "b1": .bool,
    "?": .bool,
  ]
}
