import Foundation
import TensorPrograms

/// What reading a file of arrays may take at most, whatever the file says of itself.
public struct TensorFileLimits: Sendable {
  /// Bytes of the tensor that one call returns: 16 GiB, or half the machine's memory where that is
  /// less. Beside it a read holds at most 256 KiB and the header.
  public var arrayBytes = min(1 << 34, Int(clamping: ProcessInfo.processInfo.physicalMemory / 2))
  /// Bytes of a CSV table: 2 GiB, or a sixteenth of the machine's memory, since a cell of one digit takes
  /// eight times its text as a column's number and once more as a feature.
  public var tableBytes = min(1 << 31, Int(clamping: ProcessInfo.processInfo.physicalMemory / 16))
  /// Bytes of a header: of an `.npy` array, of a safetensors file, of a zip archive's directory.
  public var headerBytes = 1 << 24
  /// Arrays in one file.
  public var arrays = 1 << 16
  /// Bytes of an array's name.
  public var nameBytes = 1 << 10
  /// Bytes that one compressed byte may stand for. The deflate format reaches 1032 (258 bytes in two
  /// bits), so a member that claims more is damaged or a trap.
  public var compressionRatio = 1032

  public init() {}

  /// The limits stated at each property.
  public static let standard = TensorFileLimits()
}

extension TensorFileLimits {
  func check(_ type: TensorType, place: ArrayPlace) throws {
    guard type.byteCount <= arrayBytes else {
      throw place.failure(
        "\(type) takes \(type.byteCount) bytes, and at most \(arrayBytes) are read at a time; read it "
          + "in parts, by rows.")
    }
  }
}
