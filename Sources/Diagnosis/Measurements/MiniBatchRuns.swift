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

  /// The loss gap at a point above that at the minimum.
  private func gap(_ samples: LeastSquaresSamples) throws -> (
    minimiser: [Scalar], at: ([Scalar]) throws -> Double
  ) {
    if let exact = measured.exactLoss(measured.survey) {
      return (exact.minimiser.map { Scalar($0) }, { exact.gap(at: $0.map { Double($0) }) })
    }
    let best = samples.minimiser.map { Scalar($0) }
    let minimum = try start.objective.value(at: best)
    return (best, { try start.objective.value(at: $0) - minimum })
  }

  /// Steps of batches that a run may take.
  private func affordableSteps(_ objective: Objective<Scalar>) throws -> Int {
    let program = try objective.gradientProgram(samples: batch)
    let price = program.operationCount + 3e4 * Double(program.equations.count)
    return Int(min(20_000, max(600, 1e10 * min(1, start.request.resources.effort) / price)))
  }

  /// A run from the minimum, and what its steps are divided by at its end.
  func run(
    _ samples: LeastSquaresSamples, rate: Double, _ batches: Batches
  ) throws -> (run: MiniBatches.FloorRun?, divisor: [Double]?) {
    guard let objective = start.objective.objective, start.whole == nil else { return (nil, nil) }
    start.context.report("mini-batches at the minimum")
    let perPass = batches.stepsPerPass(sampleCount)
    let passes = max(12, min(1_000, try affordableSteps(objective) / perPass))
    let gap = try gap(samples)
    let minimum = try start.objective.value(at: gap.minimiser)
    let run = try TrainingRun(
      start.objective, start.optimizer, rate: rate, from: gap.minimiser,
      gradients: .batches(batches))
    var (ends, middles) = ([Double](), [Double]())
    for pass in 0..<passes {
      for step in 0..<perPass {
        try run.step()
        if step + 1 == max(1, perPass / 2), pass >= passes / 3 {
          middles.append(try gap.at(run.parameters))
        }
      }
      if pass >= passes / 3 { ends.append(try gap.at(run.parameters)) }
      if start.context.isCancelled() { throw CancellationError() }
    }
    let (end, middle) = (Self.summary(ends), Self.summary(middles))
    return (
      .init(
        steps: passes * perPass, end: end?.mean, endError: end?.error, middle: middle?.mean,
        middleError: middle?.error, predictedEnd: nil, predictedMiddle: nil,
        ranAway: ends.suffix(max(1, ends.count / 8)).contains {
          !$0.isFinite || $0 > 100 * max(abs(start.loss), abs(minimum))
        }),
      start.optimizer.preconditioner(
        state: { run.state($0).map { Double($0) } }, step: run.stepCount)
    )
  }

  /// The mean and, from blocks that outlast what steps remember, its standard error; nil where a value is not
  /// finite.
  private static func summary(_ values: [Double]) -> (mean: Double, error: Double)? {
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

  /// The given training from the point of diagnosis for some passes, and changes to it that noise and limit
  /// speak for, all over as many samples; the lowest first.
  ///
  /// - Parameter settled: the mean gap over some passes of a run at a rate and batch that began at the minimum;
  ///   nil where it is not known.
  func trials(
    _ result: MiniBatches, _ samples: LeastSquaresSamples?, rate: Double,
    settled: (_ rate: Double, _ batch: Int, _ passes: Range<Int>) throws -> Double?
  ) throws -> [MiniBatches.Trial] {
    guard let objective = start.objective.objective, start.whole == nil,
      !objective.definition.couplesSamples, objective.definition.fixedBatch == nil
    else { return [] }
    let passes = max(
      5, min(100, try affordableSteps(objective) / 2 / max(1, result.stepsPerPass)))
    var variants: [(kind: MiniBatches.Trial.Change, rate: Double, batch: Int)] = [
      (.asGiven, rate, batch)
    ]
    if let limit = result.limit, abs(rate / limit - 0.5) > 0.1, !start.optimizer.hasBoundedSteps {
      variants.append((.halfOfLimit, limit / 2, batch))
    }
    if 4 * batch <= sampleCount { variants.append((.largerBatch, rate, 4 * batch)) }
    variants.append((.decayedRate, rate, batch))
    let gap = try samples.map(gap)?.at ?? { try start.objective.value(at: $0) }
    var trials: [MiniBatches.Trial] = []
    for variant in variants {
      start.context.report("mini-batch trial: \(variant.kind.rawValue)")
      let batches = Batches(size: variant.batch, seed: seed &+ 2, sampling: sampling)
      let perPass = batches.stepsPerPass(sampleCount)
      let run = try TrainingRun(
        start.objective, start.optimizer, rate: variant.rate, from: start.point,
        gradients: .batches(batches))
      let steps = passes * perPass
      var gaps: [Double] = []
      for step in 0..<steps {
        if variant.kind == .decayedRate {
          run.rate = variant.rate * (1 - Double(step) / Double(steps))
        }
        try run.step()
        if (step + 1) % perPass == 0 {
          gaps.append(try gap(run.parameters))
          if start.context.isCancelled() { throw CancellationError() }
        }
      }
      let last = passes - max(1, passes / 10)..<passes
      let mean = gaps[last].reduce(0, +) / Double(last.count)
      var predicted: Double?
      if variant.kind != .decayedRate, start.problem.isQuadratic,
        let way = measured.survey.model.forecast(rate: variant.rate, by: start.optimizer),
        let noise = try settled(variant.rate, variant.batch, last)
      {
        let left = last.reduce(0.0) { $0 + way.gap(after: ($1 + 1) * perPass) }
        predicted = left / Double(last.count) + noise
      }
      trials.append(
        .init(
          change: variant.kind, rate: variant.rate, batch: variant.batch, passes: passes,
          steps: steps, predicted: predicted, measured: mean.isFinite ? mean : nil))
    }
    return trials.enumerated().sorted {
      ($0.element.measured ?? .infinity, $0.offset) < ($1.element.measured ?? .infinity, $1.offset)
    }.map(\.element)
  }
}
