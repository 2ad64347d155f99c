import Curvature
import Diagnosis
import Foundation
import OnnxBackend
import Presentation
import TensorFiles
import TensorPrograms

extension DiagnosisProblem {
  /// A model file with its data and loss.
  ///
  /// - Parameters:
  ///   - element: the arithmetic; the file's floating-point numbers are rounded or widened to it.
  ///   - seed: of Dropout, where `options.training`.
  ///   - memory: bytes that the data may take, and any one tensor of a run over as few samples as can be.
  /// - Throws: `OnnxModelError`, `ArrayFileError`, `TableError`, `DiagnosisFailure`: each one sentence with
  ///   the offending name and the next step.
  public init(
    _ options: ModelFileRequest, element: ElementType = .float32, seed: Int = 0,
    memory: Int = 2 << 30
  ) throws {
    let (path, l2) = (options.file, options.l2)
    let model = try OnnxModel(contentsOf: path, element: element)
    guard let dataPath = options.data else {
      throw DiagnosisFailure(
        .usage,
        "\(path) is a model, which needs data: add --data FILE (NPZ, NPY, safetensors or CSV) with "
          + "\(ModelData.list(model.inputs.map(\.name))) and '\(options.target)'.")
    }
    let loss = try Self.loss(options)
    let output = try Self.output(of: model, options)
    var parameters = try ModelParameters(
      of: model, outputs: [output], parameters: options.parameters, frozen: options.frozen)
    guard try !model.parameters(for: [output]).isEmpty else { throw Self.noGradient(output, path) }
    guard !parameters.names.isEmpty else {
      throw DiagnosisFailure(
        .badData,
        "No parameters are left of \(path): --list-parameters says why each stored tensor is none.")
    }
    let inputs = model.inputs(for: output)
    guard loss == nil || !inputs.isEmpty else {
      throw DiagnosisFailure(
        .badData, "The output '\(output)' of \(path) depends on no input; choose another --output.")
    }
    var data = try ModelData(for: model, inputs: inputs, from: dataPath, options: options)

    let run = ModelRun(
      model: model, output: output, inputs: inputs.map(\.name), training: options.training,
      seed: UInt64(bitPattern: Int64(seed)))
    let fixed = try data.fixedBatch(of: inputs, path: dataPath)
    let count = fixed ?? data.sampleCount
    // The model's output as a program of the parameters, then the inputs.
    let parameterTypes = parameters.entries.filter { $0.reason == nil }.map(\.type)
    let allNames = parameters.names
    func traced(samples: Int?) throws -> Program {
      let inputTypes = data.inputTypes.map { type in
        var type = type
        if let samples { type.shape[0] = samples }
        return type
      }
      return try Program.trace(parameterTypes + inputTypes) {
        [
          try run(
            allNames, Array($0.prefix(parameterTypes.count)),
            Array($0.dropFirst(parameterTypes.count)))
        ]
      }
    }
    let program = try traced(samples: fixed == nil ? nil : count)
    let outputType = program.outputTypes[0]
    guard outputType.element.isFloating else {
      throw DiagnosisFailure(
        .badData,
        "The output '\(output)' is \(outputType), which has no derivative; choose another of "
          + "\(ModelData.list(model.outputs)) with \(loss == nil ? "--loss-output" : "--output").")
    }
    if loss == nil, outputType.shape.count != 1 {
      throw DiagnosisFailure(
        .badData,
        "The loss '\(output)' of \(path) has the shape \(outputType.shape), but a loss is one number; "
          + "choose another --loss-output, or a --loss of --output \(output).")
    }
    // Samples can be taken one at a time, unless the loss is of all of them or a batch is fixed.
    let isDivisible = loss != nil && data.sampleCount != nil && fixed == nil
    if program.largestValue > memory,
      let least = isDivisible ? try? traced(samples: 1).largestValue : program.largestValue,
      least > memory
    {
      throw DiagnosisFailure(
        .badData,
        "\(path): a tensor that the model computes takes \(Wording.number(Double(least) / 0x1p30)) "
          + "GiB, more than the \(Wording.number(Double(memory) / 0x1p30)) GiB that --memory allows; "
          + "allow more, or change the model.")
    }
    parameters = parameters.reached(by: program)
    let names = parameters.names
    guard !names.isEmpty else { throw Self.noGradient(output, path) }
    let forward = run.function(of: names)

    let shapes = names.map { (name: $0, shape: model.initializers[$0]!.shape) }
    let definitions = shapes.map {
      LossDefinition.Parameter($0.name, $0.shape, role: Self.role($0.name, $0.shape))
    }
    if let loss, var targetType = data.targetType {
      targetType = loss.labelType(targetType, outputs: batched(outputType, data, fixed))
      if let fixed { targetType.shape[0] = fixed }
      do {
        _ = try Program.trace(outputType, targetType) { loss.apply($0, $1) }
      } catch {
        throw DiagnosisFailure(
          .badData,
          "\(dataPath): the target '\(data.targetName)' is \(targetType) and the output '\(output)' "
            + "\(outputType), which the loss \(loss.name) cannot compare; choose another --loss, "
            + "--output or --target.")
      }
    }
    // All shapes fit: only now are the numbers worth their memory.
    try data.load(memory: memory)
    var arrays = data.inputs
    var definition: LossDefinition
    if let loss {
      let target = try data.target(
        for: loss, outputs: batched(outputType, data, fixed), outputName: output)
      let loss = loss.ignoringLabels(of: target)
      arrays.append(target)
      var targetType = target.type
      if let fixed { targetType.shape[0] = fixed }
      definition = LossDefinition(
        parameters: definitions, model: forward, loss: { loss.apply($0, $1[$1.count - 1]) },
        penalty: l2 == 0 ? nil : LossDefinition.decay(l2, of: definitions),
        distribution: loss.distribution(outputType, targetType))
    } else {
      let penalty = l2 == 0 ? nil : LossDefinition.decay(l2, of: definitions)
      definition = LossDefinition(parameters: definitions) { values, data in
        let loss = forward(values, data).reshaped(.scalar)
        return penalty.map { loss + $0(values) } ?? loss
      }
      data.notes.append("The loss is the model's own output '\(output)', measured as one batch.")
    }
    definition.couplesSamples = loss == nil || data.sampleCount == nil
    definition.fixedBatch = definition.couplesSamples ? nil : fixed
    let idle = parameters.entries.filter { $0.reason == "no influence on the loss" }
    if !idle.isEmpty {
      data.notes.append(
        "Left out, since the loss does not depend on them: "
          + "\(Wording.list(idle.prefix(5).map(\.name) + (idle.count > 5 ? ["..."] : []))).")
    }
    data.notes += Self.notes(on: model, names, training: options.training)
    self.init(
      name: (path as NSString).lastPathComponent, definition: definition, data: arrays,
      start: names.flatMap { model.initializers[$0]!.doubles },
      modelName: (path as NSString).lastPathComponent, lossName: loss?.name ?? output,
      targetName: loss == nil ? nil : data.targetName, l2: l2, notes: data.notes)
    dataName = (dataPath as NSString).lastPathComponent
    if let saved = options.saved {
      atPoint = { [shapes] point in
        var offset = 0
        var values: [(name: String, tensor: Tensor)] = []
        for (name, shape) in shapes {
          let slice = Array(point[offset..<offset + shape.count])
          values.append((name, Tensor(slice, type: TensorType(element, shape))))
          offset += shape.count
        }
        if saved.lowercased().hasSuffix(".onnx") {
          let bytes = try model.settingInitializers(
            Dictionary(uniqueKeysWithValues: values.map { ($0.name, $0.tensor) }))
          try OutputFile.write(bytes, to: saved)
        } else {
          try SafetensorsFile.write(values, to: saved)
        }
      }
    }
  }

