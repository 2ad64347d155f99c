import ArgumentParser
import Diagnosis
import Foundation
import Presentation
import Training

/// `eigenstep sweep FILE.csv --target COLUMN --lr 1e-4:10:64`.
struct SweepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep",
    abstract: "Train at many learning rates and seeds at once, and name the rate to use.",
    discussion: """
      --lr LOWER:UPPER:COUNT names the rates, spaced evenly on a logarithmic axis, as in 1e-4:10:64.
      """,
    version: Eigenstep.version)

  @OptionGroup var problem: ProblemOptions

  @Option(
    parsing: .unconditional,
    help: "Runs of each rate, each with batches and, for a table's network, weights of its own.")
  var seeds: Int = 1

  @Option(
    parsing: .unconditional, help: "Samples of each step, shuffled in each pass. (default: all)")
  var batch: Int?

  @Option(help: "How the samples of a batch are drawn. (default: shuffle)")
  var sampling: Batches.Sampling?

  @Option(
    parsing: .unconditional, help: "Passes over the samples. (default: 5; on all samples 200 steps)"
  )
  var epochs: Int?

  @Option(parsing: .unconditional, help: "Steps of each run, instead of --epochs.")
  var steps: Int?

  @Option(help: "How the rate goes over a run; any hyperparameter of it as NAME:end=0.1.")
  var schedule: ScheduleName = .init()

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Let the rate rise to the schedule's in this many steps, or up to 1 in this share of them.",
      valueName: "steps|share"))
  var warmUp: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Hold the gradient's norm within this.", valueName: "norm"))
  var clipNorm: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Decoupled weight decay. (default: the optimizer's)", valueName: "decay"))
  var weightDecay: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Samples that are not trained on, whose loss is told beside: a share of all, or another file.",
      valueName: "share|file"),
    transform: OptionValue.heldOut)
  var heldOut: HeldOutSetup?

  @Flag(help: "Run the range test beside: one run whose rate grows from step to step.")
  var rangeTest = false

  @Flag(help: "Choose a rate as 'train --lr auto' does, too.")
  var auto = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the result as JSON to a file, or - for standard output alone.", valueName: "path"))
  var json: String?

  func validate() throws {
    guard problem.givenRate != nil else {
      throw ValidationError("A sweep needs rates: add --lr LOWER:UPPER:COUNT, as in 1e-4:10:64.")
    }
    guard problem.givenRate?.range != nil else {
      throw ValidationError(
        "--lr is one number, and a sweep needs several: give LOWER:UPPER:COUNT, as in 1e-4:10:64.")
    }
    if problem.at > 0 {
      throw ValidationError(
        "--at \(problem.at) is no option of a sweep, whose runs all begin at the "
          + "start; leave it out.")
    }
    try problem.checkHyperparametersAreOwn()
    try OptionValue.checking { try request.check() }
  }

  /// The options as a request.
  var request: SweepRequest {
    var request = SweepRequest(
      problem.source, rates: problem.givenRate?.range ?? RateRange(1e-4, 10, count: 24))
    request.optimizer = problem.training.optimizer
    request.schedule = schedule.setting
    request.batch = batch
    request.sampling = sampling
    request.warmUp = warmUp
    request.rules.clipNorm = clipNorm
    request.rules.weightDecay = weightDecay
    request.heldOut = heldOut
    request.steps = steps
    request.epochs = epochs
    request.seeds = seeds
    request.rangeTest = rangeTest
    request.auto = auto
    request.resources = problem.resources
    return request
  }

  func run() throws {
    try reporting {
      if try problem.modelFile.listed(problem.file) { return .done }
      try RunFiles(
        request.problem, outputs: [("--json", json), ("--profile", problem.profile)]
      ).check()
      return try Run(json: json, profile: problem.profile).sweep(request)
    }
  }
}

/// A schedule of the catalogue, with hyperparameters where they are named: `one-cycle:rise=0.2`.
struct ScheduleName: ExpressibleByArgument, CustomStringConvertible, Equatable {
  let setting: ScheduleSetting

  init() { setting = ScheduleSetting() }

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var values: [String: Double] = [:]
    for item in parts.dropFirst().flatMap({ $0.split(separator: ",") }) {
      let sides = item.split(separator: "=")
      guard sides.count == 2, let value = Double(sides[1]) else { return nil }
      values[String(sides[0])] = value
    }
    guard let setting = try? ScheduleSetting(String(parts[0]), values) else { return nil }
    self.setting = setting
  }

  var description: String { setting.name }
  static var allValueStrings: [String] { ScheduleCatalogue.all.map(\.name) }
  var defaultValueDescription: String { setting.name }
}
