import Foundation
import TensorPrograms

/// A number that tells models, data and starts apart: the 64-bit FNV-1a hash of all that was added.
///
/// Reference: Eastlake et al., "The FNV Non-Cryptographic Hash Algorithm", RFC 9923, section 2.
public struct Fingerprint: Sendable, Equatable {
  private var value: UInt64 = 0xCBF2_9CE4_8422_2325

  public init() {}

  /// 16 hexadecimal digits.
  public var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
  }

  public mutating func add(_ text: String) {
    Array(text.utf8).withUnsafeBytes { add($0) }
    // So that "ab", "c" is another than "a", "bc".
    withUnsafeBytes(of: UInt8(0xFF)) { add($0) }
  }

  public mutating func add(_ values: [Double]) { values.withUnsafeBytes { add($0) } }

  public mutating func add(_ tensor: Tensor) {
    add("\(tensor.type)")
    tensor.withUnsafeBytes { add($0) }
  }

  static func hash(_ bytes: Data) -> UInt64 {
    var fingerprint = Fingerprint()
    bytes.withUnsafeBytes { fingerprint.add($0) }
    return fingerprint.value
  }
}

/// Where the checkpoints of a run are kept.
public protocol CheckpointStore {
  /// Writes one, whole or not at all, and lets go of those beyond the last few.
  ///
  /// - Returns: its place, for people.
  func write(_ bytes: Data, step: Int) throws -> String

  /// Those that are there, newest first.
  func stored() throws -> [StoredCheckpoint]
}

/// A checkpoint that a store has.
public struct StoredCheckpoint {
  /// For people.
  public var place: String
  public var read: () throws -> Data

  public init(place: String, read: @escaping () throws -> Data) {
    self.place = place
    self.read = read
  }
}
