import Foundation
import MutationFuzz
import TensorPrograms
import Testing

@testable import TensorFiles

/// Damaged files are read or refused in one sentence, in bounded time and memory. `EIGENSTEP_FUZZ=20000`
/// runs that many of each kind and prints what they took.
@Suite("Damaged array files")
struct FileFuzzTests {
  static let limits: TensorFileLimits = {
    var limits = TensorFileLimits()
    limits.arrayBytes = 1 << 24
    return limits
  }()

  /// Reads all of a file, whole and by rows; throws what the last array that cannot be read said.
  static func readAll(_ source: any TensorSource) throws {
    var failure: (any Error)?
    for key in source.keys {
      do {
        let type = try source.type(of: key)
        let rows = try type.shape.dimensions.first.map {
          try source.tensor(key, rows: $0 / 2..<$0)
        }
        let tensor = try source.tensor(key)
        precondition(tensor.type == type && type.byteCount <= limits.arrayBytes)
        precondition(rows.map { $0.shape.count <= tensor.shape.count } ?? true)
        _ = tensor.firstNonFinite
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  static func check(
    _ kind: String, seed: UInt64, corpus: [[UInt8]], open: (ByteFile) throws -> any TensorSource
  ) {
    let count = MutationFuzz.count(standard: 200)
    let report = MutationFuzz(seed: seed, corpus: corpus).run(count) { bytes in
      try readAll(open(ByteFile(bytes: bytes, path: "in/damaged.\(kind)")))
    }
    #expect(report.speechless == [])
    // Most damage is noticed, some is harmless; else the mutants do not reach the code.
    #expect(report.refused > count / 3 && report.accepted > count / 100, "\(report)")
    #expect(report.longest < .seconds(5), "case \(report.longestCase)")
    if count > 200 {
      print(
        "\(kind): \(report.accepted) read, \(report.refused) refused, longest \(report.longest) "
          + "(case \(report.longestCase)), peak memory \(peakMemory() / 1024) MiB")
    }
  }

  /// Kibibytes that this process has held at most.
  private static func peakMemory() -> Int {
    var usage = rusage()
    // RUSAGE_SELF, which is a number on macOS and of another type on Linux.
    guard getrusage(0, &usage) == 0 else { return 0 }
    #if canImport(Darwin)
      return usage.ru_maxrss / 1024
    #else
      return usage.ru_maxrss
    #endif
  }

  @Test func npz() throws {
    let names = ["types.npz", "orders.npz", "descriptors.npz", "zip64.npz"]
    var corpus = try names.map(ArrayFixtures.bytes)
    corpus.append(
      NpzArchiveTests.Archive(
        compressed: true, tensor: Tensor(repeating: 0, type: .float32(1 << 16))
      ).bytes)
    Self.check("npz", seed: 4, corpus: corpus) { try NpzArchive($0, limits: Self.limits) }
  }

  @Test func npy() throws {
    let arrays: [Tensor] = [
      ArrayFixtures.batch["x"]!, ArrayFixtures.batch["target"]!, Tensor(scalar: 1, .bool),
    ]
    var corpus = arrays.map { Array(NumpyArray.encode($0)) }
    corpus.append(Array(Data(base64Encoded: NumpyArrayTests.examples[1].bytes)!))
    corpus.append(Array(Data(base64Encoded: NumpyArrayTests.examples[6].bytes)!))
    Self.check("npy", seed: 5, corpus: corpus) { try NumpyFile($0, limits: Self.limits) }
  }

  @Test func safetensors() throws {
    let corpus = try ["types.safetensors", "five.safetensors"].map(ArrayFixtures.bytes)
    Self.check("safetensors", seed: 6, corpus: corpus) {
      try SafetensorsFile($0, limits: Self.limits)
    }
  }
}
