import ArgumentParser
import Diagnosis
import Presentation
import Training

/// The options that say how a model is trained.
struct CourseOptions: ParsableArguments {
  @Option(
    help: "The optimizer, or the method. (default: \(TrainingMethod().name))",
    completion: .list(TrainingMethod.names), transform: OptionValue.trainingMethod)
  var optimizer: TrainingMethod = .init()

  @Option(
    parsing: .unconditional,
    help: "The momentum of the optimizer, where it has one. (default: the optimizer's own)")
  var momentum: Double?

  @Option(
    parsing: .unconditional,
    help: "The first coefficient of Adam and its kin. (default: the optimizer's own)")
  var beta1: Double?

  @Option(
    parsing: .unconditional,
    help: "The second coefficient of Adam and its kin. (default: the optimizer's own)")
  var beta2: Double?

  @Option(
    help: """
      A method that takes over from the optimizer once the gradient is clear of noise and progress stalls, and \
      lowers the loss alone, without weight decay, clipping and --rate.
      """,
    completion: .list(MethodCatalogue.all.map(\.name)),
    transform: { try OptionValue.setting($0) as CatalogueSetting<MethodCatalogue> })
  var then: CatalogueSetting<MethodCatalogue>?

  @Option(
    name: .customLong("switch"),
    help: ArgumentHelp(
      """
      When --then takes over, as \(SwitchCatalogue.standard):patience=3 or \
      \(SwitchCatalogue.standard):latest=500. (numbers: \(Self.numbers(of: SwitchCriterion.entry)))
      """, valueName: "criterion"),
    completion: .list(SwitchCatalogue.all.map(\.name)),
    transform: { try OptionValue.setting($0) as CatalogueSetting<SwitchCatalogue> })
  var switching: CatalogueSetting<SwitchCatalogue> = .init()

  @Option(
    name: .customLong("lr"), parsing: .unconditional,
    help: ArgumentHelp(
      """
      The learning rate, a number or auto. A schedule that measures needs none, and takes none above it. (default \
      of a method: 1)
      """, valueName: "rate"),
    transform: OptionValue.rate)
  var rate: RateChoice?

  @OptionGroup var common: CommonCourseOptions

  @Option(help: "Whether the samples left over at the end of a pass are a smaller batch.")
  var last: Batches.Last = .included

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Batches whose mean gradient makes one step.", valueName: "batches"))
  var accumulate: Int = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Hold each entry of the gradient within this.", valueName: "size"))
  var clipValue: Double?

  @Option(
    help: ArgumentHelp(
      """
      Parameters that do not decay, as *.bias; or biases: all but weights; or none. (default: none; of gd biases)
      """, valueName: "globs"))
  var noDecay: String?

  @Option(
    name: .customLong("rate"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Another rate for some parameters, as 'layer1.*=0.1x' or 'head.*=1e-3'; may be repeated.",
      valueName: "globs=rate"),
    transform: OptionValue.groupRate)
  var groupRates: [RuleSetup.GroupRate] = []

  @Option(
    help: ArgumentHelp(
      "A factor of the rate for each entry of a parameter, by its name: NPZ or safetensors.",
      valueName: "file"))
  var rateFile: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Evaluations without a lower held-out loss, after which the best parameters are taken.",
      valueName: "evaluations"))
  var patience: Int?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("What is measured on the way; may be repeated.", valueName: "tracker"),
    completion: .list(TrackerCatalogue.all.map(\.name)),
    transform: { try OptionValue.setting($0) as TrackerSetting })
  var track: [TrackerSetting] = []

  @Option(name: .customLong("guard"), help: "What an alarm does: a rate over its limit and growth.")
  var guarding: GuardAction = .off

  /// The numbers of an entry with their defaults and what they do.
  private static func numbers<Kind: Catalogue>(of entry: CatalogueEntry<Kind>) -> String {
    entry.hyperparameters
      .map { "\($0.name)=\(Wording.number($0.standard)), \($0.meaning)" }.joined(separator: "; ")
  }

  func validate() throws {
    guard common.batch != nil || (accumulate == 1 && common.sampling == nil && last == .included)
    else {
      throw ValidationError("--accumulate, --sampling and --last are of batches; add --batch.")
    }
    _ = try method()
  }

  /// The optimizer with the numbers that have options of their own.
  private func method() throws -> TrainingMethod {
    var values = optimizer.hyperparameters
    for (name, value) in [("momentum", momentum), ("beta1", beta1), ("beta2", beta2)] {
      guard let value else { continue }
      guard values[name] != nil else {
        let others = OptimizerCatalogue.names(having: name)
        throw ValidationError(
          "The optimizer \(optimizer.name) has no --\(name); leave it out, or choose \(others).")
      }
      let usual = (try? TrainingMethod(optimizer.name))?.hyperparameters[name]
      if let other = values[name], other != usual {
        try OptionValue.checkAgrees(value, "--\(name)", optimizer.name, with: (name, other))
      }
      values[name] = value
    }
    do { return try TrainingMethod(optimizer.name, values) } catch let error as CatalogueError {
      throw ValidationError("\(error)")
    }
  }

  func set(_ request: inout TrainingRequest) {
    // What cannot be was refused.
    request.optimizer = (try? method()) ?? optimizer
    request.then = then
    request.switching = switching
    request.rate = rate
    request.schedule = common.schedule
    request.warmUp = common.warmUp
    request.batches = common.batch.map {
      var batches = BatchSetup(size: $0)
      batches.sampling = common.sampling ?? batches.sampling
      (batches.last, batches.accumulation) = (last, accumulate)
      return batches
    }
    request.epochs = common.epochs
    request.steps = common.steps
    common.set(&request.rules)
    request.rules.clipValue = clipValue
    request.rules.undecayed = noDecay
    request.rules.rates = groupRates
    request.rules.rateFile = rateFile
    request.heldOut = common.heldOut
    request.patience = patience
    request.trackers = track
    request.guarding = guarding
  }
}

