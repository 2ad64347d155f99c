import Foundation
import Problems
import OnnxBackend
import TensorPrograms
import Testing

/// A model is written whole or not at all.
@Suite struct ModelWritingTests {
  private static func withFolder(_ body: (String) throws -> Void) throws {
    let folder = NSTemporaryDirectory() + "eigenstep-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  /// PyTorch's linear layers keep `[outputs, inputs]`, and the file says so by its nodes.
  @Test func transposedMatricesAreThoseOfLinearLayers() throws {
    let model = try Self.lenet()
    let names = model.transposedMatrices
    #expect(!names.isEmpty)
    for name in names {
      let shape = try #require(model.initializers[name]?.shape)
      let bias = try #require(model.initializers[name.replacing("weight", with: "bias")]?.shape)
      #expect(shape.rank == 2 && bias.dimensions == [shape[0]], "\(name): \(shape), \(bias)")
    }
  }

  private static func lenet() throws -> OnnxModel {
    let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Models")
    return try OnnxModel(contentsOf: models.appendingPathComponent("lenet.onnx").path)
  }

  @Test func `the file behind a link is replaced`() throws {
    try Self.withFolder { folder in
      let model = try Self.lenet()
      let (file, link) = (folder + "/m.onnx", folder + "/link.onnx")
      try Data("old".utf8).write(to: URL(fileURLWithPath: file))
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
      let (name, value) = try #require(
        model.initializers.filter { $0.value.element.isFloating }.min { $0.key < $1.key })
      let ones = Tensor(repeating: 1, type: value.type)
      try model.write(to: link, settingInitializers: [name: ones])
      #expect(try OnnxModel(contentsOf: file).initializers[name] == ones)
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
    }
  }

  @Test func `a failure says so and leaves what was there`() throws {
    try Self.withFolder { folder in
      let model = try Self.lenet()
      let path = folder + "/absent/m.onnx"
      let error = try #require(throws: OnnxModelError.self) { try model.write(to: path) }
      #expect(error.kind == .cannotWrite)
      #expect(
        error.description
          == "The model cannot be written to '\(path)': check that the folder exists, is writable and "
          + "has room")
      let file = folder + "/m.onnx"
      try Data("old".utf8).write(to: URL(fileURLWithPath: file))
      #expect(throws: OnnxModelError.self) {
        try model.write(
          to: file, settingInitializers: ["no such tensor": Tensor(scalar: 1, .float32)])
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data("old".utf8))
    }
  }
}
