import TensorPrograms

/// NumPy's `.npz` file: a zip archive of `.npy` arrays, stored (`numpy.savez`) or deflated
/// (`numpy.savez_compressed`), of any size.
///
/// Opening reads the archive's directory; an array is read when it is asked for. Rows of a stored array
/// are read where they lie; to reach rows of a deflated one, all before them are inflated and dropped,
/// so a file that is read in batches is better stored. The checksum is compared when an array is read
/// whole.
///
/// Reference: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification" 6.3.10; NumPy Enhancement
/// Proposal 1.
public struct NpzArchive: TensorSource {
  public let keys: [String]
  private let members: [String: ZipDirectory.Member]
  private let file: ByteFile
  private let limits: TensorFileLimits

  /// Throws an `ArrayFileError` where there is no such file, it is no zip archive, its directory is
  /// damaged or holds members that overlap, two arrays share a name, or a limit is exceeded.
  public init(_ path: String, limits: TensorFileLimits = .standard) throws {
    try self.init(ByteFile(path), limits: limits)
  }

  package init(_ file: ByteFile, limits: TensorFileLimits = .standard) throws {
    self.file = file
    self.limits = limits
    let directory = try ZipDirectory(file, limits: limits)
    var keys: [String] = []
    var members: [String: ZipDirectory.Member] = [:]
    for member in directory.members where member.name.hasSuffix(".npy") {
      let key = String(member.name.dropLast(4))
      guard members.updateValue(member, forKey: key) == nil else {
        throw ArrayFileError(
          "the archive holds two arrays of this name; save it again.", path: file.path, key: key)
      }
      keys.append(key)
    }
    if keys.isEmpty && !directory.members.isEmpty {
      throw ArrayFileError(
        directory.members.contains { $0.name.hasSuffix("data.pkl") }
          ? "this is a PyTorch checkpoint; save its tensors with safetensors.torch.save_file."
          : "the archive holds no .npy array; write it with numpy.savez.", path: file.path)
    }
    self.keys = keys
    self.members = members
  }

  public var path: String { file.path }

  public func type(of key: String) throws -> TensorType { try reader(key).header.type }

  public func tensor(_ key: String) throws -> Tensor { try reader(key).tensor() }

  public func tensor(_ key: String, rows: Range<Int>) throws -> Tensor {
    try reader(key).tensor(rows: rows)
  }

  private func reader(_ key: String) throws -> NumpyArray.Reader {
    guard let member = members[key] else { throw missingKey(key, among: keys, path: path) }
    let place = ArrayPlace(path: path, key: key)
    guard !member.isEncrypted else {
      throw place.failure("the array is encrypted; save it without a password.")
    }
    let range = try ZipDirectory.contents(of: member, in: file, place: place)
    let stream: any ByteStream
    switch member.method {
    case 0:
      guard member.size == member.compressed else {
        throw place.failure(
          "the array is stored in \(member.compressed) bytes but said to take \(member.size); save "
            + "the file again.")
      }
      stream = StoredStream(file, range: range, checksum: member.checksum, place: place)
    case 8:
      guard member.size / limits.compressionRatio <= member.compressed else {
        throw place.failure(
          "\(member.compressed) bytes are said to inflate to \(member.size), more than "
            + "\(limits.compressionRatio) times as many; save the file again.")
      }
      stream = try InflatedStream(file, range: range, checksum: member.checksum, place: place)
    default:
      throw place.failure(
        "the array is compressed by method \(member.method); write it with numpy.savez or "
          + "numpy.savez_compressed.")
    }
    return try NumpyArray.Reader(stream, total: member.size, limits: limits, place: place)
  }
}
