import Curvature
import Diagnosis
import OnnxBackend
import Presentation
import TensorPrograms

/// What a request makes of a model file: its loss, the output that this is of, the parameters that training
/// may move, and the inputs that data are needed for.
struct ModelFileChoice {
  let options: ModelFileRequest
  let model: OnnxModel
  /// Nil where the output depends on no input, and its loss on no target.
  let dataPath: String?
  /// Nil where the model computes its own.
  let loss: ModelLoss?
  let output: String
  /// Those that the output depends on, by the model's nodes.
  let parameters: ModelParameters
  let inputs: [OnnxModel.Input]

  /// What was decided where the request says nothing.
  let readings: [Reading]

  /// Reads the model; of the data, nothing.
  init(_ given: ModelFileRequest, element: ElementType?) throws {
    var options = given
    let path = options.file
    model = try OnnxModel(contentsOf: path, element: element, isUniform: true)
    output = try DiagnosisProblem.output(of: model, options)
    inputs = model.inputs(for: output)
    var readings: [Reading] = []
    if options.loss == nil, options.lossOutput == nil, model.isNumber(output) {
      options.lossOutput = output
      options.output = nil
      readings.append(
        Reading(
          "output-as-loss",
          "The output '\(Printable.line(output))' is a single number, and no --loss was given: it is taken "
            + "for the loss itself.", names: [output]))
    }
    self.options = options
    self.readings = readings
    loss = try Self.loss(options)
    guard loss == nil || !inputs.isEmpty else {
      throw DiagnosisFailure(
        .badData,
        "The output '\(output)' of \(path) depends on no input; choose another "
          + "\(option: .output), or if it is a loss, \(option: .lossOutput, output).")
    }
    guard options.data != nil || (loss == nil && inputs.isEmpty) else {
      throw DiagnosisFailure(
        .usage,
        "\(path) is a model, which needs data: add \(option: .data, "FILE") (NPZ, NPY, "
          + "safetensors or CSV) with \(ModelData.list(inputs.map(\.name)))"
          + (loss == nil ? "." : " and '\(options.target)'."))
    }
    dataPath = options.data
    parameters = try ModelParameters(
      of: model, outputs: [output], parameters: options.parameters, frozen: options.frozen)
    // Those that are named in full count, whatever they look like.
    guard try !parameters.names.isEmpty || !model.parameters(for: [output]).isEmpty else {
      throw Self.noGradient(output, path)
    }
    guard !parameters.names.isEmpty else {
      throw DiagnosisFailure(
        .badData,
        "No parameters are left of \(path): \(option: .listing) says why each stored "
          + "tensor is none.")
    }
  }

  private static func loss(_ options: ModelFileRequest) throws -> ModelLoss? {
    let known = ModelLoss.all.map(\.name)
    if options.lossOutput != nil {
      guard options.loss == nil, options.output == nil else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .lossOutput) names a loss that the model computes itself; leave "
            + "\(option: .loss) and \(option: .output) out."
        )
      }
      return nil
    }
    guard let name = options.loss else {
      throw DiagnosisFailure(
        .usage,
        "A model needs a loss: add \(option: .loss) with one of "
          + "\(known.joined(separator: ", ")), or \(option: .lossOutput, "NAME") if the "
          + "model computes its own.")
    }
    guard let loss = ModelLoss.named(name) else {
      throw DiagnosisFailure(
        .usage, "There is no loss '\(name)': choose one of \(known.joined(separator: ", ")).")
    }
    return loss
  }

  static func noGradient(_ output: String, _ path: String) -> DiagnosisFailure {
    DiagnosisFailure(
      .badData,
      "There is no gradient: the output '\(output)' of \(path) depends on no parameter through "
        + "floating-point operations; choose another output.")
  }
}

extension DiagnosisProblem {
  /// The output that a diagnosis with these options is of.
  package static func output(
    of model: OnnxModel, _ options: ModelFileRequest
  ) throws -> String {
    let wanted = options.lossOutput ?? options.output
    guard let name = wanted ?? model.scoreOutput?.name else {
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

extension OnnxModel {
  /// The inputs that an output depends on.
  fileprivate func inputs(for output: String) -> [Input] {
    let names = names(neededFor: [output])
    return inputs.filter { names.contains($0.name) }
  }
}
