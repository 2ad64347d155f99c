import Foundation
import TensorFiles
import TensorPrograms

/// The files that `Fixtures/make_fixtures.py` wrote, and what it says they hold.
enum ArrayFixtures {
  static func path(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/\(name)").path
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  /// The 3 x 4 array of each number type, by NumPy's name of the type.
  static let numbers: [String: Tensor] = {
    let shape: Shape = [3, 4]
    let signed = (0..<12).map { Double($0 - 4) }
    let eighths = signed.map { $0 / 8 }
    let unsigned = (0..<12).map { Double($0) }
    var arrays: [String: Tensor] = [
      "float64": Tensor(eighths, type: TensorType(.float64, shape)),
      "int64": Tensor(signed, type: TensorType(.int64, shape)),
      "uint32": Tensor(unsigned, type: TensorType(.int64, shape)),
      "uint64": Tensor(unsigned, type: TensorType(.int64, shape)),
      "bool": Tensor((0..<12).map { $0 % 3 == 0 }, shape: shape),
    ]
    for name in ["float16", "float32"] {
      arrays[name] = Tensor(eighths, type: TensorType(.float32, shape))
    }
    for name in ["int8", "int16", "int32"] {
      arrays[name] = Tensor(signed, type: TensorType(.int32, shape))
    }
    for name in ["uint8", "uint16"] {
      arrays[name] = Tensor(unsigned, type: TensorType(.int32, shape))
    }
    return arrays
  }()

  /// The two arrays of `descriptors.npz` and `zip64.npz`.
  static let batch: [String: Tensor] = [
    "x": Tensor((0..<24).map { Float($0) / 4 }, shape: [4, 3, 2]),
    "target": Tensor([2, 0, 1, 2] as [Int64], shape: [4]),
  ]

  /// Each file with all that it holds.
  static let files: [(name: String, arrays: [String: Tensor])] = [
    ("types.npz", numbers),
    (
      "orders.npz",
      Dictionary(uniqueKeysWithValues: numbers.map { ("big_\($0)", $1) }).merging([
        "fortran": batch["x"]!, "scalar": Tensor(scalar: 2.5, .float64),
        "empty": Tensor([] as [Float], shape: [0, 3]),
        "ordner/größe": Tensor([1, 2] as [Int32], shape: [2]),
      ]) { $1 }
    ),
    ("descriptors.npz", batch),
    ("zip64.npz", batch),
    ("types.safetensors", numbers.merging(["bfloat16": numbers["float32"]!]) { $1 }),
    (
      "five.safetensors",
      numbers.filter { ["float32", "int64", "bool", "float64", "int32"].contains($0.key) }
    ),
  ]

  /// Calls `body` with a path in a new folder, which is removed afterwards.
  static func withTemporaryPath<Result>(
    _ name: String, _ body: (String) throws -> Result
  ) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("eigenstep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.appendingPathComponent(name).path)
  }
}