/// The options that say what a training run leaves.
struct TrainingFileOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Keep checkpoints in a folder of its own.", valueName: "folder"))
  var checkpoint: String?

  @Option(parsing: .unconditional, help: "How many checkpoints are kept. (default: 3)")
  var keepCheckpoints: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Steps between two checkpoints. (default: a pass, or a hundredth of the run if that is more)",
      valueName: "steps"))
  var checkpointEvery: Int?

  @Flag(help: "Go on from the newest checkpoint, as if the run had not been stopped.")
  var resume = false

  @Option(
    help: ArgumentHelp(
      "Log to a folder: events.jsonl, and event files of TensorBoard.", valueName: "folder"))
  var log: String?

  @Option(
    help: ArgumentHelp(
      "Write the parameters at the end: .safetensors, or the model as .onnx.", valueName: "path"))
  var save: String?

  @Flag(help: "Say on standard error when a checkpoint is written, and every alarm.")
  var verbose = false

  @OptionGroup var result: ResultOptions

  func validate() throws {
    guard checkpoint != nil || keepCheckpoints == nil else {
      throw ValidationError("--keep-checkpoints is of checkpoints; add --checkpoint FOLDER.")
    }
  }

  var files: TrainingFiles {
    var files = TrainingFiles()
    files.checkpoints = checkpoint
    files.kept = keepCheckpoints ?? files.kept
    files.checkpointPeriod = checkpointEvery
    files.resumes = resume
    files.log = log
    files.saved = save
    return files
  }
}

extension Batches.Sampling: ExpressibleByArgument {}
extension Batches.Last: ExpressibleByArgument {}
extension GuardAction: ExpressibleByArgument {}

extension OptionValue {
  package static func trainingMethod(_ text: String) throws -> TrainingMethod {
    let (name, values) = try nameAndNumbers(text)
    return try catalogued { try TrainingMethod(name, values) }
  }

  static func setting<Kind: Catalogue>(_ text: String) throws -> CatalogueSetting<Kind> {
    let (name, values) = try nameAndNumbers(text)
    return try catalogued { try CatalogueSetting(name, values) }
  }

  private static func catalogued<R>(_ make: () throws -> R) throws -> R {
    do { return try make() } catch let error as CatalogueError {
      throw ValidationError("\(error)")
    }
  }

  static func rate(_ text: String) throws -> RateChoice {
    if text == "auto" { return .automatic }
    guard let rate = Double(text) else {
      throw ValidationError(
        "The learning rate --lr is '\(Printable.line(text))', but it must be a number above 0, or auto."
      )
    }
    return .number(rate)
  }

  static func groupRate(_ text: String) throws -> RuleSetup.GroupRate {
    guard let place = text.lastIndex(of: "="), place > text.startIndex else {
      throw noGroupRate(text)
    }
    let (parameters, value) = (String(text[..<place]), text[text.index(after: place)...])
    guard value.hasSuffix("x") else {
      guard let rate = Double(value), rate.isFinite else { throw noGroupRate(text) }
      return RuleSetup.GroupRate(parameters: parameters, rate: rate)
    }
    guard let factor = Double(value.dropLast()), factor.isFinite else { throw noGroupRate(text) }
    return RuleSetup.GroupRate(parameters: parameters, factor: factor)
  }

  private static func noGroupRate(_ text: String) -> ValidationError {
    ValidationError(
      "--rate takes parameters with a factor of the rate, such as 'layer1.*=0.1x', or with a rate of their "
        + "own, such as 'head.*=1e-3', not '\(Printable.line(text))'.")
  }

  static func heldOut(_ text: String) throws -> HeldOutSetup {
    Double(text).map { .share($0) } ?? .file(text)
  }
}