  /// Weights have two axes or more; of the others, those that exporters do not call biases scale.
  private static func role(_ name: String, _ shape: Shape) -> LossDefinition.Parameter.Role {
    if shape.rank >= 2 { return .weight }
    let scales = ["weight", "scale", "gamma"]
    return scales.contains(where: name.lowercased().hasSuffix) ? .normScale : .bias
  }

  /// What exporters do to models that changes what is diagnosed.
  private static func notes(
    on model: OnnxModel, _ parameters: [String], training: Bool
  ) -> [String] {
    var notes: [String] = []
    let merged = parameters.filter { name in
      let values = model.initializers[name]!.doubles
      return values.count > 1 && model.readerCount(of: name) > 1
        && values.allSatisfy { $0 == values[0] }
    }
    if !merged.isEmpty {
      let shown = merged.prefix(3).map(Printable.line) + (merged.count > 3 ? ["..."] : [])
      notes.append(
        "\(Wording.list(shown)): one number throughout, and read more than once. Exporters merge "
          + "equal tensors; if training has several, export without optimisation (the README says "
          + "how), or they are diagnosed as one.")
    }
    if training, !model.uses(["BatchNormalization", "Dropout"]) {
      notes.append(
        "--training changes nothing: there is no BatchNormalization or Dropout in the model, maybe "
          + "since the exporter folded them away.")
    }
    return notes
  }

