import ArgumentParser
import Diagnosis
import Presentation
import Training

/// `eigenstep train FILE.csv --target COLUMN --lr 0.1 --epochs 20`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a model, with its curvature in view.",
    discussion: """
      Optimizers: \(Self.list(OptimizerCatalogue.all.map(Self.called))).
      Methods of all samples: \(Self.list(MethodCatalogue.all.map(\.name))).
      Schedules: \(Self.list(ScheduleCatalogue.all.map(Self.called))).
      Trackers: \(Self.list(TrackerCatalogue.all.map(\.name))).
      A number of one of them follows its name, as adamw:beta2=0.99,epsilon=1e-6 or sharpness:period=50; \
      `eigenstep settings` lists what each of them has.

      Ends with 0 when it is done, and with 1 where the loss is no number any more, is above that of \
      the start, or an alarm stopped it.
      """,
    version: Eigenstep.version)

  @OptionGroup var source: SourceOptions
  @OptionGroup(title: "How it is trained") var course: CourseOptions
  @OptionGroup(title: "What it leaves") var files: TrainingFileOptions

  func validate() throws {
    guard source.modelFile.saveParameters == nil else {
      throw ValidationError("--save-parameters is of a diagnosis; use --save.")
    }
    // What only lists needs no steps and no rate.
    guard !source.modelFile.listParameters else { return }
    try OptionValue.checking { try request.check() }
  }

  private static func list(_ names: [String]) -> String {
    names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  private static func called<Kind>(_ entry: CatalogueEntry<Kind>) -> String {
    entry.name + (entry.aliases.isEmpty ? "" : " (\(entry.aliases.joined(separator: ", ")))")
  }

  /// The options as the engine takes them.
  var request: TrainingRequest {
    var request = TrainingRequest(source.source)
    request.resources = source.resources
    course.set(&request)
    request.files = files.files
    return request
  }

  func run() throws {
    try reporting {
      if try source.modelFile.listed(source.file) { return .done }
      try RunFiles(
        training: request, outputs: [("--json", files.result.json), ("--profile", source.profile)]
      ).check()
      return try Run(json: files.result.json, profile: source.profile)
        .train(request, isVerbose: files.verbose)
    }
  }
}
