import CZlib
import TensorPrograms

extension NpzArchive {
  /// Writes arrays that `numpy.load` reads, in this order; the same arrays give the same bytes. The file
  /// appears whole or not at all.
  ///
  /// - `compressed`: deflated like `numpy.savez_compressed`; else stored, so that rows can be read
  ///   where they lie.
  ///
  /// Throws an `ArrayFileError` where two arrays share a name, a name is empty or too long, the folder
  /// is missing or closed to writing, or the disk is full.
  public static func write(
    _ arrays: [(name: String, tensor: Tensor)], to path: String, compressed: Bool = false
  ) throws {
    try write(arrays, to: path, compressed: compressed, wideFrom: 0xFFFF_FFFF)
  }

  /// - `wideFrom`: sizes and offsets from this on are written as 64-bit numbers.
  static func write(
    _ arrays: [(name: String, tensor: Tensor)], to path: String, compressed: Bool, wideFrom: Int
  ) throws {
    try checkNames(arrays.map(\.name), path: path, limit: 0xFFFF - 4)
    try OutputFile.write(to: path) { file in
      var members: [WrittenMember] = []
      for (name, tensor) in arrays {
        let header = NumpyArray.header(of: tensor.type)
        let size = header.count + tensor.type.byteCount
        var member = WrittenMember(
          name: Array("\(name).npy".utf8), method: compressed ? 8 : 0, size: size,
          start: file.count,
          // Deflating can make data longer by a five-byte header per block.
          isWide: size + size / 1000 + 1024 >= wideFrom)
        try file.write(member.localHeader)
        let dataStart = file.count
        var checksum = Checksum()
        let deflater = compressed ? try Deflater(path: path) : nil
        try header.withUnsafeBytes { header in
          try tensor.withUnsafeBytes { numbers in
            for (part, isLast) in [(header, false), (numbers, true)] {
              checksum.add(part)
              if let deflater {
                try deflater.write(part, isLast: isLast, to: file)
              } else {
                try file.write(part)
              }
            }
          }
        }
        member.checksum = checksum.value
        member.compressed = file.count - dataStart
        // The sizes are known only now; the header keeps its length.
        try file.replace(at: member.start, with: member.localHeader)
        members.append(member)
      }
      let start = file.count
      for member in members { try file.write(member.directoryEntry(wideFrom: wideFrom)) }
      try file.write(
        endOfArchive(members.count, from: start, to: file.count, wideFrom: wideFrom))
    }
  }

  private static func endOfArchive(
    _ count: Int, from start: Int, to end: Int, wideFrom: Int
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    let isWide = count >= 0xFFFF || end >= wideFrom
    if isWide {
      bytes += [0x50, 0x4B, 6, 6]
      bytes.appendLittle(44, bytes: 8)
      for version in [45, 45] { bytes.appendLittle(version, bytes: 2) }
      bytes.appendLittle(0, bytes: 8)
      for value in [count, count, end - start, start] { bytes.appendLittle(value, bytes: 8) }
      bytes += [0x50, 0x4B, 6, 7, 0, 0, 0, 0]
      bytes.appendLittle(end, bytes: 8)
      bytes.appendLittle(1, bytes: 4)
    }
    bytes += [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
    for _ in 0..<2 { bytes.appendLittle(isWide ? 0xFFFF : count, bytes: 2) }
    bytes.appendLittle(isWide ? 0xFFFF_FFFF : end - start, bytes: 4)
    bytes.appendLittle(isWide ? 0xFFFF_FFFF : start, bytes: 4)
    return bytes + [0, 0]
  }
}

/// Throws unless the names are fit to tell arrays apart in a file.
func checkNames(_ names: [String], path: String, limit: Int) throws {
  var seen: Set<String> = []
  for name in names {
    func failure(_ sentence: String) -> ArrayFileError {
      ArrayFileError(sentence, path: path, key: name)
    }
    guard !name.isEmpty else { throw failure("an array has no name; give it one.") }
    guard name.utf8.count <= limit else {
      throw failure("the name is longer than \(limit) bytes; shorten it.")
    }
    guard seen.insert(name).inserted else {
      throw failure("two arrays have this name; rename one.")
    }
  }
}

/// A member as its two headers in the archive tell it.
private struct WrittenMember {
  var name: [UInt8]
  var method: Int
  var checksum: UInt32 = 0
  var compressed = 0
  var size: Int
  var start: Int
  var isWide: Bool