  private static func noGradient(_ output: String, _ path: String) -> DiagnosisFailure {
    DiagnosisFailure(
      .badData,
      "There is no gradient: the output '\(output)' of \(path) depends on no parameter through "
        + "floating-point operations; choose another output.")
  }

  private static func loss(_ options: ModelFileRequest) throws -> ModelLoss? {
    let known = ModelLoss.all.map(\.name)
    if options.lossOutput != nil {
      guard options.loss == nil, options.output == nil else {
        throw DiagnosisFailure(
          .usage,
          "--loss-output names a loss that the model computes itself; leave --loss and --output out."
        )
      }
      return nil
    }
    guard let name = options.loss else {
      throw DiagnosisFailure(
        .usage,
        "A model needs a loss: add --loss with one of \(known.joined(separator: ", ")), or --loss-output NAME "
          + "if the model computes its own.")
    }
    guard let loss = ModelLoss.named(name) else {
      throw DiagnosisFailure(
        .usage, "There is no loss '\(name)': choose one of \(known.joined(separator: ", ")).")
    }
    return loss
  }

  /// The output that a diagnosis with these options is of.
  package static func output(
    of model: OnnxModel, _ options: ModelFileRequest
  ) throws -> String {
    let wanted = options.lossOutput ?? options.output
    guard let name = wanted ?? model.outputs.first else {
      throw DiagnosisFailure(.badData, "The model has no output.")
    }
    guard model.outputs.contains(name) else {
      throw DiagnosisFailure(
        .usage,
        "The model has no output '\(name)'; it has \(ModelData.list(model.outputs)).")
    }
    return name
  }
}

/// The outputs' type over all samples.
private func batched(_ outputs: TensorType, _ data: ModelData, _ fixed: Int?) -> TensorType {
  var outputs = outputs
  if let samples = data.sampleCount, fixed != nil, outputs.shape.rank > 0 {
    outputs.shape[0] = samples
  }
  return outputs
}

/// What a model file makes of parameters and inputs.
private struct ModelRun {
  let model: OnnxModel
  let output: String
  let inputs: [String]
  let training: Bool
  let seed: UInt64

  func callAsFunction(
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

extension ModelData {
  /// The size of the only batch that the model takes, where the data hold several of them.
  ///
  /// - Throws: `DiagnosisFailure` where they do not fill whole batches.
  func fixedBatch(of wanted: [OnnxModel.Input], path: String) throws -> Int? {
    guard let samples = sampleCount else { return nil }
    let sizes = wanted.map { input -> Int? in
      if case .fixed(let size)? = input.dimensions?.first { size } else { nil }
    }
    guard let size = sizes.first ?? nil, size > 0, sizes.allSatisfy({ $0 == size }), size != samples
    else { return nil }
    guard samples > size, samples % size == 0 else {
      throw DiagnosisFailure(
        .badData,
        "The model takes batches of \(size) samples only, but \(path) has \(samples) ("
          + zip(wanted, inputTypes).map { "'\($0.name)' is \($1.shape)" }.joined(separator: ", ")
          + (samples > size
            ? "): use --samples \(samples / size * size), or export it with a dynamic batch axis."
            : "): give at least \(size), or export it with a dynamic batch axis."))
    }
    return size
  }
}

extension OnnxModel {
  /// The inputs that an output depends on.
  fileprivate func inputs(for output: String) -> [Input] {
    let names = names(neededFor: [output])
    return inputs.filter { names.contains($0.name) }
  }
}
