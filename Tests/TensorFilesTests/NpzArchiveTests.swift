import Foundation
import TensorPrograms
import Testing

@testable import TensorFiles

@Suite("NPZ archives")
struct NpzArchiveTests {
  static let arrays: [(name: String, tensor: Tensor)] = [
    ("x", ArrayFixtures.batch["x"]!), ("größe/y", Tensor([true, false], shape: [2])),
    ("empty", Tensor([] as [Double], shape: [0, 2])), ("one", Tensor(scalar: 7, .int32)),
    ("target", ArrayFixtures.batch["target"]!),
  ]

  @Test(arguments: [false, true], [Int(UInt32.max), 0, 700])
  func roundTrips(compressed: Bool, wideFrom: Int) throws {
    try ArrayFixtures.withTemporaryPath("a.npz") { path in
      for _ in 0..<2 {
        try NpzArchive.write(Self.arrays, to: path, compressed: compressed, wideFrom: wideFrom)
      }
      let archive = try NpzArchive(path)
      #expect(archive.keys == Self.arrays.map(\.name))
      for (name, tensor) in Self.arrays { #expect(try archive.tensor(name) == tensor) }
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.npz"])
    }
  }

  @Test func emptyArchive() throws {
    try ArrayFixtures.withTemporaryPath("a.npz") { path in
      try NpzArchive.write([], to: path)
      #expect(try openTensors(path).keys.isEmpty)
    }
  }

  @Test func writingRefuses() throws {
    let one = Tensor(scalar: 1, .float32)
    for (arrays, complaint) in [
      ([("a", one), ("a", one)], "two arrays have this name"), ([("", one)], "has no name"),
      ([(String(repeating: "n", count: 70_000), one)], "longer than"),
    ] {
      try ArrayFixtures.withTemporaryPath("a.npz") { path in
        let error = #expect(throws: ArrayFileError.self) { try NpzArchive.write(arrays, to: path) }
        #expect(error?.description.contains(complaint) == true)
        #expect(!FileManager.default.fileExists(atPath: path))
      }
    }
    let error = #expect(throws: ArrayFileError.self) {
      try NpzArchive.write([("a", one)], to: "/nowhere/a.npz")
    }
    #expect(error?.description.contains("cannot be written") == true)
  }

  // MARK: - Hostile archives

  /// The bytes of an archive of the array `x`, and where its three parts begin.
  struct Archive {
    var bytes: [UInt8]
    var directory: Int
    var end: Int { bytes.count - 22 }
    /// Where the numbers of the only array begin.
    let data = 30 + 5 + 128

    init(compressed: Bool, tensor: Tensor = ArrayFixtures.batch["x"]!, wideFrom: Int = .max) {
      bytes = try! ArrayFixtures.withTemporaryPath("a.npz") { path in
        try NpzArchive.write(
          [("x", tensor)], to: path, compressed: compressed, wideFrom: wideFrom)
        return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
      }
      directory = bytes.count - 22 - 51
    }

    /// With a little-endian number put somewhere.
    func setting(_ offset: Int, _ value: Int, bytes count: Int = 4) -> Archive {
      var copy = self
      for byte in 0..<count {
        copy.bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
      }
      return copy
    }

    /// With the directory's entry and the end record repeated for a second member at `offset`.
    func naming(again name: String, at offset: Int) -> Archive {
      var entry = Array(setting(directory + 42, offset).bytes[directory..<end])
      entry.replaceSubrange(46..<51, with: "\(name).npy".utf8)
      var copy = self
      copy.bytes.insert(contentsOf: entry, at: end)
      return copy.setting(copy.end + 8, 2, bytes: 2).setting(copy.end + 10, 2, bytes: 2)
        .setting(copy.end + 12, 102)
    }

    func cut(_ count: Int) -> Archive {
      var copy = self
      copy.bytes.removeLast(count)
      return copy
    }
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var complaint: String
    var testDescription: String { name }
  }

