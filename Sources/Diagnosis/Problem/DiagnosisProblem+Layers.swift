import Curvature
import TensorPrograms

extension DiagnosisProblem {
  /// A model written in Swift, its data and its loss.
  ///
  ///     let problem = try DiagnosisProblem(
  ///       "network", parameters: parameters, inputs: [images], target: labels, loss: .crossEntropy
  ///     ) { p, x in
  ///       x[0].convolution(p["conv1"], padding: 1).relu().maxPooling(2).flattened().dense(p["head"])
  ///     }
  ///
  /// - Parameters:
  ///   - inputs: arrays whose leading axis runs over the samples.
  ///   - l2: the penalty `c` of `c/2 ||w||^2`, biases and normalizations excluded.
  ///   - model: outputs of a batch, one row per sample, from the parameters and the inputs.
  /// - Throws: `ProgramError` where shapes do not fit; `DiagnosisFailure` where a label is out of range.
  public init(
    _ name: String, parameters: ParameterSet, inputs: [Tensor], target: Tensor, loss: ModelLoss,
    l2: Double = 0, model: @escaping @Sendable (LayerParameters, [Traced]) -> Traced
  ) throws {
    let definitions = parameters.definitions
    let outputs: LossDefinition.Function = { values, data in
      model(LayerParameters(definitions, values), Array(data.prefix(inputs.count)))
    }
    var types = definitions.map { TensorType(.float64, $0.shape) }
    types += inputs.map(\.type.widened)
    let outputType = try Program.trace(types) {
      [outputs(Array($0.prefix(definitions.count)), Array($0.dropFirst(definitions.count)))]
    }.outputTypes[0]
    let target = try loss.checked(
      target, named: "the target", outputs: outputType, outputName: "output")
    let loss = loss.ignoringLabels(of: target)
    _ = try Program.trace(outputType, target.type.widened) { loss.apply($0, $1) }
    self.init(
      name: name,
      definition: LossDefinition(
        parameters: definitions, model: outputs, loss: { loss.apply($0, $1[$1.count - 1]) },
        penalty: l2 == 0 ? nil : LossDefinition.decay(l2, of: definitions),
        distribution: loss.distribution(outputType, target.type)),
      data: inputs + [target], start: parameters.start, lossName: loss.name, l2: l2)
  }
}

extension TensorType {
  fileprivate var widened: TensorType { element.isFloating ? TensorType(.float64, shape) : self }
}
