import Foundation

/// How an event file frames each of its records: the length (8 bytes, little-endian), its masked checksum, the
/// record, its masked checksum.
///
/// Reference: TensorFlow, "TFRecord and tf.train.Example", section on the format.
enum RecordFraming {
  static func framed(_ record: Data) -> Data {
    var bytes = Data()
    withUnsafeBytes(of: UInt64(record.count).littleEndian) { bytes.append(contentsOf: $0) }
    append(masked(checksum(bytes)), to: &bytes)
    bytes.append(record)
    append(masked(checksum(record)), to: &bytes)
    return bytes
  }

  private static func append(_ value: UInt32, to bytes: inout Data) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// So that the checksum of bytes that hold checksums is a good one too.
  static func masked(_ checksum: UInt32) -> UInt32 {
    ((checksum >> 15) | (checksum << 17)) &+ 0xA282_EAD8
  }

  /// CRC-32C, of the polynomial `0x1EDC6F41`.
  ///
  /// Reference: Castagnoli, Bräuer and Herrmann (1993); RFC 3720, appendix B.4.
  static func checksum(_ bytes: Data) -> UInt32 {
    ~bytes.reduce(~0) { (crc: UInt32, byte) in table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8)
    }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? 0x82F6_3B78 ^ (value >> 1) : value >> 1
    }
  }
}
