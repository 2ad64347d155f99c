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

  @OptionGroup var common: CommonCourseOptions

  @Flag(help: "Run the range test beside: one run whose rate grows from step to step.")
  var rangeTest = false

  @Flag(help: "Choose a rate as 'train --lr auto' does, too.")
  var auto = false

  @OptionGroup var result: ResultOptions

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
    request.schedule = common.schedule
    request.batch = common.batch
    request.sampling = common.sampling
    request.warmUp = common.warmUp
    common.set(&request.rules)
    request.heldOut = common.heldOut
    request.steps = common.steps
    request.epochs = common.epochs
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
        request.problem, outputs: [("--json", result.json), ("--profile", problem.profile)]
      ).check()
      return try Run(json: result.json, profile: problem.profile).sweep(request)
    }
  }
}
