import Curvature
import Diagnosis
import OnnxBackend
import Presentation
import TensorPrograms

/// A model file as a program over the types of its data, before any number of these is read: which
/// parameters have a derivative, and whether output and loss can be had in the memory given.
struct TracedModelFile {
  let choice: ModelFileChoice
  /// Those that the output has a derivative in, and why the others are none.
  let parameters: ModelParameters
  /// Of one batch.
  private let outputType: TensorType
  private let run: ModelRun
  /// The loss that fits the output.
  let fit: LossFit
  /// What the exporter did to the network.
  let export: ExportFindings
  /// The size of the only batch that the model takes; nil where any will do.
  private let fixedBatch: Int?
  /// What was decided about the file's numbers, its graph and its samples.
  let formReadings: [Reading]
  /// The node that allows only batches of one size, where the inputs do not say so.
  let writtenBatch: (size: Int, node: String)?

  init(_ choice: ModelFileChoice, on data: ModelData, seed: Int, memory: Int) throws {
    self.choice = choice
    var fit = LossFit(choice)
    var fixedBatch = try data.fixedBatch()
    var written: (size: Int, node: String)?
    func traced(
      _ samples: Int?, _ record: ImportRecord? = nil
    ) throws -> (ModelRun, Program) {
      let run = ModelRun(
        model: fit.model, output: choice.output, inputs: data.inputNames,
        training: choice.options.training, seed: UInt64(bitPattern: Int64(seed)),
        inputAxes: data.axes.inputs, outputAxis: data.axes.output, given: data.given)
      return (
        run,
        try run.program(of: choice.parameters, data.inputTypes, samples: samples, record: record)
      )
    }
    var (run, program): (ModelRun, Program)
    do { (run, program) = try traced(fixedBatch) } catch {
      // A graph that was traced with one batch may hold its size.
      guard fixedBatch == nil, choice.loss != nil, let samples = data.sampleCount else {
        throw error
      }
      written = choice.model.writtenSizes.first { size, _ in
        guard size < samples, let shape = try? traced(size).1.outputTypes[0].shape else {
          return false
        }
        return shape.dimensions.first == size
      }
      guard let written else { throw error }
      guard samples.isMultiple(of: written.size) else {
        throw DiagnosisFailure(
          .badData,
          "The node \(written.node) takes batches of \(written.size) samples only, but "
            + "\(choice.dataPath ?? "") has \(samples): use "
            + "\(option: .samples, "\(samples / written.size * written.size)"), or export the model "
            + "with a dynamic batch axis.")
      }
      fixedBatch = written.size
      (run, program) = try traced(fixedBatch)
    }
    writtenBatch = written
    outputType = program.outputTypes[0]
    let batch = data.targetType.map { Self.ofBatch($0, fixedBatch) }
    try fit.settle(outputs: outputType, target: batch, path: choice.dataPath ?? "")
    let record = ImportRecord()
    (run, program) = try traced(fixedBatch, record)
    formReadings =
      choice.model.readings + data.readings
      + choice.model.readings(of: record, given: data.given)
    (self.run, self.fit, self.fixedBatch) = (run, fit, fixedBatch)
    parameters = choice.parameters.reached(by: program)
    export = ExportFindings(choice, parameters: parameters)
    try checkOutput()
    try check(program, on: data, memory: memory)
    guard !parameters.names.isEmpty else {
      throw ModelFileChoice.noGradient(choice.output, choice.options.file)
    }
  }

  private func checkOutput() throws {
    let (output, loss) = (choice.output, choice.loss)
    guard outputType.element.isFloating else {
      throw DiagnosisFailure(
        .badData,
        "The output '\(output)' is \(outputType), which has no derivative; choose another of "
          + "\(ModelData.list(choice.model.outputs)) with "
          + "\(option: loss == nil ? .lossOutput : .output).")
    }
    if loss == nil, outputType.shape.count != 1 {
      throw DiagnosisFailure(
        .badData,
        "The loss '\(output)' of \(choice.options.file) has the shape \(outputType.shape), but a loss "
          + "is one number; choose another \(option: .lossOutput), or a \(option: .loss) of "
          + "\(option: .output, output).")
    }
  }

