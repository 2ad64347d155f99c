import ArgumentParser
import Curvature
import Diagnosis
import Foundation
import Problems
import OnnxBackend
import Presentation

/// The options that name a table or a model file, what runs it and on what of the machine: the same for every
/// command.
struct SourceOptions: ParsableArguments {
  @Argument(
    help: "A table (CSV with a header) or a model (ONNX); - for a table from standard input.",
    completion: .file(extensions: ["csv", "onnx"]),
    transform: { $0 == "-" ? "/dev/stdin" : $0 })
  var file: String

  @Option(
    help: """
      The column to predict; of a model's data, the array. (default: the one named target)
      """)
  var target: String?

  @OptionGroup(title: "For a model file") var modelFile: ModelFileArguments

  @Option(
    help: "The columns to predict it from, between commas. (default: all others)",
    transform: OptionValue.names)
  var features: [String]?

  @Option(help: "Columns to leave out, such as identifiers.", transform: OptionValue.names)
  var drop: [String]?

  @Option(
    help:
      "Columns to use that would be left out: identifiers, dates, text of many words, columns that miss many values.",
    transform: OptionValue.names)
  var keep: [String]?

  @Option(
    help: ArgumentHelp(
      "linear, logistic (one logit of two classes), softmax, or mlp:64,64:tanh (or relu, gelu). "
        + "(default: linear or softmax, from the target)", valueName: "model"),
    transform: OptionValue.model)
  var model: ModelChoice?

  @Option(
    help:
      "The loss; a table takes the first four, binary with the model logistic or a network of two classes. (default of a table: half-squared-error for numbers, cross-entropy for classes)"
  )
  var loss: LossName?

  @Flag(help: "Leave the biases of a table's model out, all of a network's too.")
  var noIntercept = false

  @Option(
    help: "Average the losses of a table's rows, or add them up; --l2 counts once either way.")
  var reduction: LossReduction = .mean

  @Option(parsing: .unconditional, help: "Add c/2 ||w||^2 to the loss, biases excluded.")
  var l2: Double = 0

  @Option(parsing: .unconditional, help: "The seed of everything random.")
  var seed: Int = 0

  @Option(
    help:
      "The arithmetic. (default: float64 for linear, logistic and softmax and models in it, else float32)"
  )
  var precision: PrecisionChoice?

  @Option(help: "Who runs the model.")
  var executor: ExecutorChoice = .automatic

  @Option(
    parsing: .unconditional, help: "Memory for Hessian products. (default: 2GiB)",
    transform: OptionValue.bytes)
  var memory: Int = 2 << 30

  @Option(parsing: .unconditional, help: "Threads. (default: all cores)")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Write to a file, as JSON, where the time of the model's runs went.", valueName: "path"))
  var profile: String?

  @Option(
    help: """
      What to do with missing cells: leave their rows out, or columns that are mostly missing, and say so; \
      fill in the column's mean; or refuse, identifiers and stray words among numbers too.
      """)
  var missing: MissingValues = .leaveOut

  @Flag(
    help: """
      Subtract each column's mean and divide by its standard deviation, those of the rows that are trained on.
      """)
  var standardise = false

  func validate() throws {
    try checkKind()
    if let threads { try OptionValue.checkThreads(threads) }
    if profile == "-" { throw ValidationError("--profile - is no file; give a path.") }
    if profile != nil, executor == .reference {
      throw ValidationError(
        "--profile times ONNX Runtime's kernels; leave --executor reference out.")
    }
    if let features, let target, features.contains(target) {
      throw ValidationError("The target '\(target)' cannot be a feature too; take it out of one.")
    }
    if let drop, let target, drop.contains(target) {
      throw ValidationError("The target '\(target)' cannot be dropped; take it out of --drop.")
    }
    try OptionValue.checking {
      try source.check()
      try resources.check()
    }
    if !isModel, let complaint = TableRequest.mismatch(model, tableLoss) {
      throw ValidationError(complaint.text(.flags))
    }
  }

  /// The table or the model file, as a request names it.
  var source: ProblemSource {
    if isModel { return .model(modelFile.source(file, target: target, loss: loss?.name, l2: l2)) }
    var table = TableRequest(file: file, target: target ?? "target")
    table.features = features ?? []
    table.dropped = drop ?? []
    table.kept = keep ?? []
    table.model = model
    table.loss = tableLoss
    table.intercept = !noIntercept
    table.reduction = reduction
    table.missing = missing
    table.standardised = standardise
    table.l2 = l2
    return .table(table)
  }

  var resources: Resources {
    var resources = Resources()
    resources.executor = executor
    resources.precision = precision
    resources.memory = memory
    resources.threads = threads
    resources.seed = seed
    resources.isProfiled = profile != nil
    return resources
  }

  /// Whether the file is a model, by its name or its first bytes.
  var isModel: Bool {
    if file.lowercased().hasSuffix(".onnx") { return true }
    guard !file.lowercased().hasSuffix(".csv") else { return false }
    // A model begins with its version of the format; a pipe is left alone, it can be read once only.
    let attributes = try? FileManager.default.attributesOfItem(atPath: file)
    guard attributes?[.type] as? FileAttributeType == .typeRegular,
      let handle = FileHandle(forReadingAtPath: file)
    else { return false }
    let start = (try? handle.read(upToCount: 2)) ?? Data()
    return start.count == 2 && start[0] == 8 && (1...30).contains(start[1])
  }

  private var tableLoss: String? { isModel ? nil : loss?.name }

  /// Refuses what only goes with the other kind of file.
  private func checkKind() throws {
    let foreign = [".pt", ".pth", ".pkl", ".keras", ".h5", ".pb", ".tflite", ".joblib"]
    if foreign.contains(where: file.lowercased().hasSuffix) {
      throw ValidationError(
        "\(file) is neither a table nor an ONNX model; export the model to ONNX (in PyTorch: "
          + "torch.onnx.export).")
    }
    let used: [(name: String, isUsed: Bool)] =
      isModel
      ? [
        ("--features", features != nil), ("--drop", drop != nil), ("--keep", keep != nil),
        ("--model", model != nil),
        ("--missing", missing != .leaveOut), ("--no-intercept", noIntercept),
        ("--reduction", reduction != .mean),
      ] : modelFile.used
    if isModel, standardise {
      throw ValidationError(
        "--standardise is for tables, and \(file) is a model; in the file of --data subtract each input's mean "
          + "and divide by its standard deviation, those of the samples that are trained on.")
    }
    if let option = used.first(where: \.isUsed) {
      throw ValidationError(
        isModel
          ? "\(option.name) is for tables, and \(file) is a model; leave it out."
          : "\(option.name) is for model files (ONNX), and \(file) is a table; leave it out.")
    }
    if let loss, !LossName.allValueStrings.contains(loss.name) {
      throw ValidationError(
        "There is no loss '\(loss.name)': choose one of "
          + "\(LossName.allValueStrings.joined(separator: ", ")).")
    }
    if isModel {
      try modelFile.check()
    } else {
      if let loss, !ModelLoss.tabular.contains(where: { $0.name == loss.name }) {
        throw ValidationError(
          "A table has no --loss \(loss.name): choose one of "
            + "\(Wording.list(ModelLoss.tabular.map(\.name))).")
      }
    }
  }
}
