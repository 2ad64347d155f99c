import ArgumentParser
import Curvature
import Diagnosis
import Problems
import OnnxBackend

/// The options that only a model file takes.
struct ModelFileArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The model's inputs and target, by name: NPZ, NPY, safetensors or CSV.", valueName: "file"))
  var data: String?

  @Option(
    help: ArgumentHelp(
      "The output that the loss is of. (default: the first that holds no labels)",
      valueName: "name"))
  var output: String?

  @Option(
    help: ArgumentHelp("The output that is the loss itself, a single number.", valueName: "name"))
  var lossOutput: String?

  @Option(
    help: ArgumentHelp(
      "Only these parameters, as layer2.* or *.bias; several between commas.", valueName: "globs"))
  var parameters: String?

  @Option(
    help: ArgumentHelp("Parameters that stay as they are, likewise.", valueName: "globs"))
  var freeze: String?

  @Flag(help: "Print the parameters, and why other stored tensors are none; then exit.")
  var listParameters = false

  @Option(parsing: .unconditional, help: "Only the first so many samples.")
  var samples: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The output's axis of samples, as 1 of [time, batch, classes]. (default: the first, or the one "
        + "that the file names so)", valueName: "axis"))
  var batchAxis: Int?

  @Flag(help: "BatchNormalization and Dropout act as while training.")
  var training = false

  @Flag(help: "Take probabilities for logits, as training with that mistake does.")
  var asLogits = false

  @Option(
    help: ArgumentHelp(
      "Write the parameters at the point of diagnosis: .safetensors, or the model as .onnx; of train, --save.",
      valueName: "path"))
  var saveParameters: String?

  /// Each option's name, and whether it was given; `--parameters` also goes with a table's spectrum.
  var used: [(name: String, isUsed: Bool)] {
    [
      ("--data", data != nil), ("--output", output != nil), ("--loss-output", lossOutput != nil),
      ("--freeze", freeze != nil), ("--list-parameters", listParameters),
      ("--samples", samples != nil), ("--batch-axis", batchAxis != nil), ("--training", training),
      ("--as-logits", asLogits),
      ("--save-parameters", saveParameters != nil),
    ]
  }

  func check() throws {
    if let samples { try OptionValue.check(samples, "--samples", atLeast: 1) }
    if let batchAxis { try OptionValue.check(batchAxis, "--batch-axis", atLeast: 0) }
    if let path = saveParameters?.lowercased(),
      !path.hasSuffix(".safetensors"), !path.hasSuffix(".onnx")
    {
      throw ValidationError(
        "--save-parameters \(saveParameters!) must end in .safetensors or .onnx.")
    }
  }

  func source(
    _ file: String, target: String?, loss: String?, l2: Double
  ) -> ModelFileRequest {
    var source = ModelFileRequest(file: file)
    source.data = data
    source.target = target ?? "target"
    source.loss = loss
    source.output = output
    source.lossOutput = lossOutput
    source.parameters = parameters
    source.frozen = freeze
    source.samples = samples
    source.batchAxis = batchAxis
    source.training = training
    source.asLogits = asLogits
    source.saved = saveParameters
    source.l2 = l2
    return source
  }

  /// Prints the stored tensors of a model where that was asked for.
  ///
  /// - Returns: whether it was.
  func listed(_ file: String) throws -> Bool {
    guard listParameters else { return false }
    try ProblemSource.checkFile(file)
    let model = try OnnxModel(contentsOf: file)
    let output = try DiagnosisProblem.output(
      of: model, source(file, target: nil, loss: nil, l2: 0))
    StandardOutput.write(
      try ModelParameters(
        of: model, outputs: [output], parameters: parameters, frozen: freeze
      ).text(.flags))
    return true
  }
}

/// The name of a loss, as `--loss` takes it.
struct LossName: ExpressibleByArgument, Equatable {
  let name: String

  /// Any text: an unknown name is refused in a sentence later.
  init?(argument: String) { name = argument }

  static var allValueStrings: [String] {
    let table = ModelLoss.tabular.map(\.name)
    return table + ModelLoss.all.map(\.name).filter { !table.contains($0) }
  }
}