  init(name: [UInt8], method: Int, size: Int, start: Int, isWide: Bool) {
    self.name = name
    self.method = method
    self.size = size
    self.start = start
    self.isWide = isWide
  }

  var localHeader: [UInt8] {
    [0x50, 0x4B, 3, 4] + common(isWide: isWide, extra: isWide ? 20 : 0) + name
      + extra(isWide ? [size, compressed] : [])
  }

  func directoryEntry(wideFrom: Int) -> [UInt8] {
    let isFar = isWide || start >= wideFrom
    var bytes: [UInt8] = [0x50, 0x4B, 1, 2, 45, 0]
    bytes += common(isWide: isFar, extra: isFar ? 28 : 0)
    // Comment length, disk and attributes.
    bytes += [UInt8](repeating: 0, count: 10)
    bytes.appendLittle(isFar ? 0xFFFF_FFFF : start, bytes: 4)
    return bytes + name + extra(isFar ? [size, compressed, start] : [])
  }

  /// What both headers hold, from the version needed to the length of the extra field.
  private func common(isWide: Bool, extra: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittle(isWide ? 45 : 20, bytes: 2)
    // The name is UTF-8.
    bytes.appendLittle(name.allSatisfy { $0 < 0x80 } ? 0 : 1 << 11, bytes: 2)
    bytes.appendLittle(method, bytes: 2)
    // Midnight of 1 January 1980, so that equal arrays give equal files.
    bytes += [0, 0, 0x21, 0]
    bytes.appendLittle(Int(checksum), bytes: 4)
    bytes.appendLittle(isWide ? 0xFFFF_FFFF : compressed, bytes: 4)
    bytes.appendLittle(isWide ? 0xFFFF_FFFF : size, bytes: 4)
    bytes.appendLittle(name.count, bytes: 2)
    bytes.appendLittle(extra, bytes: 2)
    return bytes
  }

  private func extra(_ values: [Int]) -> [UInt8] {
    guard !values.isEmpty else { return [] }
    var bytes: [UInt8] = [1, 0]
    bytes.appendLittle(8 * values.count, bytes: 2)
    for value in values { bytes.appendLittle(value, bytes: 8) }
    return bytes
  }
}

/// Deflates bytes into a file.
private final class Deflater {
  // zlib keeps the address of its state, so it must not move.
  private let state: UnsafeMutablePointer<z_stream>
  private var output = [UInt8](repeating: 0, count: 1 << 16)

  init(path: String) throws {
    state = .allocate(capacity: 1)
    state.initialize(to: z_stream())
    guard cz_deflate_start(state) == Z_OK else {
      throw ArrayFileError("zlib cannot start; is there memory left?", path: path)
    }
  }

  deinit {
    deflateEnd(state)
    state.deallocate()
  }

  func write(_ bytes: UnsafeRawBufferPointer, isLast: Bool, to file: OutputFile) throws {
    var rest = bytes[...]
    repeat {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      rest = rest.dropFirst(part.count)
      let flush = isLast && rest.isEmpty ? Z_FINISH : Z_NO_FLUSH
      state.pointee.next_in = UnsafeMutablePointer(
        mutating: part.baseAddress?.assumingMemoryBound(to: UInt8.self))
      state.pointee.avail_in = uInt(part.count)
      repeat {
        try output.withUnsafeMutableBufferPointer { buffer in
          state.pointee.next_out = buffer.baseAddress!
          state.pointee.avail_out = uInt(buffer.count)
          let status = deflate(state, flush)
          // With room to write to it cannot fail but for a state that was never valid.
          precondition(status != Z_STREAM_ERROR)
          let made = buffer.count - Int(state.pointee.avail_out)
          try file.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<made]))
        }
      } while state.pointee.avail_out == 0
    } while !rest.isEmpty
  }
}