  static let hostile: [Hostile] = {
    let plain = Archive(compressed: false)
    let small = Archive(compressed: true)
    let d = plain.directory
    let c = small.directory
    // The last block, of the reserved kind.
    let damaged = small.setting(35, 0b111, bytes: 1)
    let bomb = Archive(compressed: true, tensor: Tensor(repeating: 0, type: .float32(1 << 20)))
    let inner = Archive(compressed: true, tensor: Tensor(repeating: 0, type: .float32(8)))
    let wide = Archive(compressed: false, wideFrom: 0)
    let locator = wide.end - 20
    let foreign = plain.setting(d + 50, 0x7A, bytes: 1)
    return [
      Hostile(name: "no bytes", bytes: [], complaint: "not a zip archive"),
      Hostile(name: "text", bytes: Array("hello, world".utf8), complaint: "not a zip archive"),
      Hostile(name: "cut off", bytes: plain.cut(1).bytes, complaint: "cut off"),
      Hostile(name: "header alone", bytes: Array(plain.bytes.prefix(30)), complaint: "cut off"),
      Hostile(name: "bytes behind", bytes: plain.bytes + [0], complaint: "damaged"),
      Hostile(
        name: "bytes before", bytes: [0x50, 0x4B, 3, 4] + plain.bytes, complaint: "damaged"),
      Hostile(
        name: "directory beyond the end", bytes: plain.setting(plain.end + 16, 1 << 30).bytes,
        complaint: "damaged"),
      Hostile(
        name: "65535 members", bytes: plain.setting(plain.end + 10, 0xFFFF, bytes: 2).bytes,
        complaint: "damaged"),
      Hostile(
        name: "no members", bytes: plain.setting(plain.end + 10, 0, bytes: 2).bytes,
        complaint: "does not hold the 0 members"),
      Hostile(
        name: "several disks", bytes: plain.setting(plain.end + 4, 1, bytes: 2).bytes,
        complaint: "split over several files"),
      Hostile(
        name: "name beyond the directory", bytes: plain.setting(d + 28, 500, bytes: 2).bytes,
        complaint: "damaged at member 1"),
      Hostile(
        name: "name is no text", bytes: plain.setting(d + 46, 0xFF, bytes: 1).bytes,
        complaint: "damaged at member 1"),
      Hostile(
        name: "wide size without its field", bytes: plain.setting(d + 24, 0xFFFF_FFFF).bytes,
        complaint: "damaged at member 1"),
      Hostile(
        name: "member beyond the directory", bytes: plain.setting(d + 20, 1 << 20).bytes,
        complaint: "array 'x.npy': the member overlaps"),
      Hostile(
        name: "member begins in the directory", bytes: plain.setting(d + 42, d).bytes,
        complaint: "overlaps"),
      Hostile(
        name: "same member twice", bytes: plain.naming(again: "y", at: 0).bytes,
        complaint: "overlaps"),
      Hostile(
        name: "nested members", bytes: small.naming(again: "y", at: 40).bytes,
        complaint: "overlaps"),
      Hostile(
        name: "no array in it", bytes: foreign.bytes, complaint: "holds no .npy array"),
      Hostile(
        name: "encrypted", bytes: plain.setting(d + 8, 1, bytes: 1).bytes, complaint: "encrypted"),
      Hostile(
        name: "method 12", bytes: plain.setting(d + 10, 12).setting(8, 12, bytes: 2).bytes,
        complaint: "method 12"),
      Hostile(
        name: "methods differ", bytes: plain.setting(d + 10, 8, bytes: 2).bytes,
        complaint: "not where the archive's directory says"),
      Hostile(
        name: "names differ", bytes: plain.setting(30, 0x79, bytes: 1).bytes,
        complaint: "not where the archive's directory says"),
      Hostile(
        name: "long local extra field", bytes: plain.setting(28, 0xFFFF, bytes: 2).bytes,
        complaint: "not where the archive's directory says"),
      Hostile(
        name: "stored sizes differ", bytes: plain.setting(d + 24, 100).bytes,
        complaint: "stored in 224 bytes but said to take 100"),
      Hostile(
        name: "flipped number", bytes: plain.setting(plain.data + 3, 0x11, bytes: 1).bytes,
        complaint: "a.npz, array 'x': the data does not have the checksum"),
      Hostile(
        name: "deflated: checksum", bytes: small.setting(c + 16, 1).bytes,
        complaint: "checksum"),
      Hostile(name: "deflated: damaged", bytes: damaged.bytes, complaint: "damaged"),
      Hostile(
        name: "deflated: too little", bytes: small.setting(c + 20, 60).bytes,
        complaint: "ends before the array is complete"),
      Hostile(
        name: "deflated: says less than its header", bytes: small.setting(c + 24, 200).bytes,
        complaint: "but 72 follow"),
      Hostile(
        name: "bomb: says more than can be", bytes: small.setting(c + 24, 1 << 30).bytes,
        complaint: "more than 1032 times"),
      Hostile(
        name: "bomb: holds more than it says",
        bytes: bomb.setting(bomb.directory + 24, 128 + 4096).bytes, complaint: "but 4096 follow"),
      Hostile(
        name: "header says more than there is",
        bytes: inner.setting(inner.directory + 24, 128 + 4 * 9).bytes, complaint: "but 36 follow"),
      Hostile(
        name: "zip64: directory at 2^63", bytes: wide.setting(locator + 8, .min, bytes: 8).bytes,
        complaint: "damaged"),
      Hostile(
        name: "zip64: 2^62 members", bytes: wide.setting(locator - 24, 1 << 62, bytes: 8).bytes,
        complaint: "damaged"),
      Hostile(
        name: "zip64: directory of 2^62 bytes",
        bytes: wide.setting(locator - 16, 1 << 62, bytes: 8).bytes, complaint: "damaged"),
    ]
  }()

