import ArgumentParser
import Diagnosis
import Foundation

/// `eigenstep diagnose FILE.csv --target COLUMN` or `diagnose FILE.onnx --data FILE --loss NAME`.
struct DiagnoseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diagnose",
    abstract: "Measure the curvature of a model's loss, and run the remedies.",
    version: Eigenstep.version)

  @OptionGroup var problem: ProblemOptions

  @Option(
    parsing: .unconditional, help: "The relative loss gap at which a run counts as finished.")
  var tolerance: Double = 1e-6

  @Option(
    parsing: .unconditional,
    help: "Steps after which a run is given up. (default: 200000, fewer where steps take long)")
  var maxIterations: Int?

  @Flag(name: .customLong("no-trials"), help: "Predict only; run no remedies.")
  var noTrials = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the result as JSON to a file, or - for standard output alone.", valueName: "path"))
  var json: String?

  func validate() throws {
    try OptionValue.check(tolerance, "--tolerance", "between 0 and 1") { $0 > 0 && $0 < 1 }
    if problem.modelFile.parameters != nil, !problem.isModel {
      throw ValidationError(
        "--parameters is for model files (ONNX), and \(problem.file) is a table; leave it out.")
    }
    if let maxIterations { try OptionValue.check(maxIterations, "--max-iterations", atLeast: 1) }
  }

  /// The options as the engine takes them.
  var request: DiagnosisRequest {
    var request = problem.request
    request.tolerance = tolerance
    request.maxIterations = maxIterations
    request.trials = !noTrials
    return request
  }

  func run() throws {
    try reporting {
      if try problem.modelFile.listed(request) { return .done }
      try problem.modelFile.saveParameters.map(JSONDestination.file)?.probe()
      let interruption = Interruption()
      let line = ProgressLine()
      defer { line.clear() }
      return try DiagnoseSession(
        request: request, json: json.map(JSONDestination.init), style: StandardOutput.style,
        run: Engine.run, progress: { line.show($0) }, finished: { line.clear() },
        isCancelled: { interruption.isRaised }, print: StandardOutput.write
      ).perform()
    }
  }
}
