import Foundation
import TensorPrograms

/// The element types that can be stored.
///
/// Reference: onnx/onnx.proto, `TensorProto.DataType`; IEEE 754-2019, section 3.6.
enum TensorFormat: Int32 {
  case float32 = 1
  case uint8 = 2
  case int8 = 3
  case uint16 = 4
  case int16 = 5
  case int32 = 6
  case int64 = 7
  case bool = 9
  case float16 = 10
  case float64 = 11
  case uint32 = 12
  case uint64 = 13
  case bfloat16 = 16
  case uint4 = 21
  case int4 = 22

  /// The least and the largest number of an integer type that quantised values have; nil for others.
  var range: ClosedRange<Double>? {
    switch self {
    case .uint8: 0...255
    case .int8: -128...127
    case .uint16: 0...65535
    case .int16: -32768...32767
    case .uint4: 0...15
    case .int4: -8...7
    case .int32: -2_147_483_648...2_147_483_647
    default: nil
    }
  }

  /// Bytes of a tensor's elements; two of 4 bits share one.
  func byteCount(of shape: Shape) -> Int {
    switch self {
    case .uint4, .int4: (shape.count + 1) / 2
    case .uint8, .int8, .bool: shape.count
    case .uint16, .int16, .float16, .bfloat16: 2 * shape.count
    case .float32, .int32, .uint32: 4 * shape.count
    case .float64, .int64, .uint64: 8 * shape.count
    }
  }

  /// From little-endian bytes, exactly as many as the shape needs.
  func tensor(_ bytes: Data, _ shape: Shape) throws -> Tensor {
    func read<T>(_: T.Type, _ count: Int? = nil) -> [T] {
      let count = count ?? shape.count
      return bytes.withUnsafeBytes { source in
        [T](unsafeUninitializedCapacity: count) { buffer, filled in
          UnsafeMutableRawBufferPointer(buffer).copyMemory(from: source)
          filled = count
        }
      }
    }
    return switch self {
    case .float32: Tensor(read(Float.self), shape: shape)
    case .float64: Tensor(read(Double.self), shape: shape)
    case .float16: Tensor(read(UInt16.self).map(Self.half), shape: shape)
    case .bfloat16: Tensor(read(UInt16.self).map(Self.brain), shape: shape)
    case .int32: Tensor(read(Int32.self), shape: shape)
    case .int64: Tensor(read(Int64.self), shape: shape)
    case .bool: Tensor(read(UInt8.self).map { $0 != 0 }, shape: shape)
    case .uint8: Tensor(read(UInt8.self).map { Int64($0) }, shape: shape)
    case .int8: Tensor(read(Int8.self).map { Int64($0) }, shape: shape)
    case .uint16: Tensor(read(UInt16.self).map { Int64($0) }, shape: shape)
    case .int16: Tensor(read(Int16.self).map { Int64($0) }, shape: shape)
    case .uint32: Tensor(read(UInt32.self).map { Int64($0) }, shape: shape)
    case .uint64: Tensor(read(Int64.self), shape: shape)
    case .uint4, .int4:
      Tensor(nibbles(of: read(UInt8.self, byteCount(of: shape)), shape.count), shape: shape)
    }
  }

  /// From the list of the type, or nil where it holds another number of elements.
  func tensor(listedIn proto: Onnx_TensorProto, _ shape: Shape) -> Tensor? {
    let count = shape.count
    switch self {
    case .float32:
      return proto.floatData.count == count ? Tensor(proto.floatData, shape: shape) : nil
    case .float64:
      return proto.doubleData.count == count ? Tensor(proto.doubleData, shape: shape) : nil
    case .int64:
      return proto.int64Data.count == count ? Tensor(proto.int64Data, shape: shape) : nil
    case .uint32, .uint64:
      return proto.uint64Data.count == count
        ? Tensor(proto.uint64Data.map { Int64(truncatingIfNeeded: $0) }, shape: shape) : nil
    case .int32:
      return proto.int32Data.count == count ? Tensor(proto.int32Data, shape: shape) : nil
    case .bool:
      return proto.int32Data.count == count
        ? Tensor(proto.int32Data.map { $0 != 0 }, shape: shape) : nil
    case .uint8, .int8, .uint16, .int16:
      return proto.int32Data.count == count
        ? Tensor(proto.int32Data.map { Int64($0) }, shape: shape) : nil
    case .float16, .bfloat16:
      guard proto.int32Data.count == count else { return nil }
      let bits = proto.int32Data.map { UInt16(truncatingIfNeeded: $0) }
      return Tensor(bits.map(self == .float16 ? Self.half : Self.brain), shape: shape)
    case .uint4, .int4:
      guard proto.int32Data.count == byteCount(of: shape) else { return nil }
      let bytes = proto.int32Data.map { UInt8(truncatingIfNeeded: $0) }
      return Tensor(nibbles(of: bytes, count), shape: shape)
    }
  }

  /// Little-endian bytes of floating-point values in this format, rounded to nearest, ties to even.
  /// - Precondition: a floating-point format.
  func bytes(of values: [Double]) -> Data {
    func data<T>(_ values: [T]) -> Data { values.withUnsafeBytes { Data($0) } }
    switch self {
    case .float64: return data(values)
    case .float16: return data(values.map { Self.halfBits(Float($0)) })
    case .bfloat16: return data(values.map { Self.brainBits(Float($0)) })
    default:
      precondition(self == .float32, "integers are not rounded to")
      return data(values.map { Float($0) })
    }
  }

  /// The first of a pair in the low bits.
  private func nibbles(of bytes: [UInt8], _ count: Int) -> [Int64] {
    (0..<count).map { index in
      let bits = Int64(index % 2 == 0 ? bytes[index / 2] & 15 : bytes[index / 2] >> 4)
      return self == .int4 && bits > 7 ? bits - 16 : bits
    }
  }

  /// bfloat16 is the upper half of a float32.
  private static func brain(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  private static func brainBits(_ value: Float) -> UInt16 {
    if value.isNaN { return 0x7FC0 }
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }

  // Not Float16, which the Mac's Intel processors lack.
  private static func half(_ bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let fraction = Float(bits & 0x3FF)
    switch (bits >> 10) & 0x1F {
    case 0: return sign * fraction * 0x1p-24
    case 0x1F: return fraction == 0 ? sign * .infinity : .nan
    case let exponent:
      return sign * Float(sign: .plus, exponent: Int(exponent) - 25, significand: 1024 + fraction)
    }
  }

  private static func halfBits(_ value: Float) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    if value.isNaN { return sign | 0x7E00 }
    let size = value.magnitude
    // From halfway between the largest number and the next, which there is none of.
    if size >= 65520 { return sign | 0x7C00 }
    if size < 0x1p-14 { return sign | UInt16((size * 0x1p24).rounded(.toNearestOrEven)) }
    let scaled = size.significand * 1024
    // A significand that rounds up to 2048 carries into the exponent, as it should.
    let bits = (Int(size.exponent) + 14) * 1024 + Int(scaled.rounded(.toNearestOrEven))
    return sign | UInt16(bits)
  }
}
