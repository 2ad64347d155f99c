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
  /// Where the inputs and the output have their samples, which come first in the program.
  var inputAxes: [Int] = []
  var outputAxis = 0
  /// Inputs that are the same for all samples.
  var given: [String: Tensor] = [:]

  /// The output as a program of the parameters, then the inputs.
  ///
  /// - Parameters:
  ///   - samples: on the inputs' first axis; nil for as many as `inputTypes` have.
  ///   - record: where it is noted what the data decide.
  func program(
    of parameters: ModelParameters, _ inputTypes: [TensorType], samples: Int?,
    record: ImportRecord? = nil
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
          names, Array(values.prefix(names.count)), Array(values.dropFirst(names.count)), record)
      ]
    }
  }

  private func callAsFunction(
    _ names: [String], _ parameters: [Traced], _ data: [Traced], _ record: ImportRecord? = nil
  ) throws -> Traced {
    let builder = parameters[0].builder
    var values = given.mapValues(builder.constant)
    for (index, (name, value)) in zip(inputs, data).enumerated() {
      let axis = inputAxes.indices.contains(index) ? inputAxes[index] : 0
      values[name] = value.movingAxis(0, to: axis)
    }
    let result = try model.trace(
      parameters: Dictionary(uniqueKeysWithValues: zip(names, parameters)), inputs: values,
      outputs: [output], training: training, seed: seed, record: record, builder: builder)[0]
    return outputAxis < result.rank ? result.movingAxis(outputAxis, to: 0) : result
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
