import Presentation
import TensorPrograms

/// A safetensors file: a JSON header, then the numbers of all arrays, row-major and little-endian.
///
/// Opening reads the header; an array, or rows of it, is read when it is asked for. `F16` and `BF16`
/// come as `float32`, `I8`, `I16`, `U8` and `U16` as `int32`, `U32` and `U64` as `int64`; eight-bit
/// and complex floating types are refused when they are asked for.
///
/// Reference: huggingface/safetensors, "Format".
public struct SafetensorsFile: TensorSource {
  public let keys: [String]
  /// The texts that the file carries beside its arrays.
  public let metadata: [String: String]
  private let entries: [String: SafetensorsHeader.Entry]
  private let dataStart: Int
  private let file: ByteFile
  private let limits: TensorFileLimits

  /// Throws an `ArrayFileError` where there is no such file, its header is damaged, names an array twice
  /// or is larger than `limits` allow, or the arrays do not follow each other from the header to the end
  /// of the file.
  public init(_ path: String, limits: TensorFileLimits = .standard) throws {
    try self.init(ByteFile(path), limits: limits)
  }

  package init(_ file: ByteFile, limits: TensorFileLimits = .standard) throws {
    self.file = file
    self.limits = limits
    let place = ArrayPlace(path: file.path)
    guard file.count >= 10, let length = try file.bytes(0..<8).littleEndian(8, at: 0),
      length <= file.count - 8, try file.bytes(8..<9) == [UInt8(ascii: "{")]
    else {
      throw place.failure(
        "this is not a safetensors file, or it is cut off; write it with safetensors again.")
    }
    guard length <= limits.headerBytes else {
      throw place.failure(
        "the header takes \(length) bytes, and at most \(limits.headerBytes) are read; split the file."
      )
    }
    dataStart = 8 + length
    let header = try SafetensorsHeader(
      try file.bytes(8..<dataStart), dataCount: file.count - dataStart, limits: limits,
      path: file.path)
    keys = header.keys
    entries = header.entries
    metadata = header.metadata
  }

  public var path: String { file.path }

  public func type(of key: String) throws -> TensorType {
    let (entry, number, _) = try entry(key)
    return TensorType(number.element, Shape(entry.shape))
  }

  public func tensor(_ key: String) throws -> Tensor {
    let (entry, number, place) = try entry(key)
    return try read(
      number, Shape(entry.shape), from: entry.offsets.lowerBound, place: place)
  }

  public func tensor(_ key: String, rows: Range<Int>) throws -> Tensor {
    let (entry, number, place) = try entry(key)
    var shape = Shape(entry.shape)
    try place.check(rows, of: TensorType(number.element, shape))
    shape[0] = rows.count
    let rowBytes = rows.isEmpty ? 0 : shape.count / rows.count * number.byteCount
    return try read(
      number, shape, from: entry.offsets.lowerBound + rows.lowerBound * rowBytes, place: place)
  }

  private func entry(
    _ key: String
  ) throws -> (SafetensorsHeader.Entry, StoredNumber, ArrayPlace) {
    guard let entry = entries[key] else { throw missingKey(key, among: keys, path: path) }
    let place = ArrayPlace(path: path, key: key)
    guard let kind = SafetensorsHeader.kinds[entry.code] else {
      throw place.failure(
        "elements of type \(Printable.name(entry.code)) cannot be used; save it as F32, F64, I32, I64 or "
          + "BOOL.")
    }
    return (entry, StoredNumber(kind: kind), place)
  }

  private func read(
    _ number: StoredNumber, _ shape: Shape, from offset: Int, place: ArrayPlace
  ) throws -> Tensor {
    try limits.check(TensorType(number.element, shape), place: place)
    var position = dataStart + offset
    let storage = try number.storage(count: shape.count, place: place) { buffer in
      try file.read(at: position, into: buffer)
      position += buffer.count
    }
    return Tensor(storage, shape: shape)
  }
}

extension SafetensorsFile {
  /// Writes arrays as `safetensors` does: larger element types first, then by name, the header padded
  /// to eight bytes, so that every array is aligned. The file appears whole or not at all.
  ///
  /// Throws an `ArrayFileError` where two arrays share a name, a name is empty, too long or
  /// `__metadata__`, the folder is missing or closed to writing, or the disk is full.
  public static func write(
    _ arrays: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String
  ) throws {
    try checkNames(
      arrays.map(\.name), path: path, limit: TensorFileLimits.standard.nameBytes)
    if arrays.contains(where: { $0.name == SafetensorsHeader.metadataKey }) {
      throw ArrayFileError(
        "the format keeps this name for itself; rename the array.", path: path,
        key: SafetensorsHeader.metadataKey)
    }
    let order: [ElementType] = [.int64, .float64, .float32, .int32, .bool]
    let sorted = arrays.sorted {
      let ranks = (
        order.firstIndex(of: $0.tensor.element)!, order.firstIndex(of: $1.tensor.element)!
      )
      return ranks.0 == ranks.1
        ? Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) : ranks.0 < ranks.1
    }
    var text = SafetensorsHeader.text(
      of: sorted.map { ($0.name, $0.tensor.type) }, metadata: metadata)
    text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    try OutputFile.write(to: path) { file in
      var length: [UInt8] = []
      length.appendLittle(text.utf8.count, bytes: 8)
      try file.write(length + Array(text.utf8))
      for (_, tensor) in sorted { try tensor.withUnsafeBytes { try file.write($0) } }
    }
  }
}
