import Foundation
import TensorPrograms

/// NumPy's `.npy` file of one array.
///
/// Reference: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays"; versions 1 to 3.
public enum NumpyArray {
  /// Reads an array of floating, integer or bool elements of any byte order: `float32`, `float64`,
  /// `int32`, `int64` and `bool` as they are, `float16` as `float32`, shorter integers as `int32`,
  /// `uint32` and `uint64` as `int64`. One in Fortran order comes back in row-major order with the
  /// same indices.
  ///
  /// Throws an `ArrayFileError` where there is no such file, it is no `.npy` file, its elements are of
  /// another type, its size is not what its header says, or the array is larger than `limits` allow.
  /// Nothing is allocated before the sizes agree.
  public static func read(_ path: String, limits: TensorFileLimits = .standard) throws -> Tensor {
    try reader(of: ByteFile(path), limits: limits).tensor()
  }

  /// Writes an array, version 1, row-major. The file appears whole or not at all: the bytes go to another
  /// file first, which then takes its place.
  ///
  /// Throws an `ArrayFileError` where the folder is missing or closed to writing, or the disk is full.
  public static func write(_ tensor: Tensor, to path: String) throws {
    try OutputFile.write(to: path) { file in
      try file.write(header(of: tensor.type))
      try tensor.withUnsafeBytes { try file.write($0) }
    }
  }

  /// What version 1 puts before the numbers of a row-major, little-endian array.
  static func header(of type: TensorType) -> [UInt8] {
    let dimensions = type.shape.dimensions.map(String.init).joined(separator: ", ")
    let shape = type.shape.rank == 1 ? "(\(dimensions),)" : "(\(dimensions))"
    let code =
      switch type.element {
      case .float32: "<f4"
      case .float64: "<f8"
      case .int32: "<i4"
      case .int64: "<i8"
      case .bool: "|b1"
      }
    var header = "{'descr': '\(code)', 'fortran_order': False, 'shape': \(shape), }"
    // Magic, version and length take 10 bytes; the whole is padded to a multiple of 64.
    let end = (10 + header.utf8.count + 1 + 63) / 64 * 64
    header += String(repeating: " ", count: end - 11 - header.utf8.count) + "\n"
    let length = header.utf8.count
    return magic + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8)
  }

  package static func encode(_ tensor: Tensor) -> Data {
    Data(header(of: tensor.type)) + tensor.withUnsafeBytes { Data($0) }
  }

  package static func decode(_ bytes: Data, path: String) throws -> Tensor {
    try reader(of: ByteFile(bytes: Array(bytes), path: path), limits: .standard).tensor()
  }

  static func reader(of file: ByteFile, limits: TensorFileLimits) throws -> Reader {
    let place = ArrayPlace(path: file.path)
    return try Reader(
      StoredStream(file, range: 0..<file.count, place: place), total: file.count, limits: limits,
      place: place)
  }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
}

extension NumpyArray {
  /// An `.npy` array whose header has been read and whose numbers come next. Gives one tensor.
  struct Reader {
    let header: Header
    private let stream: any ByteStream
    private let limits: TensorFileLimits
    private let place: ArrayPlace

    /// Takes the array that fills the next `total` bytes of `stream`.
    init(
      _ stream: any ByteStream, total: Int, limits: TensorFileLimits, place: ArrayPlace
    ) throws {
      self.stream = stream
      self.limits = limits
      self.place = place
      header = try Header(stream, total: total, limits: limits, place: place)
    }

    func tensor() throws -> Tensor {
      var type = header.type
      if header.isFortranOrder { type.shape = Shape(header.shape.reversed()) }
      let storage = try numbers(type, stream.read)
      try stream.finish()
      let tensor = Tensor(storage, shape: type.shape)
      return header.isFortranOrder ? tensor.axesReversed() : tensor
    }

    /// The rows asked for and no others. What lies behind them is not looked at, so neither is the
    /// checksum of a zip member.
    func tensor(rows: Range<Int>) throws -> Tensor {
      var type = header.type
      try place.check(rows, of: type)
      let total = header.shape[0]
      type.shape[0] = rows.count
      guard type.shape.count > 0 else { return Tensor(repeating: 0, type: type) }
      let size = header.number.byteCount
      guard header.isFortranOrder else {
        try stream.skip(rows.lowerBound * (type.shape.count / rows.count) * size)
        return Tensor(try numbers(type, stream.read), shape: type.shape)
      }
      // Each column is a run of `total` numbers, of which these rows are neighbours.
      type.shape = Shape(type.shape.dimensions.reversed())
      let run = rows.count * size
      var left = 0
      var gap = rows.lowerBound * size
      let storage = try numbers(type) { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
          if left == 0 {
            try stream.skip(gap)
            gap = (total - rows.count) * size
            left = run
          }
          let part = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(left))
          try stream.read(part)
          left -= part.count
          rest = rest.dropFirst(part.count)
        }
      }
      return Tensor(storage, shape: type.shape).axesReversed()
    }

    private func numbers(
      _ type: TensorType, _ read: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> Tensor.Storage {
      try limits.check(type, place: place)
      return try header.number.storage(count: type.shape.count, place: place, read: read)
    }
  }
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
