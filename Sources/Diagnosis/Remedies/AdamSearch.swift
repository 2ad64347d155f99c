import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// Adam on some loss at the best of four rates, each tried for a few steps first.
struct AdamSearch<Scalar: LinearMapScalar> {
  let objective: any Loss<Scalar>
  let point: [Scalar]
  /// Of each rate's trial.
  let steps: Int
  /// The loss as its quadratic, where it is one.
  let modes: LeastSquaresModes?
  let context: RunContext
  /// Where the rate is kept for others that start from the same point.
  let found: FoundRate?

  /// A rate that a search chose, after so many steps of each and so many operations.
  struct Choice {
    var rate: Double
    var steps: Int
    var operations: Double
  }

  final class FoundRate {
    var choice: Choice?
  }

  private static var rates: [Double] { [1, 0.1, 0.01, 0.001] }

  /// What is done, before any rate was tried.
  static var phrase: String {
    "Adam at the best of the rates 1, 0.1, 0.01 and 0.001 after some steps of each"
  }

  /// What is done at a rate that no search chose.
  static func slower(_ rate: Double) -> String { "Adam at \(Wording.number(rate))" }

  init(
    _ objective: any Loss<Scalar>, from point: [Scalar], steps: Int, modes: LeastSquaresModes?,
    context: RunContext, found: FoundRate? = nil
  ) {
    self.objective = objective
    self.point = point
    self.steps = steps
    self.modes = modes
    self.context = context
    self.found = found
  }

  /// The best of the rates: that of an earlier search, or of one by trials of some steps.
  func chosen(on bench: TrialBench<Scalar>) throws -> Choice {
    if let known = found?.choice { return known }
    let spent = objective.operations
    let probe = bench.probing(steps)
    let steps = probe.maxIterations ?? steps
    var chosen = (rate: 1e-3, loss: Double.infinity)
    // A step of Adam is bounded by its rate: it cannot run away, however high it first jumps.
    for rate in Self.rates where !context.isCancelled() {
      let trial =
        try probe
        .run(objective, Adam(), rate: rate, from: point, theory: .init(isStable: true))
      if let last = trial.losses.last, last < chosen.loss { chosen = (rate, last) }
    }
    let choice = Choice(
      rate: chosen.rate, steps: steps, operations: objective.operations - spent)
    // What was interrupted chose nothing.
    if !context.isCancelled() { found?.choice = choice }
    return choice
  }

  func run(on bench: TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome {
    let chosen = try chosen(on: bench)
    var outcome = try bench.run(
      objective, Adam(), rate: chosen.rate, from: point,
      theory: .init(modes: modes, isStable: true),
      extraOperations: chosen.operations)
    // Where it ran at a smaller one, the sentence is the judge's.
    guard outcome.chosenRate == nil else { return outcome }
    outcome.chosenRate = chosen.rate
    outcome.change =
      "Adam at \(Wording.number(chosen.rate)), the best of 1, 0.1, 0.01 and 0.001 after \(chosen.steps) "
      + "steps of each"
    return outcome
  }
}
