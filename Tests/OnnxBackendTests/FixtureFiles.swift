import Foundation
import TensorPrograms

@testable import OnnxBackend

/// The files of a folder of `Fixtures`, by name; none where there is no such folder.
func fixtures(in folder: String) -> [URL] {
  let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/\(folder)")
  let files = try? FileManager.default.contentsOfDirectory(
    at: place, includingPropertiesForKeys: nil)
  return (files ?? []).sorted { $0.path < $1.path }
}

/// A graph that keeps its inputs as initializers, and beside them what is expected of its outputs.
extension OnnxModel {
  /// The outputs as a program of the initializers with these names.
  func program(of names: [String]) throws -> Program {
    try Program.trace(names.map { initializers[$0]!.type }) { values in
      try trace(
        parameters: Dictionary(uniqueKeysWithValues: zip(names, values)), inputs: [:],
        outputs: outputs, builder: values[0].builder)
    }
  }

  var expected: [Tensor] { outputs.map { initializers["expected:\($0)"]! } }
}
