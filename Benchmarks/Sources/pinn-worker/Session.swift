import Curvature
import Foundation
import Labs
import OnnxBackend
import TensorPrograms
import Training

/// One network in training.
struct Session {
  struct Answer: Encodable {
    var problem: String
    var method: String
    var seed: UInt64
    var parameters: Int
    var iterations = 0
    var gradients = 0
    var products = 0
    var start: Double
    var loss = 0.0
    /// On twice as many points per axis, none of which was fitted: drawn ones come from another seed.
    var refined: Double?
    var error = 0.0
    /// By the wall clock, the compilation of the loss and the reports included.
    var seconds = 0.0
    /// Of all threads.
    var processorSeconds = 0.0
    var ending: String?
  }

  let arguments: Arguments
  let executor: OnnxExecutor
  let loss: Objective<Double>
  let solution: PINNSolution
  let began = ContinuousClock.now
  var answer: Answer

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    try OnnxRuntime.configure(threads: arguments.threads)
    executor = try OnnxExecutor()
    loss = try arguments.problem.objective(executor)
    solution = try PINNSolution(arguments.problem, executor)
    let name = arguments.method.name
    answer = Answer(
      problem: arguments.problem.name,
      method: arguments.adam.map { "adam(\($0.steps)), then \(name)" } ?? name,
      seed: arguments.seed, parameters: arguments.problem.parameterCount,
      start: try loss.value(at: arguments.start))
  }

  mutating func run() throws {
    var point = arguments.start
    if let adam = arguments.adam {
      let run = try TrainingRun(loss, Adam(), rate: adam.rate, from: point)
      try take(run, until: adam.steps)
      point = run.parameters
    }
    let run = try arguments.method.start(loss, from: point)
    try take(run, until: arguments.iterations)
    try report(run.parameters)
    let fine: Objective<Double> = try arguments.problem.refined(
      2, seed: arguments.problem.seed + 1
    ).objective(executor)
    answer.refined = try fine.value(at: run.parameters)
    try say()
  }

  private mutating func take(_ steps: any TrainingSteps<Double>, until end: Int) throws {
    while answer.iterations < end {
      let step = try steps.step()
      answer.iterations += 1
      answer.gradients += step.gradients
      answer.products += step.products
      if let ending = step.ending {
        answer.ending = ending.sentence
        return
      }
      if let every = arguments.every, answer.iterations % every == 0 {
        try report(steps.parameters)
        try say()
      }
    }
  }

  private mutating func report(_ parameters: [Double]) throws {
    answer.seconds = (ContinuousClock.now - began) / .seconds(1)
    answer.processorSeconds = Double(clock()) / Double(CLOCKS_PER_SEC)
    answer.loss = try loss.value(at: parameters)
    answer.error = try solution.relativeError(parameters)
  }

  private func say() throws {
    FileHandle.standardOutput.write(try JSONEncoder().encode(answer) + Data("\n".utf8))
  }
}
