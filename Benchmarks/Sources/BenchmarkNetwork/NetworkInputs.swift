import Curvature
import Foundation
import TensorPrograms

/// One model's folder, as `peers/make_inputs.py` writes it.
package struct NetworkInputs {
  package struct Manifest: Decodable {
    package struct Entry: Decodable {
      package var name: String
      package var shape: [Int]
      package var offset: Int
    }
    package var layers: [Int]
    package var activation: String
    package var batch: Int
    package var parameters: Int
    package var directions: Int
    package var entries: [Entry]
  }

  package let manifest: Manifest
  package let parameters: [Float]
  package let directions: [Float]
  package let inputs: Tensor
  package let labels: Tensor

  package init(folder: String) throws {
    let url = URL(fileURLWithPath: folder)
    manifest = try JSONDecoder().decode(
      Manifest.self, from: Data(contentsOf: url.appendingPathComponent("manifest.json")))
    func read<Element: BitwiseCopyable>(_ name: String, _: Element.Type) throws -> [Element] {
      let data = try Data(contentsOf: url.appendingPathComponent(name))
      return Array(unsafeUninitializedCapacity: data.count / MemoryLayout<Element>.size) {
        $1 = data.copyBytes(to: $0) / MemoryLayout<Element>.size
      }
    }
    parameters = try read("parameters.bin", Float.self)
    directions = try read("directions.bin", Float.self)
    inputs = Tensor(
      try read("inputs.bin", Float.self), shape: [manifest.batch, manifest.layers[0]])
    labels = Tensor(try read("labels.bin", Int32.self), shape: [manifest.batch])
  }

  package var parameterTypes: [TensorType] {
    manifest.entries.map { TensorType(.float32, Shape($0.shape)) }
  }

  /// Mean cross-entropy in nats; data: the batch, then its labels.
  package var definition: LossDefinition {
    let isRelu = manifest.activation == "relu"
    return LossDefinition(
      parameters: manifest.entries.map {
        LossDefinition.Parameter($0.name, Shape($0.shape), isBias: $0.shape.count == 1)
      },
      model: { parameters, data in
        var hidden = data[0]
        for layer in stride(from: 0, to: parameters.count, by: 2) {
          hidden = hidden.matmul(parameters[layer]) + parameters[layer + 1]
          guard layer + 2 < parameters.count else { break }
          hidden = isRelu ? hidden.relu() : hidden.tanh()
        }
        return hidden
      },
      loss: { outputs, data in
        -outputs.logSoftmax(axis: 1).gather(data[1], axis: 1, batch: 1).mean()
      })
  }

  /// The loss as a program of the parameters, the batch and its labels.
  package func loss() throws -> Program {
    try definition.program(dataTypes: [inputs.type, labels.type], element: .float32)
  }
}
