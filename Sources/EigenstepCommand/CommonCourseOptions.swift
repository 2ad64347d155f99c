import ArgumentParser
import Diagnosis
import Training

/// The options that one training run and a sweep over many share.
struct CommonCourseOptions: ParsableArguments {
  @Option(
    help:
      "How the rate goes over a run; any number of it as one-cycle:rise=0.2. (default: \(ScheduleCatalogue.standard))",
    completion: .list(ScheduleCatalogue.all.map(\.name)),
    transform: { try OptionValue.setting($0) as ScheduleSetting })
  var schedule: ScheduleSetting = .init()

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Let the rate rise to the schedule's in this many steps, or up to 1 in this share of them.",
      valueName: "steps|share"))
  var warmUp: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Samples of a batch. (default: all at each step)", valueName: "samples"))
  var batch: Int?

  @Option(
    help:
      "How batches are drawn: each pass in an order of its own, or each by itself. (default: shuffle)"
  )
  var sampling: Batches.Sampling?

  @Option(
    parsing: .unconditional,
    help: "Passes over the samples. (default of a sweep: 5; on all samples 200 steps)")
  var epochs: Int?

  @Option(parsing: .unconditional, help: "Steps of a run, instead of --epochs.")
  var steps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Hold the gradient's norm within this.", valueName: "norm"))
  var clipNorm: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Decoupled weight decay; of gd it is the penalty --l2, which leaves biases alone. (default: the optimizer's)
      """,
      valueName: "decay"))
  var weightDecay: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Samples that are not trained on: a share of all, or another file.", valueName: "share|file"),
    transform: OptionValue.heldOut)
  var heldOut: HeldOutSetup?

  func set(_ rules: inout RuleSetup) {
    rules.clipNorm = clipNorm
    rules.weightDecay = weightDecay
  }
}
