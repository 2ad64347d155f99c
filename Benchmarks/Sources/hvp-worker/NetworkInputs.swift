import Foundation
import TensorPrograms

/// One model's folder, as `peers/make_inputs.py` writes it.
struct NetworkInputs {
  struct Manifest: Decodable {
    struct Entry: Decodable {
      var shape: [Int]
      var offset: Int
    }
    var layers: [Int]
    var activation: String
    var batch: Int
    var parameters: Int
    var directions: Int
    var entries: [Entry]
  }

  let manifest: Manifest
  let parameters: [Float]
  let directions: [Float]
  let inputs: Tensor
  let labels: Tensor

  init(folder: String) throws {
    let url = URL(fileURLWithPath: folder)
    manifest = try JSONDecoder().decode(
      Manifest.self, from: Data(contentsOf: url.appendingPathComponent("manifest.json")))
    func read<Element: BitwiseCopyable>(_ name: String, _: Element.Type) throws -> [Element] {
      let data = try Data(contentsOf: url.appendingPathComponent(name))
      return data.withUnsafeBytes { bytes in
        (0..<bytes.count / MemoryLayout<Element>.size).map {
          bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.size, as: Element.self)
        }
      }
    }
    parameters = try read("parameters.bin", Float.self)
    directions = try read("directions.bin", Float.self)
    inputs = Tensor(
      try read("inputs.bin", Float.self), shape: [manifest.batch, manifest.layers[0]])
    labels = Tensor(try read("labels.bin", Int32.self), shape: [manifest.batch])
  }

  var parameterTypes: [TensorType] {
    manifest.entries.map { TensorType(.float32, Shape($0.shape)) }
  }

  /// Mean cross-entropy in nats; inputs: the parameters, then the batch and its labels.
  func loss() throws -> Program {
    try Program.trace(parameterTypes + [inputs.type, labels.type]) { arguments in
      let count = parameterTypes.count
      var hidden = arguments[count]
      for layer in stride(from: 0, to: count, by: 2) {
        hidden = hidden.matmul(arguments[layer]) + arguments[layer + 1]
        guard layer + 2 < count else { break }
        hidden = manifest.activation == "relu" ? hidden.relu() : hidden.tanh()
      }
      return [-hidden.logSoftmax(axis: 1).gather(arguments[count + 1], axis: 1, batch: 1).mean()]
    }
  }
}
