import Curvature
import Foundation
import LinearMaps
import Training

/// The runs beside what theory says of mini-batches.
extension MiniBatchStudy {
  /// Where the floor is told that flat directions take longer to come to.
  static var farPasses: Range<Int> { 900..<1_000 }

  /// Passes behind the first third of a run.
  static func window(_ steps: Int, perPass: Int) -> Range<Int> {
    let passes = steps / max(1, perPass)
    return passes / 3..<passes
  }

  /// The mean gap, over steps of a run from the minimum, by what each direction has come to.
  static func course(
    _ second: [Double], _ samples: LeastSquaresSamples, rate: Double, momentum: Double,
    steps: Range<Int>
  ) -> Double? {
    guard !steps.isEmpty else { return nil }
    let k = samples.dimension
    return (0..<k).reduce(0) { sum, a in
      let kept =
        momentum == 0
        ? 2 * log(abs(1 - rate * samples.curvatures[a]))
        : -2 * rate * samples.curvatures[a] / (1 - momentum)
      // The mean of 1 - exp(kept t).
      let (low, high) = (Double(steps.lowerBound), Double(steps.upperBound))
      let share = kept < 0 ? 1 - (exp(kept * low) - exp(kept * high)) / (-kept * (high - low)) : 0
      return sum + samples.curvatures[a] * second[a * k + a] / 2 * share
    }
  }

  /// The minimum that training comes to, and the loss gap at a point above it.
  func gap(_ minimum: Minimum, _ plain: LeastSquaresSamples) throws -> (
    minimiser: [Scalar], at: ([Scalar]) throws -> Double
  ) {
    if let decay = minimum.decay {
      let own = try minimum.rows.samples()?.minimiser ?? plain.minimiser
      let best = own.map { Scalar($0) }
      if start.problem.isQuadratic {
        return (best, { minimum.rows.rise(from: own, to: $0.map { Double($0) }) })
      }
      func value(_ x: [Scalar]) throws -> Double {
        try start.objective.value(at: x)
          + zip(decay, x).reduce(0) { $0 + $1.0 * Double($1.1 * $1.1) } / 2
      }
      let lowest = try value(best)
      return (best, { try value($0) - lowest })
    }
    return try gap(of: plain)
  }

  /// The same of the loss without decay.
  func gap(of plain: LeastSquaresSamples) throws -> (
    minimiser: [Scalar], at: ([Scalar]) throws -> Double
  ) {
    if let exact = measured.exactLoss(measured.survey) {
      return (exact.minimiser.map { Scalar($0) }, { exact.gap(at: $0.map { Double($0) }) })
    }
    let best = plain.minimiser.map { Scalar($0) }
    let lowest = try start.objective.value(at: best)
    return (best, { try start.objective.value(at: $0) - lowest })
  }

  /// Steps of batches that a run may take.
  func affordableSteps(_ objective: Objective<Scalar>) throws -> Int {
    let program = try objective.gradientProgram(samples: batch)
    let price = program.operationCount + 3e4 * Double(program.equations.count)
    return Int(min(20_000, max(600, 1e10 * min(1, start.request.resources.effort) / price)))
  }

  /// Where a run from the minimum came by, behind the first third of its passes.
  struct Course {
    var steps: Int
    var ends: [[Scalar]]
    var middles: [[Scalar]]
    /// What its steps are divided by at its end.
    var divisor: [Double]?

    func run(_ gap: ([Scalar]) throws -> Double, start: Double) throws -> MiniBatches.FloorRun {
      let gaps = try ends.map(gap)
      let (end, middle) = (
        MiniBatchStudy.summary(gaps), MiniBatchStudy.summary(try middles.map(gap))
      )
      return .init(
        steps: steps, end: end?.mean, endError: end?.error, middle: middle?.mean,
        middleError: middle?.error, predictedEnd: nil, predictedMiddle: nil,
        ranAway: gaps.suffix(max(1, gaps.count / 8)).contains { !$0.isFinite || $0 > 100 * start })
    }
  }

  /// A run from the minimum, a share of as long as may be; nil for what is not trained in batches here.
  func course(
    _ minimum: Minimum, _ plain: LeastSquaresSamples, rate: Double, _ batches: Batches,
    share: Double = 1
  ) throws -> Course? {
    guard let objective = start.objective.objective, start.whole == nil else { return nil }
    start.context.report("mini-batches at the minimum")
    let perPass = batches.stepsPerPass(sampleCount)
    let most = min(1_000, try affordableSteps(objective) / perPass)
    let passes = max(12, Int(share * Double(most)))
    let run = try TrainingRun(
      start.objective, start.optimizer, rate: rate, from: try gap(minimum, plain).minimiser,
      gradients: .batches(batches))
    var course = Course(steps: passes * perPass, ends: [], middles: [], divisor: nil)
    for pass in 0..<passes {
      for step in 0..<perPass {
        try run.step()
        if step + 1 == max(1, perPass / 2), pass >= passes / 3 {
          course.middles.append(run.parameters)
        }
      }
      if pass >= passes / 3 { course.ends.append(run.parameters) }
      if start.context.isCancelled() { throw CancellationError() }
    }
    course.divisor = start.optimizer.preconditioner(
      state: { run.state($0).map { Double($0) } }, step: run.stepCount)
    return course
  }

  /// The mean and, from blocks that outlast what steps remember, its standard error; nil where a value is not
  /// finite.
  static func summary(_ values: [Double]) -> (mean: Double, error: Double)? {
    guard values.allSatisfy(\.isFinite) else { return nil }
    let blocks = 8
    let means = (0..<blocks).map { block -> Double in
      let part = values[block * values.count / blocks..<(block + 1) * values.count / blocks]
      return part.reduce(0, +) / Double(part.count)
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let square = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (mean, (square / Double(blocks * (blocks - 1))).squareRoot())
  }
}
