import Foundation
import TensorPrograms
import Testing

@testable import TensorFiles

@Suite("NPY arrays")
struct NumpyArrayTests {
  struct Example: Sendable, CustomTestStringConvertible {
    var name: String
    /// Written by NumPy 2.4.6, in base 64.
    var bytes: String
    var tensor: Tensor
    /// Whether our writer makes the same bytes.
    var isOurs: Bool
    var testDescription: String { name }
  }

  static let examples = [
    Example(
      name: "two axes",
      bytes: "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog"
        + "KDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAoAAAAAAAD4PwAAAAAAAADAAAAAAAAACECamZmZmZm5PwAAAAAAABRAAAAAAAAAGEA=",
      tensor: Tensor([1.5, -2, 3, 0.1, 5, 6] as [Double], shape: [2, 3]), isOurs: true),
    Example(
      name: "Fortran order",
      bytes: "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAo"
        + "MiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAoAAAAAAABAQQAAgEAAAIBBAAAAQQAAoEEAAIA/AABQQQAAoEAAAIhBAAAQQQAAqEEAAABA"
        + "AABgQQAAwEAAAJBBAAAgQQAAsEEAAEBAAABwQQAA4EAAAJhBAAAwQQAAuEE=",
      tensor: Tensor((0..<24).map { Float($0) }, shape: [2, 3, 4]), isOurs: false),
    Example(
      name: "int64",
      bytes: "k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog"
        + "KDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAr//////////wEAAAAAACAABwAAAAAAAAA=",
      tensor: Tensor([-1, 9_007_199_254_740_993, 7] as [Int64], shape: [3]), isOurs: true),
    Example(
      name: "int32 scalar",
      bytes: "k05VTVBZAQB2AHsnZGVzY3InOiAnPGk0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog"
        + "KCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAr7////",
      tensor: Tensor([-5] as [Int32], shape: []), isOurs: true),
    Example(
      name: "bool",
      bytes: "k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog"
        + "KDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAoBAAE=",
      tensor: Tensor([true, false, true], shape: [3]), isOurs: true),
    Example(
      name: "empty",
      bytes: "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog"
        + "KDAsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAo=",
      tensor: Tensor([] as [Double], shape: [0, 3]), isOurs: true),
    Example(
      name: "version 2",
      bytes: "k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUn"
        + "OiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
        + "ICAgICAgIAoAAAAAAAD0PwAAAAAAAABA",
      tensor: Tensor([1.25, 2] as [Double], shape: [2]), isOurs: false),
  ]

  @Test(arguments: examples)
  func readsWhatNumpyWrote(_ example: Example) throws {
    let bytes = Data(base64Encoded: example.bytes)!
    #expect(try NumpyArray.decode(bytes, path: "a.npy") == example.tensor)
    #expect((NumpyArray.encode(example.tensor) == bytes) == example.isOurs)
  }

  @Test func roundTripsThroughFiles() throws {
    let path = NSTemporaryDirectory() + "eigenstep-\(UUID().uuidString).npy"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let numbers = [0, -0.0, .nan, .infinity, Double.leastNonzeroMagnitude, .pi]
    for element in ElementType.allCases {
      for shape in [Shape([6]), [2, 3], [1, 6, 1], [3, 1, 2]] {
        let isExact = element == .float64 || element == .float32
        let values = isExact ? numbers : [0, 1, 2, 3, -4, 0]
        let tensor = Tensor(values, type: TensorType(element, shape))
        try NumpyArray.write(tensor, to: path)
        let back = try NumpyArray.read(path)
        #expect(back.type == tensor.type)
        #expect(back.withUnsafeBytes { Array($0) } == tensor.withUnsafeBytes { Array($0) })
      }
    }
    // Nothing but the file itself is left behind.
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let stem = URL(fileURLWithPath: path).lastPathComponent
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(names.filter { $0.contains(stem) } == [stem])
  }

