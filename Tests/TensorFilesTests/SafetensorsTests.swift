import Foundation
import TensorPrograms
import Testing

@testable import TensorFiles

@Suite("Safetensors")
struct SafetensorsTests {
  /// The bytes are those that the reference implementation writes of the same arrays.
  @Test func writesWhatTheReferenceWrites() throws {
    let golden = try ArrayFixtures.bytes("five.safetensors")
    let arrays = ["bool", "int32", "float64", "float32", "int64"].map {
      (name: $0, tensor: ArrayFixtures.numbers[$0]!)
    }
    try ArrayFixtures.withTemporaryPath("a.safetensors") { path in
      try SafetensorsFile.write(arrays, metadata: ["a": "b"], to: path)
      #expect(Array(try Data(contentsOf: URL(fileURLWithPath: path))) == golden)
    }
  }

  @Test func roundTrips() throws {
    let arrays: [(name: String, tensor: Tensor)] = [
      ("b", Tensor([1.5, .nan, -0.0] as [Float], shape: [3])),
      ("a\"\\\n\u{1}ö", Tensor([1, 2] as [Int64], shape: [2, 1])),
      ("leer", Tensor([] as [Double], shape: [2, 0])), ("s", Tensor(scalar: 3, .bool)),
    ]
    try ArrayFixtures.withTemporaryPath("a.safetensors") { path in
      try SafetensorsFile.write(arrays, metadata: ["k\t": "v\"", "z": "😀"], to: path)
      let file = try SafetensorsFile(path)
      #expect(file.metadata == ["k\t": "v\"", "z": "😀"])
      #expect(file.keys.sorted() == arrays.map(\.name).sorted())
      for (name, tensor) in arrays {
        let back = try file.tensor(name)
        #expect(back.type == tensor.type)
        #expect(back.withUnsafeBytes { Array($0) } == tensor.withUnsafeBytes { Array($0) })
      }
      try SafetensorsFile.write([], to: path)
      #expect(try SafetensorsFile(path).keys.isEmpty)
    }
    #expect(
      try SafetensorsFile(ArrayFixtures.path("types.safetensors")).metadata
        == ["made by": "a \"script\"\n"])
    let one = Tensor(scalar: 1, .float32)
    for names in [["a", "a"], [""], ["__metadata__"]] {
      try ArrayFixtures.withTemporaryPath("a.safetensors") { path in
        #expect(throws: ArrayFileError.self) {
          try SafetensorsFile.write(names.map { ($0, one) }, to: path)
        }
        #expect(!FileManager.default.fileExists(atPath: path))
      }
    }
  }

  static func file(_ header: String, data: Int = 0, length: Int? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittle(length ?? header.utf8.count, bytes: 8)
    return bytes + Array(header.utf8) + [UInt8](repeating: 0, count: data)
  }

  static func entry(_ name: String, _ type: String, _ shape: String, _ offsets: String) -> String {
    "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}"
  }

  @Test func readsWhatTheFormatAllows() throws {
    let header =
      " \n\t{ \"b\" : {\"shape\":[ 2 , 1 ],\"data_offsets\":[4,8],\"dtype\":\"I16\"},"
      + Self.entry("\\u00e9\\ud83d\\ude00", "F32", "", "0,4") + "}   "
    let bytes = Self.file(String(header.dropFirst(3)), data: 8)
    let file = try SafetensorsFile(ByteFile(bytes: bytes, path: "a"))
    #expect(file.keys == ["b", "é😀"])
    #expect(try file.tensor("b") == Tensor([0, 0] as [Int32], shape: [2, 1]))
    #expect(try file.tensor("é😀") == Tensor(scalar: 0, .float32))
  }

  /// An array of a type that cannot be read does not spoil the others.
  @Test func refusesATypeWhenItIsAskedFor() throws {
    let header =
      "{" + Self.entry("a", "F8_E4M3", "4", "0,4") + "," + Self.entry("b", "U8", "1", "4,5") + "}"
    let file = try SafetensorsFile(ByteFile(bytes: Self.file(header, data: 5), path: "w.st"))
    #expect(try file.tensor("b") == Tensor([0] as [Int32], shape: [1]))
    let error = #expect(throws: ArrayFileError.self) { try file.type(of: "a") }
    #expect(
      error?.description.hasPrefix("w.st, array 'a': elements of type F8_E4M3 cannot be") == true)
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    var bytes: [UInt8]
    var complaint: String
    var testDescription: String { complaint }
  }

  static let hostile: [Hostile] = [
    Hostile(bytes: [], complaint: "not a safetensors file"),
    Hostile(bytes: file("{}", length: 1 << 40), complaint: "not a safetensors file"),
    Hostile(bytes: file("{}", length: -1), complaint: "not a safetensors file"),
    Hostile(bytes: file("[]"), complaint: "not a safetensors file"),
    Hostile(bytes: file("{", data: 20), complaint: "header cannot be understood"),
    Hostile(bytes: file("{}x"), complaint: "header cannot be understood"),
    Hostile(bytes: file("{\"a\"}"), complaint: "header cannot be understood"),
    Hostile(bytes: file("{\"a\\ud800\":1}"), complaint: "header cannot be understood"),
    Hostile(bytes: file("{\"a"), complaint: "header cannot be understood"),
    Hostile(bytes: file("{\"a\":"), complaint: "array 'a': its entry"),
    Hostile(bytes: file("{\"a\":{}}"), complaint: "array 'a': its entry"),
    Hostile(
      bytes: file(String(repeating: "{\"a\":", count: 100_000)), complaint: "array 'a': its entry"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "-1", "0,4") + "}", data: 4), complaint: "its entry"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "1.0", "0,4") + "}", data: 4), complaint: "its entry"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "18446744073709551617", "0,4") + "}", data: 4),
      complaint: "its entry"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "1", "4,0") + "}", data: 4), complaint: "its entry"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "1", "0,4,8") + "}", data: 4), complaint: "its entry"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "4294967296,4294967296", "0,0") + "}"),
      complaint: "do not hold an array of F32"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "0,4294967296,4294967296", "0,0") + "}"),
      complaint: "do not hold an array of F32"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "2", "0,4") + "}", data: 4),
      complaint: "4 bytes do not hold an array of F32 with the shape [2]"),
    Hostile(
      bytes: file(
        "{" + entry("a", "F32", String(repeating: "1,", count: 64) + "1", "0,4") + "}", data: 4),
      complaint: "of 65 axes"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "1", "0,4") + "}", data: 3),
      complaint: "ends at byte 4 of the data, of which there are 3"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "1", "0,4") + "}", data: 5),
      complaint: "take 4 bytes, but 5 follow"),
    Hostile(
      bytes: file("{" + entry("a", "F32", "1", "1,5") + "}", data: 5), complaint: "begins at byte 1"
    ),
    Hostile(
      bytes: file(
        "{" + entry("a", "F32", "2", "0,8") + "," + entry("b", "F32", "1", "4,8") + "}", data: 8),
      complaint: "array 'b': the array begins at byte 4 of the data, but the one before ends at 8"),
    Hostile(
      bytes: file(
        "{" + entry("a", "F32", "1", "0,4") + "," + entry("a", "F32", "1", "4,8") + "}", data: 8),
      complaint: "names this array twice"),
    Hostile(
      bytes: file("{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}"), complaint: "cannot be understood"
    ),
    Hostile(bytes: file("{\"__metadata__\":{\"a\":1}}"), complaint: "cannot be understood"),
    Hostile(
      bytes: file("{\"__metadata__\":{},\"__metadata__\":{}}"), complaint: "cannot be understood"),
    Hostile(
      bytes: file(
        "{" + entry(String(repeating: "n", count: 2000), "F32", "1", "0,4") + "}", data: 4),
      complaint: "with names of 1024 bytes"),
  ]

  @Test(arguments: hostile)
  func refusesInOneSentence(_ hostile: Hostile) {
    let error = #expect(throws: ArrayFileError.self) {
      try SafetensorsFile(ByteFile(bytes: hostile.bytes, path: "in/a.safetensors"))
    }
    let text = error?.description ?? ""
    #expect(text.contains(hostile.complaint), "\(text)")
    #expect(text.hasPrefix("in/a.safetensors") && text.hasSuffix(".") && !text.contains("\n"))
  }

  @Test func longHeadersAreRefused() {
    var limits = TensorFileLimits()
    limits.headerBytes = 100
    let bytes = Self.file("{" + String(repeating: " ", count: 200) + "}")
    let error = #expect(throws: ArrayFileError.self) {
      try SafetensorsFile(ByteFile(bytes: bytes, path: "a"), limits: limits)
    }
    #expect(error?.description.contains("202 bytes, and at most 100 are read") == true)
  }
}