  @Test(arguments: hostile)
  func refusesInOneSentence(_ hostile: Hostile) {
    let error = #expect(throws: ArrayFileError.self) {
      let archive = try NpzArchive(ByteFile(bytes: hostile.bytes, path: "in/a.npz"))
      for key in archive.keys { _ = try archive.tensor(key) }
    }
    let text = error?.description ?? ""
    #expect(text.contains(hostile.complaint), "\(text)")
    #expect(text.hasPrefix("in/a.npz") && text.hasSuffix(".") && !text.contains("\n"))
  }

  /// A zip whose array goes on after its header's numbers is stopped there, not inflated to its end.
  @Test func bombsEndEarly() throws {
    let bomb = Archive(compressed: true, tensor: Tensor(repeating: 0, type: .float32(1 << 20)))
    var inflated = [UInt8](repeating: 0, count: 128 + 4096)
    let stream = try InflatedStream(
      ByteFile(bytes: bomb.bytes, path: "a.npz"), range: 35..<bomb.directory, checksum: 0,
      place: ArrayPlace(path: "a.npz"))
    try inflated.withUnsafeMutableBytes { try stream.read($0) }
    let error = #expect(throws: ArrayFileError.self) { try stream.finish() }
    #expect(error?.description.contains("goes on behind the array") == true)
  }

  @Test func saysWhatAPyTorchCheckpointIs() throws {
    try ArrayFixtures.withTemporaryPath("a.pt") { path in
      try NpzArchive.write([("archive/data", Tensor(scalar: 1, .float32))], to: path)
      let url = URL(fileURLWithPath: path)
      var bytes = try Data(contentsOf: url)
      while let name = bytes.range(of: Data("data.npy".utf8)) {
        bytes.replaceSubrange(name, with: Data("data.pkl".utf8))
      }
      try bytes.write(to: url)
      let error = #expect(throws: ArrayFileError.self) { try openTensors(path) }
      #expect(error?.description.contains("PyTorch checkpoint") == true)
    }
  }

  /// Lengths at which zlib has taken all input and still holds output.
  @Test(arguments: [16386, 16400, 16401, 16412])
  func lastBytesOfACompressedArray(count: Int) throws {
    let zeros = Tensor(repeating: 0, type: .float32(count))
    try ArrayFixtures.withTemporaryPath("z.npz") { path in
      try NpzArchive.write([("x", zeros)], to: path, compressed: true)
      #expect(try NpzArchive(path).tensor("x") == zeros)
    }
  }
}
