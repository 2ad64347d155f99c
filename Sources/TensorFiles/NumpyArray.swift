import Foundation
import TensorPrograms

/// Why an array file cannot be read or written: one sentence with the file and what to do about it.
public struct ArrayFileError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  /// The sentence shown to the user.
  public let description: String
  /// Path of the file as it was given.
  public let path: String

  package init(_ sentence: String, path: String) {
    self.path = path
    description = "\(path): \(sentence)"
  }

  public var errorDescription: String? { description }
}

/// NumPy's `.npy` file of one array: `float32`, `float64`, `int32`, `int64` or `bool`, little-endian.
///
/// Reference: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays"; versions 1 to 3.
public enum NumpyArray {
  /// Reads an array; one in Fortran order comes back in row-major order with the same indices.
  ///
  /// Throws an `ArrayFileError` where there is no such file, it is no `.npy` file, its elements are of
  /// another type or byte order, or its size is not what its header says. Nothing is allocated before
  /// the sizes agree.
  public static func read(_ path: String) throws -> Tensor {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw ArrayFileError("there is no such file; check the path.", path: path)
    }
    guard !isDirectory.boolValue else {
      throw ArrayFileError("this is a folder; name an .npy file in it.", path: path)
    }
    guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    else { throw ArrayFileError("the file cannot be read; check its permissions.", path: path) }
    return try decode(bytes, path: path)
  }

  /// Writes an array, version 1, row-major. The file appears whole or not at all: the bytes go to another
  /// file first, which then takes its place.
  ///
  /// Throws an `ArrayFileError` where the folder is missing or closed to writing, or the disk is full.
  public static func write(_ tensor: Tensor, to path: String) throws {
    do {
      try encode(tensor).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw ArrayFileError(
        "the array cannot be written; check that the folder exists, is writable and has room.",
        path: path)
    }
  }

  package static func encode(_ tensor: Tensor) -> Data {
    let dimensions = tensor.shape.dimensions.map(String.init).joined(separator: ", ")
    let shape = tensor.shape.rank == 1 ? "(\(dimensions),)" : "(\(dimensions))"
    let code = codes.first { $0.value == tensor.element }!.key
    var header = "{'descr': '\(code)', 'fortran_order': False, 'shape': \(shape), }"
    // Magic, version and length take 10 bytes; the whole is padded to a multiple of 64.
    let end = (10 + header.utf8.count + 1 + 63) / 64 * 64
    header += String(repeating: " ", count: end - 11 - header.utf8.count) + "\n"
    let length = header.utf8.count
    var bytes = Data(magic + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8))
    tensor.withUnsafeBytes { bytes.append(contentsOf: $0) }
    return bytes
  }

  package static func decode(_ bytes: Data, path: String) throws -> Tensor {
    let header = try Header(bytes, path: path)
    let shape = Shape(header.isFortranOrder ? header.shape.reversed() : header.shape)
    let type = TensorType(header.element, shape)
    let tensor = bytes.withUnsafeBytes { raw -> Tensor in
      let data = raw[header.length...]
      if type.element == .bool { return Tensor(data.map { $0 != 0 }, shape: shape) }
      guard !data.isEmpty else { return Tensor(repeating: 0, type: type) }
      return Tensor(copying: UnsafeRawBufferPointer(rebasing: data).baseAddress!, type: type)
    }
    return header.isFortranOrder ? tensor.axesReversed() : tensor
  }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  static let codes: [String: ElementType] = [
    "<f4": .float32, "<f8": .float64, "<i4": .int32, "<i8": .int64, "|b1": .bool,
  ]
}

extension Tensor {
  /// The elements with the order of all axes reversed.
  fileprivate func axesReversed() -> Tensor {
    guard shape.rank > 1, shape.count > 0 else {
      return reshaped(Shape(shape.dimensions.reversed()))
    }
    let result = Shape(shape.dimensions.reversed())
    let strides = Array(shape.strides.reversed())
    func reordered<T>(_ values: [T]) -> [T] {
      var index = [Int](repeating: 0, count: result.rank)
      var source = 0
      return (0..<result.count).map { _ in
        let value = values[source]
        // The next index in row-major order, and where it lies.
        for axis in stride(from: result.rank - 1, through: 0, by: -1) {
          index[axis] += 1
          source += strides[axis]
          if index[axis] < result[axis] { break }
          source -= strides[axis] * result[axis]
          index[axis] = 0
        }
        return value
      }
    }
    switch storage {
    case .float32(let values): return Tensor(reordered(values), shape: result)
    case .float64(let values): return Tensor(reordered(values), shape: result)
    case .int32(let values): return Tensor(reordered(values), shape: result)
    case .int64(let values): return Tensor(reordered(values), shape: result)
    case .bool(let values): return Tensor(reordered(values), shape: result)
    }
  }
}
