/// The central directory of a zip archive, which alone says what the archive holds and where.
///
/// Reference: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification" 6.3.10, sections 4.3 and 4.5.
struct ZipDirectory: Sendable {
  struct Member: Sendable {
    var name: String
    /// 0 stored, 8 deflated.
    var method: Int
    var isEncrypted: Bool
    var checksum: UInt32
    /// Bytes in the archive and when inflated.
    var compressed: Int
    var size: Int
    /// Where the local header begins, and where the member must have ended.
    var start: Int
    var end: Int
  }

  private(set) var members: [Member]

  /// How an archive begins: with a member, or with the end of an empty one.
  static let magics: [[UInt8]] = [[0x50, 0x4B, 3, 4], [0x50, 0x4B, 5, 6]]

  init(_ file: ByteFile, limits: TensorFileLimits) throws {
    let place = ArrayPlace(path: file.path)
    let end = try EndRecord(file, place: place)
    guard end.size <= limits.headerBytes, end.count <= limits.arrays else {
      throw place.failure(
        "the archive's directory announces \(end.count) members in \(end.size) bytes, and at most "
          + "\(limits.arrays) in \(limits.headerBytes) are read; split the archive.")
    }
    let bytes = try file.bytes(end.offset..<end.offset + end.size)
    members = []
    var position = 0
    for _ in 0..<end.count {
      guard let (member, next) = Member.read(bytes, at: position) else {
        throw place.failure(
          "the archive's directory is damaged at member \(members.count + 1) of \(end.count); save "
            + "the file again.")
      }
      guard member.name.utf8.count <= limits.nameBytes else {
        throw ArrayFileError(
          "the name takes \(member.name.utf8.count) bytes, and at most \(limits.nameBytes) are read; "
            + "save it under a shorter one.", path: file.path, key: member.name)
      }
      members.append(member)
      position = next
    }
    guard position == bytes.count else {
      throw place.failure(
        "the archive's directory does not hold the \(end.count) members that it announces; save the "
          + "file again.")
    }
    try separate(before: end.offset, path: file.path)
  }

  /// Gives each member the room up to the next, and refuses members that cannot all have room: an
  /// archive that names the same bytes many times grows without bound when it is read.
  private mutating func separate(before directory: Int, path: String) throws {
    let order = members.indices.sorted { members[$0].start < members[$1].start }
    for (rank, index) in order.enumerated() {
      let end = rank + 1 < order.count ? members[order[rank + 1]].start : directory
      let member = members[index]
      guard member.start <= end, member.compressed <= end - member.start - 30 else {
        throw ArrayFileError(
          "the member overlaps what follows it in the archive; save the file again.", path: path,
          key: member.name)
      }
      members[index].end = end
    }
  }

  /// Where the bytes of a member lie, by its local header.
  static func contents(
    of member: Member, in file: ByteFile, place: ArrayPlace
  ) throws -> Range<Int> {
    let header = try file.bytes(member.start..<member.start + 30)
    let start = member.start + 30 + header.little16(26) + header.little16(28)
    guard header.starts(with: magics[0]), header.little16(8) == member.method,
      start <= member.end, member.compressed <= member.end - start,
      try file.bytes(member.start + 30..<member.start + 30 + header.little16(26))
        == Array(member.name.utf8)
    else {
      throw place.failure(
        "the array is not where the archive's directory says; save the file again.")
    }
    return start..<start + member.compressed
  }
}

extension ZipDirectory {
  /// Where the directory lies.
  private struct EndRecord {
    var offset: Int
    var size: Int
    var count: Int

    /// Finds the record at the end of the file, which only a comment may follow, and its 64-bit twin.
    init(_ file: ByteFile, place: ArrayPlace) throws {
      let damaged = place.failure(
        "the archive's directory is missing or damaged; the file may be cut off: save or copy it "
          + "again.")
      let tailStart = max(0, file.count - (22 + 0xFFFF))
      let tail = try file.bytes(tailStart..<file.count)
      guard
        let found = stride(from: tail.count - 22, through: 0, by: -1).first(where: {
          tail[$0...].starts(with: magics[1]) && $0 + 22 + tail.little16($0 + 20) == tail.count
        })
      else {
        let start = try file.bytes(0..<min(4, file.count))
        throw magics.contains(start)
          ? damaged : place.failure("this is not a zip archive; write it with numpy.savez.")
      }
      var end = tailStart + found
      if found >= 20, tail[(found - 20)...].starts(with: [0x50, 0x4B, 6, 7] as [UInt8]) {
        guard let record = tail.littleEndian(8, at: found - 12), record <= end - 20 - 56,
          case let bytes = try file.bytes(record..<record + 56),
          bytes.starts(with: [0x50, 0x4B, 6, 6] as [UInt8]),
          bytes[16..<24].allSatisfy({ $0 == 0 }),
          let count = bytes.littleEndian(8, at: 32), let size = bytes.littleEndian(8, at: 40),
          let offset = bytes.littleEndian(8, at: 48)
        else { throw damaged }
        (self.offset, self.size, self.count) = (offset, size, count)
        end = record
      } else {
        guard tail.little32(found + 4) == 0 else {
          throw place.failure("the archive is split over several files; join them first.")
        }
        count = tail.little16(found + 10)
        size = tail.little32(found + 12)
        offset = tail.little32(found + 16)
      }
      guard offset <= end, size == end - offset, count <= size / 46 else { throw damaged }
    }
  }
}

extension ZipDirectory.Member {
  /// The member described at `position` of a directory and where the next begins, or nil.
  fileprivate static func read(_ bytes: [UInt8], at position: Int) -> (Self, Int)? {
    guard bytes.count - position >= 46,
      bytes[position...].starts(with: [0x50, 0x4B, 1, 2] as [UInt8])
    else { return nil }
    let nameEnd = position + 46 + bytes.little16(position + 28)
    let extraEnd = nameEnd + bytes.little16(position + 30)
    let next = extraEnd + bytes.little16(position + 32)
    guard next <= bytes.count,
      case let name = String(decoding: bytes[position + 46..<nameEnd], as: UTF8.self),
      name.utf8.elementsEqual(bytes[position + 46..<nameEnd])
    else { return nil }

    // Fields that a 32-bit number cannot hold stand in an extra field, in this order.
    var wide = bytes[nameEnd..<extraEnd].zip64Field
    func value(_ offset: Int) -> Int? {
      let narrow = bytes.little32(position + offset)
      guard narrow == 0xFFFF_FFFF else { return narrow }
      guard wide.count >= 8 else { return nil }
      defer { wide.removeFirst(8) }
      return wide.littleEndian(8, at: 0)
    }
    guard let size = value(24), let compressed = value(20), let start = value(42) else {
      return nil
    }
    let member = Self(
      name: name, method: bytes.little16(position + 10),
      isEncrypted: bytes[position + 8] & 1 != 0,
      checksum: UInt32(bytes.little32(position + 16)), compressed: compressed, size: size,
      start: start, end: start)
    return (member, next)
  }
}

extension ArraySlice where Element == UInt8 {
  /// The contents of the extra field number 1, empty if there is none.
  fileprivate var zip64Field: [UInt8] {
    var rest = self
    while rest.count >= 4 {
      let bytes = Array(rest.prefix(4))
      let size = bytes.little16(2)
      guard rest.count >= 4 + size else { return [] }
      if bytes.little16(0) == 1 { return Array(rest.dropFirst(4).prefix(size)) }
      rest = rest.dropFirst(4 + size)
    }
    return []
  }
}
