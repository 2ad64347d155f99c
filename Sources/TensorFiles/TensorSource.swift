import TensorPrograms

/// Named arrays in a file, read when they are asked for.
public protocol TensorSource: Sendable {
  /// Path of the file as it was given.
  var path: String { get }
  /// Names of the arrays, in the file's order.
  var keys: [String] { get }
  /// Type of an array as it is read; reads its header alone. Throws where there is no such array or its
  /// type cannot be read.
  func type(of key: String) throws -> TensorType
  /// A whole array.
  func tensor(_ key: String) throws -> Tensor
  /// The part of an array with these indices on its first axis; other rows are not kept in memory.
  func tensor(_ key: String, rows: Range<Int>) throws -> Tensor
}

/// Opens a file of arrays: NPZ, NPY or safetensors, told by their first bytes, or a CSV table.
///
/// - `target`: the column of a CSV table to take as the array `target`; the other kinds have names of
///   their own.
///
/// Throws an `ArrayFileError` or, for a CSV table, a `TableError` where there is no such file, it is of
/// none of these kinds, or its header is damaged.
public func openTensors(
  _ path: String, target: String = "target", limits: TensorFileLimits = .standard
) throws -> any TensorSource {
  if let held = HeldFile.named(path) { return held.source(path: path) }
  // A table may come through a pipe, which can be read only once.
  if case .stream = FileKind(path) { return try TableSource(path, target: target, limits: limits) }
  let file = try ByteFile(path)
  let start = try file.bytes(0..<min(file.count, 4096))
  if start.starts(with: NumpyArray.magic) { return try NumpyFile(file, limits: limits) }
  if ZipDirectory.magics.contains(Array(start.prefix(4))) {
    return try NpzArchive(file, limits: limits)
  }
  if start.count > 8, start[8] == UInt8(ascii: "{"),
    let length = start.littleEndian(8, at: 0), length <= file.count
  {
    return try SafetensorsFile(file, limits: limits)
  }
  let name = path.lowercased()
  if name.hasSuffix(".npz") { return try NpzArchive(file, limits: limits) }
  if name.hasSuffix(".npy") { return try NumpyFile(file, limits: limits) }
  if name.hasSuffix(".safetensors") { return try SafetensorsFile(file, limits: limits) }
  if start.contains(0) && !name.hasSuffix(".csv") {
    throw ArrayFileError(
      "the file is not NPZ, NPY, safetensors or CSV; save its arrays with numpy.savez.", path: path)
  }
  return try TableSource(path, target: target, limits: limits)
}
