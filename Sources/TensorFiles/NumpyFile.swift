import TensorPrograms

/// An `.npy` file as a source of one array, named after the file (`images.npy` holds `images`) and
/// found as `x` as well.
public struct NumpyFile: TensorSource {
  public let keys: [String]
  private let file: ByteFile
  private let limits: TensorFileLimits

  /// Throws an `ArrayFileError` where there is no such file or its header is damaged.
  public init(_ path: String, limits: TensorFileLimits = .standard) throws {
    try self.init(ByteFile(path), limits: limits)
  }

  package init(_ file: ByteFile, limits: TensorFileLimits = .standard) throws {
    self.file = file
    self.limits = limits
    let name = file.path.split(separator: "/").last ?? "x"
    keys = [String(name.lowercased().hasSuffix(".npy") ? name.dropLast(4) : name)]
    _ = try NumpyArray.reader(of: file, limits: limits)
  }

  public var path: String { file.path }

  public func type(of key: String) throws -> TensorType { try reader(key).header.type }

  public func tensor(_ key: String) throws -> Tensor { try reader(key).tensor() }

  public func tensor(_ key: String, rows: Range<Int>) throws -> Tensor {
    try reader(key).tensor(rows: rows)
  }

  private func reader(_ key: String) throws -> NumpyArray.Reader {
    guard key == keys[0] || key == "x" else { throw missingKey(key, among: keys, path: path) }
    return try NumpyArray.reader(of: file, limits: limits)
  }
}
