import TensorPrograms

/// The JSON header of a safetensors file, checked against the bytes that follow it.
struct SafetensorsHeader {
  struct Entry: Sendable {
    var code: String
    var shape: [Int]
    var offsets: Range<Int>
  }

  private(set) var keys: [String] = []
  private(set) var entries: [String: Entry] = [:]
  private(set) var metadata: [String: String] = [:]

  static let metadataKey = "__metadata__"

  static let kinds: [String: StoredNumber.Kind] = [
    "F16": .float16, "BF16": .bfloat16, "F32": .float32, "F64": .float64, "I8": .int8,
    "I16": .int16, "I32": .int32, "I64": .int64, "U8": .uint8, "U16": .uint16, "U32": .uint32,
    "U64": .uint64, "BOOL": .bool,
  ]

  /// - `dataCount`: bytes behind the header, all of which must belong to an array.
  init(_ bytes: [UInt8], dataCount: Int, limits: TensorFileLimits, path: String) throws {
    var scanner = JSONScanner(bytes)
    var hasMetadata = false
    let isUnderstood = try scanner.object { scanner, key in
      guard key != Self.metadataKey else {
        guard !hasMetadata else { return false }
        hasMetadata = true
        return scanner.object { scanner, name in
          guard let text = scanner.string() else { return false }
          return metadata.updateValue(text, forKey: name) == nil
        }
      }
      let place = ArrayPlace(path: path, key: key)
      guard key.utf8.count <= limits.nameBytes, keys.count < limits.arrays else {
        throw place.failure(
          "at most \(limits.arrays) arrays with names of \(limits.nameBytes) bytes are read; split the "
            + "file.")
      }
      guard let entry = Entry(&scanner) else {
        throw place.failure(
          "its entry in the header cannot be understood; write the file with safetensors again.")
      }
      try entry.check(dataCount: dataCount, place: place)
      guard entries.updateValue(entry, forKey: key) == nil else {
        throw place.failure("the header names this array twice; save the file again.")
      }
      keys.append(key)
      return true
    }
    guard isUnderstood, scanner.isAtEnd else {
      throw ArrayFileError(
        "the header cannot be understood; write the file with safetensors again.", path: path)
    }
    try checkCover(dataCount: dataCount, path: path)
  }

  /// The arrays must follow each other without overlap or hole, as the format demands: a file with two
  /// readings, or with room for something else, is not to be trusted.
  private func checkCover(dataCount: Int, path: String) throws {
    func offsets(_ key: String) -> Range<Int> { entries[key]!.offsets }
    let order = keys.sorted {
      (offsets($0).lowerBound, offsets($0).upperBound)
        < (offsets($1).lowerBound, offsets($1).upperBound)
    }
    var position = 0
    for key in order {
      guard offsets(key).lowerBound == position else {
        throw ArrayFileError(
          "the array begins at byte \(offsets(key).lowerBound) of the data, but the one before ends at "
            + "\(position); save the file again.", path: path, key: key)
      }
      position = offsets(key).upperBound
    }
    guard position == dataCount else {
      throw ArrayFileError(
        "the arrays take \(position) bytes, but \(dataCount) follow the header; save the file again.",
        path: path)
    }
  }

  /// The header of arrays that follow each other in this order.
  static func text(of arrays: [(String, TensorType)], metadata: [String: String]) -> String {
    var fields: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(quoted($1))" }
      fields.append("\"\(metadataKey)\":{\(texts.joined(separator: ","))}")
    }
    var offset = 0
    for (name, type) in arrays {
      let code =
        switch type.element {
        case .float32: "F32"
        case .float64: "F64"
        case .int32: "I32"
        case .int64: "I64"
        case .bool: "BOOL"
        }
      let shape = type.shape.dimensions.map(String.init).joined(separator: ",")
      let end = offset + type.byteCount
      fields.append(
        "\(quoted(name)):{\"dtype\":\"\(code)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    return "{\(fields.joined(separator: ","))}"
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case _ where scalar.value < 0x20:
        "\\u00" + String(scalar.value >> 4, radix: 16) + String(scalar.value & 15, radix: 16)
      default: String(scalar)
      }
    }
    return "\"\(escaped.joined())\""
  }
}

extension SafetensorsHeader.Entry {
  fileprivate init?(_ scanner: inout JSONScanner) {
    var code: String?
    var shape: [Int]?
    var offsets: [Int]?
    let isUnderstood = scanner.object { scanner, field in
      switch field {
      case "dtype" where code == nil: code = scanner.string()
      case "shape" where shape == nil: shape = scanner.numbers()
      case "data_offsets" where offsets == nil: offsets = scanner.numbers()
      default: return false
      }
      return true
    }
    guard isUnderstood, let code, let shape, let offsets, offsets.count == 2,
      offsets[0] <= offsets[1]
    else { return nil }
    self.init(code: code, shape: shape, offsets: offsets[0]..<offsets[1])
  }

  fileprivate func check(dataCount: Int, place: ArrayPlace) throws {
    guard offsets.upperBound <= dataCount else {
      throw place.failure(
        "the array ends at byte \(offsets.upperBound) of the data, of which there are \(dataCount); the "
          + "file may be cut off: save or copy it again.")
    }
    // Types that are not read still have their place, but their size is not known.
    guard let kind = SafetensorsHeader.kinds[code] else { return }
    guard shape.count <= 64, let size = StoredNumber(kind: kind).byteCount(of: shape),
      size == offsets.count
    else {
      throw place.failure(
        "\(offsets.count) bytes do not hold an array of \(code) with the shape "
          + "\(shape.count <= 64 ? "\(shape)" : "of \(shape.count) axes"); save the file again.")
    }
  }
}
