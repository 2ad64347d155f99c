import ArgumentParser
import Diagnosis
import Foundation
import TensorPrograms
import Training

/// `eigenstep diagnose FILE.csv --target COLUMN` or `diagnose FILE.onnx --data FILE --loss NAME`.
struct DiagnoseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diagnose",
    abstract: "Measure the curvature of a model's loss, and run the remedies.",
    version: Eigenstep.version)

  @OptionGroup var problem: ProblemOptions

  @Option(
    parsing: .unconditional,
    help:
      "Samples of a training step, those before --at too: tells their limit and noise. (default: all)"
  )
  var batch: Int?

  @Option(help: "How the samples of a batch are drawn. (default: shuffle)")
  var sampling: Batches.Sampling?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Decoupled weight decay. Adam with it is AdamW; of plain gradient descent it is the penalty --l2, which leaves \
      biases alone. (default: the optimizer's)
      """,
      valueName: "decay"))
  var weightDecay: Double?

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

  @OptionGroup var result: ResultOptions

  /// The hyperparameter's name in the catalogue.
  private static let decay = "weight-decay"
  /// Optimizers that another one is with decay; of plain descent it is a penalty, in the same range.
  private static let formWithDecay = ["adam": "adamw", GradientDescent.entry.name: "adamw"]

  func validate() throws {
    try problem.givenRate?.checkIsNumber()
    if let weightDecay {
      let name = problem.optimizer.name
      let entry = OptimizerCatalogue.named(Self.formWithDecay[name] ?? name)
      guard let known = entry?.hyperparameters.first(where: { $0.name == Self.decay }) else {
        let others = OptimizerCatalogue.names(having: Self.decay)
        throw ValidationError(
          "What weight decay changes of \(name) a diagnosis does not know: "
            + (others.isEmpty ? "" : "take \(others), or ") + "penalise the weights with --l2.")
      }
      try OptionValue.check(
        weightDecay, "--weight-decay", "\(known.range)", known.range.contains)
    }
    if let sampling, batch == nil {
      throw ValidationError(
        "--sampling \(sampling.rawValue) draws mini-batches; add --batch N, or leave it out.")
    }
    try OptionValue.checking {
      try request.trials.check()
      try request.training.check()
    }
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
    if let weightDecay {
      let chosen = request.training.optimizer
      if chosen.name == GradientDescent.entry.name {
        request.problem.l2 += weightDecay
      } else {
        request.training.optimizer = Self.optimizer(chosen, decay: weightDecay)
      }
    }
    request.training.batch = batch
    request.training.sampling = sampling
    request.resources = problem.resources
    request.resources.effort = effort
    request.trials.tolerance = tolerance
    request.trials.maxIterations = maxIterations
    request.trials.areRun = !noTrials
    return request
  }

  /// The optimizer's own decay, or that of its form which has one, with what else was set of it as far as that
  /// form knows it.
  private static func optimizer(_ chosen: OptimizerSetting, decay: Double) -> OptimizerSetting {
    let name = formWithDecay[chosen.name] ?? chosen.name
    let known = OptimizerCatalogue.named(name)?.hyperparameters.map(\.name) ?? []
    let kept = chosen.hyperparameters.filter { known.contains($0.key) }
    // What is out of range was refused.
    return (try? OptimizerSetting(name, kept.merging([Self.decay: decay]) { $1 })) ?? chosen
  }

  func run() throws {
    try reporting {
      if try problem.modelFile.listed(problem.file) { return .done }
      try RunFiles(
        request.problem, outputs: [("--json", result.json), ("--profile", problem.profile)]
      ).check()
      return try Run(json: result.json, profile: problem.profile).diagnose(request)
    }
  }
}
