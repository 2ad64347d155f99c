import Curvature
import OnnxBackend
import TensorPrograms

/// What a model file makes of parameters and inputs.
struct ModelRun {
  let model: OnnxModel
  let output: String
  let inputs: [String]
  let training: Bool
  let seed: UInt64

  /// The output as a program of the parameters, then the inputs.
  ///
  /// - Parameter samples: on the inputs' first axis; nil for as many as `inputTypes` have.
  func program(
    of parameters: ModelParameters, _ inputTypes: [TensorType], samples: Int?
  ) throws -> Program {
    let parameterTypes = parameters.entries.filter { $0.reason == nil }.map(\.type)
    let names = parameters.names
    let inputTypes = inputTypes.map { type in
      var type = type
      if let samples { type.shape[0] = samples }
      return type
    }
    return try Program.trace(parameterTypes + inputTypes) { values in
      [
        try self(
          names, Array(values.prefix(names.count)), Array(values.dropFirst(names.count)))
      ]
    }
  }

  private func callAsFunction(
    _ names: [String], _ parameters: [Traced], _ data: [Traced]
  ) throws -> Traced {
    try model.trace(
      parameters: Dictionary(uniqueKeysWithValues: zip(names, parameters)),
      inputs: Dictionary(uniqueKeysWithValues: zip(inputs, data)), outputs: [output],
      training: training, seed: seed, builder: parameters[0].builder)[0]
  }

  /// As a loss takes it: a failure is reported by `Program.trace`.
  func function(of names: [String]) -> LossDefinition.Function {
    { values, data in
      do { return try self(names, values, data) } catch {
        values[0].builder.record(.mismatch("\(error)"))
        return values[0].sum()
      }
    }
  }
}
