import CZlib

/// Bytes that come one after another: the contents of an `.npy` file or of a zip member.
protocol ByteStream: AnyObject {
  /// Fills `buffer` with the next bytes.
  func read(_ buffer: UnsafeMutableRawBufferPointer) throws
  func skip(_ count: Int) throws
  /// Throws unless what was read is all there is and, where nothing was skipped, has the checksum that
  /// the file states.
  func finish() throws
}

extension ByteStream {
  func bytes(_ count: Int) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    try result.withUnsafeMutableBytes { try read($0) }
    return result
  }
}

/// The CRC-32 of bytes that come in parts.
struct Checksum {
  private(set) var value: UInt32 = 0

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      let start = part.baseAddress!.assumingMemoryBound(to: UInt8.self)
      value = UInt32(truncatingIfNeeded: crc32(uLong(value), start, uInt(part.count)))
      rest = rest.dropFirst(part.count)
    }
  }
}

/// A range of a file as it is.
final class StoredStream: ByteStream {
  private let file: ByteFile
  private let place: ArrayPlace
  private let range: Range<Int>
  private var position: Int
  private let expected: UInt32?
  private var checksum = Checksum()
  private var isWhole = true

  init(_ file: ByteFile, range: Range<Int>, checksum expected: UInt32? = nil, place: ArrayPlace) {
    self.file = file
    self.place = place
    self.range = range
    self.expected = expected
    position = range.lowerBound
  }

  func read(_ buffer: UnsafeMutableRawBufferPointer) throws {
    guard buffer.count <= range.upperBound - position else { throw place.endsEarly }
    try file.read(at: position, into: buffer)
    position += buffer.count
    if expected != nil && isWhole { checksum.add(UnsafeRawBufferPointer(buffer)) }
  }

  func skip(_ count: Int) throws {
    guard count <= range.upperBound - position else { throw place.endsEarly }
    position += count
    if count > 0 { isWhole = false }
  }

  func finish() throws {
    guard position == range.upperBound else { throw place.goesOn }
    if let expected, isWhole, checksum.value != expected { throw place.differs }
  }
}

/// A range of a file that holds a deflate stream, inflated as far as it is asked for.
///
/// Reference: RFC 1951.
final class InflatedStream: ByteStream {
  private let file: ByteFile
  private let place: ArrayPlace
  private let end: Int
  private var position: Int
  private let expected: UInt32
  private var checksum = Checksum()
  private var hasEnded = false
  private var input = [UInt8](repeating: 0, count: 1 << 16)
  private var available = 0..<0
  // zlib keeps the address of its state, so it must not move.
  private let state: UnsafeMutablePointer<z_stream>

  init(_ file: ByteFile, range: Range<Int>, checksum expected: UInt32, place: ArrayPlace) throws {
    self.file = file
    self.place = place
    self.expected = expected
    position = range.lowerBound
    end = range.upperBound
    state = .allocate(capacity: 1)
    state.initialize(to: z_stream())
    guard cz_inflate_start(state) == Z_OK else {
      throw place.failure("zlib cannot start; is there memory left?")
    }
  }

  deinit {
    inflateEnd(state)
    state.deallocate()
  }

  func read(_ buffer: UnsafeMutableRawBufferPointer) throws {
    var filled = 0
    while filled < buffer.count {
      let got = try inflateSome(UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
      if hasEnded && filled + got < buffer.count { throw place.endsEarly }
      filled += got
    }
    checksum.add(UnsafeRawBufferPointer(buffer))
  }

  func skip(_ count: Int) throws {
    guard count > 0 else { return }
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(count, 1 << 16), alignment: 1)
    defer { scratch.deallocate() }
    var left = count
    while left > 0 {
      let part = UnsafeMutableRawBufferPointer(rebasing: scratch.prefix(left))
      try read(part)
      left -= part.count
    }
  }

  func finish() throws {
    if !hasEnded {
      var extra: UInt8 = 0
      while !hasEnded {
        guard try withUnsafeMutableBytes(of: &extra, inflateSome) == 0 else { throw place.goesOn }
      }
    }
    guard position == end, available.isEmpty else { throw place.goesOn }
    guard checksum.value == expected else { throw place.differs }
  }

  /// Inflates at most `buffer.count` bytes, maybe none; says how many.
  private func inflateSome(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if hasEnded { return 0 }
    // With all input taken, zlib may still hold output.
    if available.isEmpty, position < end {
      let count = min(input.count, end - position)
      try input.withUnsafeMutableBytes {
        try file.read(at: position, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]))
      }
      position += count
      available = 0..<count
    }
    let room = min(buffer.count, 1 << 30)
    return try input.withUnsafeMutableBufferPointer { bytes in
      state.pointee.next_in = bytes.baseAddress! + available.lowerBound
      state.pointee.avail_in = uInt(available.count)
      state.pointee.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
      state.pointee.avail_out = uInt(room)
      let status = inflate(state, Z_NO_FLUSH)
      if status == Z_BUF_ERROR { throw place.endsEarly }
      guard status == Z_OK || status == Z_STREAM_END else {
        throw place.failure("the compressed data is damaged; save the file again.")
      }
      hasEnded = status == Z_STREAM_END
      available = available.upperBound - Int(state.pointee.avail_in)..<available.upperBound
      return room - Int(state.pointee.avail_out)
    }
  }
}

extension ArrayPlace {
  fileprivate var endsEarly: ArrayFileError {
    failure("the data ends before the array is complete; save the file again.")
  }
  fileprivate var goesOn: ArrayFileError {
    failure("the data goes on behind the array; save the file again.")
  }
  fileprivate var differs: ArrayFileError {
    failure("the data does not have the checksum that the file states; save or copy it again.")
  }
}
