import Foundation
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// Files that would take far more memory than the model has use for are refused by what their headers
/// say: the numbers behind the headers are damaged here, which a reader of them would complain of.
@Suite struct BombTests {
  /// An archive whose arrays cannot be read, though their headers can.
  private func damaged(
    _ arrays: [(name: String, tensor: Tensor)], in folder: TemporaryFolder
  ) throws -> String {
    let path = folder.path("d.npz")
    try NpzArchive.write(arrays, to: path)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // An array ends where the next member begins (PK 3 4), the last where the directory does (PK 1 2).
    func places(of mark: [UInt8]) -> [Int] {
      bytes.indices.dropLast(3).filter { bytes[$0..<$0 + 4].elementsEqual(mark) }
    }
    let ends =
      places(of: [0x50, 0x4B, 3, 4]).dropFirst() + places(of: [0x50, 0x4B, 1, 2]).prefix(1)
    #expect(ends.count == arrays.count)
    for end in ends { bytes[end - 1] ^= 0x55 }
    try bytes.write(to: URL(fileURLWithPath: path))
    return path
  }

  private func refusal(
    _ model: HandmadeModel, _ arrays: [(name: String, tensor: Tensor)], _ options: [String] = []
  ) throws -> BuiltProgram.Outcome {
    let folder = try TemporaryFolder()
    try model.data.write(to: URL(fileURLWithPath: folder.path("m.onnx")))
    let data = try damaged(arrays, in: folder)
    let outcome = try BuiltProgram.run(
      [
        "diagnose", folder.path("m.onnx"), "--data", data, "--loss", "mse", "--no-trials",
        "--executor", "reference",
      ] + options)
    #expect(outcome.status == 65 && outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
    #expect(!outcome.errors.contains("checksum"), "\(outcome.errors)")
    return outcome
  }

  private static func zeros(_ sizes: [Int]) -> Tensor {
    Tensor(repeating: 0, type: TensorType(.float32, Shape(sizes)))
  }

  @Test func `shapes are compared before numbers are read`() throws {
    let (x, y) = (Self.zeros([8, 3]), Self.zeros([8, 3]))
    let model = HandmadeModel()
    #expect(
      try refusal(model, [("x", Self.zeros([8, 300])), ("target", y)]).errors.contains("300"))
    #expect(
      try refusal(model, [("x", Self.zeros([8, 3, 100])), ("target", y)]).errors.contains("100"))
    #expect(
      try refusal(model, [("x", x), ("target", Self.zeros([8, 700]))]).errors.contains("700"))
    #expect(
      try refusal(model, [("x", x), ("target", Self.zeros([900]))]).errors.contains("900"))
    // What fits is read, and found damaged.
    let folder = try TemporaryFolder()
    try model.data.write(to: URL(fileURLWithPath: folder.path("m.onnx")))
    let read = try BuiltProgram.run([
      "diagnose", folder.path("m.onnx"), "--data", damaged([("x", x), ("target", y)], in: folder),
      "--loss", "mse",
    ])
    #expect(read.status == 65 && read.errors.contains("checksum"))
  }

  @Test func `data are compared with the memory that is allowed`() throws {
    let outcome = try refusal(
      HandmadeModel(), [("x", Self.zeros([1000, 3])), ("target", Self.zeros([1000, 3]))],
      ["--memory", "12000"])
    // 24,000 bytes: half of the samples fit.
    #expect(outcome.errors.contains("--memory") && outcome.errors.contains("--samples 500"))
  }

  @Test(arguments: [
    ("ConstantOfShape", [Int64(1) << 39]), ("Expand", [1 << 36, 3, 3]),
    ("Tile", [1 << 18, 1 << 18]),
    ("Pad", [0, 0, 1 << 35, 0]),
  ])
  func `what a node would make is compared with the memory that is allowed`(
    operation: String, sizes: [Int64]
  ) throws {
    let inputs = operation == "ConstantOfShape" ? ["n"] : ["w", "n"]
    let model = HandmadeModel(
      nodes: [
        HandmadeModel.node("MatMul", ["x", "w"], "p"), HandmadeModel.node(operation, inputs, "big"),
        HandmadeModel.node("ReduceSum", ["big"], "s"), HandmadeModel.node("ReduceMax", ["s"], "m"),
        HandmadeModel.node("Add", ["p", "m"], "y"),
      ],
      tensors: [
        HandmadeModel.floats("w", [3, 3], [Float](repeating: 1, count: 9)),
        HandmadeModel.integers("n", sizes),
      ])
    let outcome = try refusal(
      model, [("x", Self.zeros([8, 3])), ("target", Self.zeros([8, 3]))])
    #expect(outcome.errors.contains("GiB"), "\(outcome.errors)")
  }

  @Test func `stored tensors and empty messages are counted before they are made`() throws {
    let arrays = [
      (name: "x", tensor: Self.zeros([8, 3])), (name: "target", tensor: Self.zeros([8, 3])),
    ]
    for sizes in [
      [3, 1 << 38], [1 << 31, 1 << 31], [1 << 62, 4], [Int](repeating: 1, count: 100_000),
    ] {
      let claimed = HandmadeModel(tensors: [
        HandmadeModel.tensor("w", sizes, type: 1, Data(count: 4))
      ])
      #expect(try refusal(claimed, arrays).errors.contains("'w'"))
    }
    let crowded = HandmadeModel(nodes: [Data](repeating: Data(), count: 600_000))
    #expect(try refusal(crowded, arrays).errors.contains("500000"))
  }

  @Test func `a table without an end or of zeros is left at once`() throws {
    #if os(Linux)
      let folder = try TemporaryFolder()
      let table = folder.path("t.csv")
      try FileManager.default.createSymbolicLink(atPath: table, withDestinationPath: "/dev/zero")
      let outcome = try BuiltProgram.run(["diagnose", table, "--target", "y"])
      #expect(outcome.status == 65 && outcome.errors.contains("UTF-8"))
    #endif
  }
}