  @Test func anyByteButZeroIsTrue() throws {
    var bytes = NumpyArray.encode(Tensor([true, false, true], shape: [3]))
    bytes[bytes.count - 1] = 200
    #expect(
      try NumpyArray.decode(bytes, path: "a.npy") == Tensor([true, false, true], shape: [3]))
  }

  /// A file with this header text and so many bytes behind it.
  static func file(_ header: String, payload: Int = 0, version: UInt8 = 1, length: Int? = nil)
    -> Data
  {
    let count = length ?? header.utf8.count
    let size = [UInt8(count & 255), UInt8(count >> 8 & 255), UInt8(count >> 16 & 255), 0]
    return Data(
      NumpyArray.magic + [version, 0] + size.prefix(version == 1 ? 2 : 4) + Array(header.utf8)
        + [UInt8](repeating: 0, count: payload))
  }

  static func header(_ descr: String, _ shape: String) -> String {
    "{'descr': '\(descr)', 'fortran_order': False, 'shape': \(shape), }\n"
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    var bytes: Data
    var complaint: String
    var testDescription: String { complaint }
  }

  static let hostile: [Hostile] = [
    Hostile(bytes: Data(), complaint: "not an .npy file"),
    Hostile(bytes: Data("x,y\n1,2\n3,4\n".utf8), complaint: "not an .npy file"),
    Hostile(bytes: Data(NumpyArray.magic + [2, 0, 9, 9]), complaint: "version 2"),
    Hostile(bytes: file("", version: 9), complaint: "version 9"),
    Hostile(bytes: file("{", length: 400), complaint: "ends within its header of 400"),
    Hostile(bytes: file("{", version: 2, length: 1 << 23), complaint: "ends within its header"),
    Hostile(bytes: file(""), complaint: "cannot be understood"),
    Hostile(bytes: file("{}"), complaint: "cannot be understood"),
    Hostile(bytes: file("{'descr': '<f8"), complaint: "cannot be understood"),
    Hostile(bytes: file("{'descr': __import__('os')}"), complaint: "cannot be understood"),
    Hostile(
      bytes: file(header("<f8", "(3,)") + "; print(1)", payload: 24),
      complaint: "cannot be understood"),
    Hostile(bytes: file(header("<f8", "(-1,)")), complaint: "cannot be understood"),
    Hostile(bytes: file(header("<f8", "(1e3,)")), complaint: "cannot be understood"),
    Hostile(bytes: file(header("<f8", "(99999999999999999999,)")), complaint: "understood"),
    Hostile(
      bytes: file("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': ()}"),
      complaint: "cannot be understood"),
    Hostile(
      bytes: file("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': ()}"),
      complaint: "cannot be understood"),
    Hostile(bytes: file(header(">c8", "(3,)"), payload: 24), complaint: "'>c8'"),
    Hostile(bytes: file(header("|O", "(3,)"), payload: 24), complaint: "Python objects"),
    Hostile(bytes: file(header("<c16", "(3,)"), payload: 48), complaint: "'<c16'"),
    Hostile(bytes: file(header("<f16", "(3,)"), payload: 48), complaint: "'<f16'"),
    Hostile(bytes: file(header("<f8", "(3,)"), payload: 23), complaint: "24 bytes"),
    Hostile(bytes: file(header("<f8", "(3,)"), payload: 25), complaint: "but 25 follow"),
    Hostile(
      bytes: file(header("<f8", "(4294967296, 4294967296)")), complaint: "larger than any memory"),
    Hostile(bytes: file(header("<f8", "(1000000000,)"), payload: 8), complaint: "but 8 follow"),
    Hostile(
      bytes: file(header("<f8", "(0, 4294967296, 4294967296)")), complaint: "larger than any"),
    Hostile(
      bytes: file(header("<u8", "(1,)")) + Data(repeating: 0xFF, count: 8),
      complaint: "18446744073709551615 is beyond int64"),
    Hostile(
      bytes: file(header("<f8", "(" + String(repeating: "1, ", count: 65) + ")"), payload: 8),
      complaint: "65 axes"),
  ]

  @Test(arguments: hostile)
  func refusesInOneSentence(_ hostile: Hostile) {
    let error = #expect(throws: ArrayFileError.self) {
      try NumpyArray.decode(hostile.bytes, path: "in/a.npy")
    }
    let text = error?.description ?? ""
    #expect(text.contains(hostile.complaint), "\(text)")
    #expect(text.hasPrefix("in/a.npy: ") && text.hasSuffix(".") && !text.contains("\n"))
  }

  /// Whatever byte is changed or missing, a header is read or refused, and nothing else happens.
  @Test func survivesDamage() throws {
    let whole = NumpyArray.encode(Tensor([1.0, 2], shape: [2]))
    for count in 0..<whole.count {
      #expect(throws: ArrayFileError.self) {
        try NumpyArray.decode(whole.prefix(count), path: "a.npy")
      }
      for byte in [0, 0x27, 0x28, 0x2C, 0x39, 0x7D, 0xFF] as [UInt8] {
        var damaged = whole
        damaged[count] = byte
        do {
          let tensor = try NumpyArray.decode(damaged, path: "a.npy")
          #expect(tensor.shape.count * tensor.element.byteCount == 16)
        } catch is ArrayFileError {}
      }
    }
  }

  @Test func filesThatAreNotThere() {
    let folder = NSTemporaryDirectory()
    for (path, complaint) in [(folder + "none/a.npy", "no such file"), (folder, "a folder")] {
      let error = #expect(throws: ArrayFileError.self) { try NumpyArray.read(path) }
      #expect(error?.description.contains(complaint) == true)
    }
    let error = #expect(throws: ArrayFileError.self) {
      try NumpyArray.write(Tensor([1.0], shape: [1]), to: folder + "none/a.npy")
    }
    #expect(error?.description.contains("cannot be written") == true)
  }
}
