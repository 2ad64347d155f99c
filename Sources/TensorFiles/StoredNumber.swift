import TensorPrograms

/// How a file writes a number, and the type it is read as: the tensors' own five as they are, shorter
/// ones as the next that holds them all, unsigned 64-bit integers as `int64` where they fit.
struct StoredNumber: Hashable, Sendable {
  enum Kind: String, Sendable {
    case float16, bfloat16, float32, float64
    case int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
    case bool
  }

  var kind: Kind
  var isBigEndian = false

  /// Bytes of one number in the file.
  var byteCount: Int {
    switch kind {
    case .bool, .int8, .uint8: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Type of the tensor that a reader gets.
  var element: ElementType {
    switch kind {
    case .float16, .bfloat16, .float32: .float32
    case .float64: .float64
    case .int8, .int16, .int32, .uint8, .uint16: .int32
    case .int64, .uint32, .uint64: .int64
    case .bool: .bool
    }
  }

  /// Bytes of the numbers of such a shape in a file, or nil where the shape is beyond any memory. An
  /// empty shape's other dimensions count too, since strides are products of them.
  func byteCount(of dimensions: [Int]) -> Int? {
    var extent = 8
    for dimension in dimensions where dimension != 0 {
      let (product, overflow) = extent.multipliedReportingOverflow(by: dimension)
      guard dimension > 0, !overflow else { return nil }
      extent = product
    }
    return dimensions.contains(0) ? 0 : extent / 8 * byteCount
  }

  /// The next `count` numbers that `read` delivers the bytes of.
  func storage(
    count: Int, place: ArrayPlace, read: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Tensor.Storage {
    func numbers<Raw: FixedWidthInteger, Number>(
      _: Raw.Type, _ convert: (Raw) throws -> Number
    ) throws -> [Number] {
      try [Number](unsafeUninitializedCapacity: count) { buffer, filled in
        var chunk = [Raw](repeating: 0, count: min(count, (1 << 16) / MemoryLayout<Raw>.size))
        while filled < count {
          let size = min(chunk.count, count - filled)
          try chunk.withUnsafeMutableBytes {
            let bytes = $0[..<(size * MemoryLayout<Raw>.size)]
            try read(UnsafeMutableRawBufferPointer(rebasing: bytes))
          }
          let target = buffer.baseAddress! + filled
          for i in 0..<size {
            let raw = isBigEndian ? chunk[i].bigEndian : chunk[i].littleEndian
            (target + i).initialize(to: try convert(raw))
          }
          filled += size
        }
      }
    }
    return switch kind {
    case .float16: .float32(try numbers(UInt16.self, float(half:)))
    case .bfloat16: .float32(try numbers(UInt16.self) { Float(bitPattern: UInt32($0) << 16) })
    case .float32: .float32(try numbers(UInt32.self) { Float(bitPattern: $0) })
    case .float64: .float64(try numbers(UInt64.self) { Double(bitPattern: $0) })
    case .int8: .int32(try numbers(Int8.self) { Int32($0) })
    case .int16: .int32(try numbers(Int16.self) { Int32($0) })
    case .int32: .int32(try numbers(Int32.self) { $0 })
    case .int64: .int64(try numbers(Int64.self) { $0 })
    case .uint8: .int32(try numbers(UInt8.self) { Int32($0) })
    case .uint16: .int32(try numbers(UInt16.self) { Int32($0) })
    case .uint32: .int64(try numbers(UInt32.self) { Int64($0) })
    case .uint64:
      .int64(
        try numbers(UInt64.self) { number in
          guard let signed = Int64(exactly: number) else {
            throw place.failure("\(number) is beyond int64; save the array as float64.")
          }
          return signed
        })
    case .bool: .bool(try numbers(UInt8.self) { $0 != 0 })
    }
  }
}

/// The value of an IEEE half-precision number. Swift's `Float16` is not there on Intel Macs.
private func float(half bits: UInt16) -> Float {
  let sign = UInt32(bits & 0x8000) << 16
  let magnitude = UInt32(bits & 0x7FFF) << 13
  if bits & 0x7C00 == 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000 | magnitude) }
  // The exponent's bias is 15 there and 127 here; the product is exact for subnormal numbers too.
  return Float(bitPattern: sign | (Float(bitPattern: magnitude) * 0x1p112).bitPattern)
}
