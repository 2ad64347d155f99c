import ArgumentParser
import Diagnosis
import Foundation
import TensorPrograms

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
    help: """
      Steps after which a run is given up. (default: 20000 times --effort, 200000 at most; fewer where steps \
      take long or others have won)
      """)
  var maxIterations: Int?

  @Option(
    parsing: .unconditional,
    help: """
      How much work to spend: 1 takes seconds, for a large model less than a minute, on two cores; from 10 \
      on every trial runs to its end.
      """)
  var effort: Double = 1

  @Flag(name: .customLong("no-trials"), help: "Predict only; run no remedies.")
  var noTrials = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the result as JSON to a file, or - for standard output alone.", valueName: "path"))
  var json: String?

  func validate() throws {
    try problem.givenRate?.checkIsNumber()
    try OptionValue.checking { try request.trials.check() }
    if problem.modelFile.parameters != nil, !problem.isModel {
      throw ValidationError(
        "--parameters is for model files (ONNX), and \(problem.file) is a table; leave it out.")
    }
    try OptionValue.check(effort, "--effort", "a number above 0") { $0 > 0 }
  }

  /// The options as the engine takes them.
  var request: DiagnosisRequest {
    var request = DiagnosisRequest(problem.source)
    request.training = problem.training
    request.resources = problem.resources
    request.resources.effort = effort
    request.trials.tolerance = tolerance
    request.trials.maxIterations = maxIterations
    request.trials.areRun = !noTrials
    return request
  }

  func run() throws {
    try reporting {
      if try problem.modelFile.listed(problem.file) { return .done }
      try RunFiles(
        request.problem, outputs: [("--json", json), ("--profile", problem.profile)]
      ).check()
      return try Run(json: json, profile: problem.profile).diagnose(request)
    }
  }
}