  /// Refuses a model that no choice of samples makes small enough.
  private func check(_ program: Program, on data: ModelData, memory: Int) throws {
    // Samples can be taken one at a time, unless the loss is of all of them or a batch is fixed.
    let isDivisible = choice.loss != nil && data.sampleCount != nil && fixedBatch == nil
    func least() -> Int? {
      guard isDivisible else { return program.largestValue }
      return try? run.program(of: choice.parameters, data.inputTypes, samples: 1).largestValue
    }
    if program.largestValue > memory, let least = least(), least > memory {
      throw DiagnosisFailure(
        .badData,
        "\(choice.options.file): a tensor that the model computes takes "
          + "\(Wording.number(Double(least) / 0x1p30)) GiB, more than the "
          + "\(Wording.number(Double(memory) / 0x1p30)) GiB that \(option: .memory) allows; "
          + "allow more, or change the model.")
    }
  }

  /// Refuses a target of a type that the loss cannot compare with the output.
  func checkTarget(of data: ModelData) throws {
    guard let loss = fit.loss, let given = data.targetType else { return }
    let targetType = ofBatch(loss.labelType(given, outputs: outputs(over: data)))
    do {
      _ = try Program.trace(outputType, targetType) { loss.apply($0, $1) }
    } catch {
      if let apart = data.apart { throw apart }
      throw DiagnosisFailure(
        .badData,
        "\(choice.dataPath ?? ""): the target '\(data.targetName)' is \(targetType) and the output "
          + "'\(choice.output)' \(outputType), which the loss \(loss.name) cannot compare; choose "
          + "another \(option: .loss), \(option: .output) or \(option: .target).")
    }
  }

  /// The loss of the parameters, and the arrays that it is of.
  ///
  /// - Parameter data: with its numbers.
  /// - Throws: `DiagnosisFailure` for a target that the loss does not take.
  func definition(on data: ModelData) throws -> (LossDefinition, arrays: [Tensor]) {
    let model = choice.model
    let transposed = model.transposedMatrices
    let definitions = parameters.names.map { name in
      let shape = model.initializers[name]!.shape
      var parameter = LossDefinition.Parameter(name, shape, role: Self.role(name, shape))
      parameter.isOutputsFirst = transposed.contains(name)
      return parameter
    }
    let l2 = choice.options.l2
    let penalty = l2 == 0 ? nil : LossDefinition.decay(l2, of: definitions)
    let forward = run.function(of: parameters.names)
    var arrays = data.inputs
    var definition: LossDefinition
    if let loss = fit.loss {
      try fit.check(
        data.target ?? Tensor([0.0], shape: [1]), path: choice.dataPath ?? "",
        name: data.targetName)
      let target = try data.target(
        for: loss, outputs: outputs(over: data), outputName: choice.output)
      let loss = loss.ignoringLabels(of: target)
      arrays.append(target)
      definition = LossDefinition(
        parameters: definitions, model: forward, loss: { loss.apply($0, $1[$1.count - 1]) },
        penalty: penalty, distribution: loss.distribution(outputType, ofBatch(target.type)))
    } else {
      definition = LossDefinition(parameters: definitions) { values, data in
        let loss = forward(values, data).reshaped(.scalar)
        return penalty.map { loss + $0(values) } ?? loss
      }
    }
    definition.couplesSamples = choice.loss == nil || data.sampleCount == nil
    definition.fixedBatch = definition.couplesSamples ? nil : fixedBatch
    return (definition, arrays)
  }

  /// The outputs' type over all samples.
  private func outputs(over data: ModelData) -> TensorType {
    var outputs = outputType
    if let samples = data.sampleCount, fixedBatch != nil, outputs.shape.rank > 0 {
      outputs.shape[0] = samples
    }
    return outputs
  }

  /// A target's type over one batch.
  private func ofBatch(_ type: TensorType) -> TensorType { Self.ofBatch(type, fixedBatch) }

  private static func ofBatch(_ type: TensorType, _ fixedBatch: Int?) -> TensorType {
    var type = type
    if let fixedBatch, type.shape.rank > 0 { type.shape[0] = fixedBatch }
    return type
  }

  /// Weights have two axes or more; of the others, those that exporters do not call biases scale.
  private static func role(_ name: String, _ shape: Shape) -> LossDefinition.Parameter.Role {
    if shape.rank >= 2 { return .weight }
    let scales = ["weight", "scale", "gamma"]
    return scales.contains(where: name.lowercased().hasSuffix) ? .normScale : .bias
  }
}
