import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorFiles
import TensorPrograms
import Testing

/// A model of the folder `Models` with its data and golden values.
struct GoldenModel: Sendable, CustomTestStringConvertible {
  var name: String
  /// What makes a loss of the output, by name; nil where the output is the loss.
  var loss: String?
  var output = "output"
  /// Whether it must be run as one batch, in training mode.
  var isTraining = false

  var testDescription: String { name }

  static let all = [
    GoldenModel(name: "lenet", loss: "cross-entropy"),
    GoldenModel(name: "resnet", loss: "cross-entropy"),
    GoldenModel(name: "vit", loss: "cross-entropy"),
    GoldenModel(name: "gpt", loss: "cross-entropy"),
    GoldenModel(name: "lstm", loss: "cross-entropy"),
    GoldenModel(name: "unet", loss: "cross-entropy"),
    GoldenModel(name: "pinn", loss: nil),
    GoldenModel(name: "normalised", loss: "cross-entropy", isTraining: true),
    GoldenModel(name: "sklearn", loss: "mse", output: "variable"),
    GoldenModel(name: "jax", loss: "cross-entropy", output: "add_out_2"),
  ]

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Models").path

  func path(_ suffix: String) -> String { "\(Self.folder)/\(name)\(suffix)" }

  /// The model's loss over its data, with the parameters that have golden values.
  func objective<Scalar: LinearMapScalar>(
    _: Scalar.Type, executor: any Executor, batchSize: Int? = nil
  ) throws -> (objective: Objective<Scalar>, start: [Scalar], names: [String]) {
    let model = try OnnxModel(contentsOf: path(".onnx"), element: Scalar.element)
    let data = try NpzArchive(path(".npz"))
    let names = try NpzArchive(path(".golden.npz")).keys
      .filter { $0.hasPrefix("gradient/") }.map { String($0.dropFirst("gradient/".count)) }
      .sorted()
    let inputs = model.inputs.map(\.name)
    let arrays = try (inputs + (loss == nil ? [] : ["target"])).map { name -> Tensor in
      let array = try data.tensor(name)
      return array.element.isFloating
        ? Tensor(array.doubles, type: TensorType(Scalar.element, array.shape)) : array
    }
    let parameters = names.map {
      LossDefinition.Parameter($0, model.initializers[$0]!.shape)
    }
    let forward: LossDefinition.Function = { [output, isTraining] values, data in
      let builder = values[0].builder
      do {
        return try model.trace(
          parameters: Dictionary(uniqueKeysWithValues: zip(names, values)),
          inputs: Dictionary(uniqueKeysWithValues: zip(inputs, data)), outputs: [output],
          training: isTraining, builder: builder)[0]
      } catch {
        builder.record(.mismatch("\(error)"))
        return values[0].sum()
      }
    }
    var definition: LossDefinition
    if let loss {
      let loss = ModelLoss.named(loss)!
      definition = LossDefinition(
        parameters: parameters, model: forward, loss: { loss.apply($0, $1.last!) })
    } else {
      definition = LossDefinition(parameters: parameters, objective: forward)
    }
    definition.couplesSamples = isTraining || loss == nil
    return (
      try Objective(definition, data: arrays, executor: executor, maxBatchSize: batchSize),
      names.flatMap { model.initializers[$0]!.doubles.map { Scalar($0) } }, names
    )
  }

  /// `sin(1.3 k + 0.5)` for entry `k` of each parameter.
  func direction(_ counts: [Int]) -> [Double] {
    counts.flatMap { count in (0..<count).map { sin(1.3 * Double($0) + 0.5) } }
  }
}
