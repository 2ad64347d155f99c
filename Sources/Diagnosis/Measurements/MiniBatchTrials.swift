import Curvature
import Foundation
import LinearMaps
import Training

/// The given training from the point of diagnosis in batches, and changes to it.
extension MiniBatchStudy {
  private typealias Variant = (kind: MiniBatches.Trial.Change, rate: Double, batch: Int)

  /// The given training for some passes, and changes to it that noise and limit speak for, all over as many
  /// samples and with the same seeds; the lowest first.
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
    let steps = try affordableSteps(objective)
    let passes = max(5, min(100, steps / 3 / max(1, result.stepsPerPass)))
    let seeds = max(1, min(5, steps / (passes * result.stepsPerPass)))
    let gap = try samples.map { try self.gap(of: $0).at } ?? { try start.objective.value(at: $0) }
    return try variants(result, rate: rate).map { variant in
      start.context.report("mini-batch trial: \(variant.kind.rawValue)")
      var trial = try trial(variant, passes: passes, seeds: seeds, gap)
      let last = Self.lastPasses(passes)
      if variant.kind != .decayedRate, start.problem.isQuadratic,
        let way = measured.survey.model.forecast(rate: variant.rate, by: start.optimizer),
        let noise = try settled(variant.rate, variant.batch, last)
      {
        let perPass = trial.steps / passes
        let left = last.reduce(0.0) { $0 + way.gap(after: ($1 + 1) * perPass) }
        let predicted = left / Double(last.count) + noise
        trial.predicted = predicted.isFinite ? predicted : nil
      }
      return trial
    }.enumerated().sorted {
      ($0.element.measured ?? .infinity, $0.offset) < ($1.element.measured ?? .infinity, $1.offset)
    }.map(\.element)
  }

  private static func lastPasses(_ passes: Int) -> Range<Int> {
    passes - max(1, passes / 10)..<passes
  }

  private func variants(_ result: MiniBatches, rate: Double) -> [Variant] {
    var variants: [Variant] = [(.asGiven, rate, batch)]
    if let limit = result.limit, abs(rate / limit - 0.5) > 0.1, !start.optimizer.hasBoundedSteps {
      variants.append((.halfOfLimit, limit / 2, batch))
    }
    if let limit = result.limit, start.optimizer.hasBoundedSteps, 8 * rate < limit {
      variants.append((.largerRate, 4 * rate, batch))
    }
    if 4 * batch <= sampleCount {
      variants.append((.largerBatch, rateOfLargerBatch(result, rate: rate) ?? rate, 4 * batch))
    }
    variants.append((.decayedRate, rate, batch))
    return variants
  }

  /// The rate that goes with four times the batch: as much larger as the limit, or, where none is known, as the
  /// step that the gradient's noise leaves the most gain, `1 / (1 + noise / |g|^2)`. Steps that are divided by the
  /// gradient's size get its square root.
  ///
  /// Reference: McCandlish, Kaplan and Amodei, "An empirical model of large-batch training" (arXiv:1812.06162),
  /// equation 2.6; Malladi et al., "On the SDEs and scaling rules for adaptive gradient algorithms"
  /// (arXiv:2205.10287).
  private func rateOfLargerBatch(_ result: MiniBatches, rate: Double) -> Double? {
    let own = result.limits.first { $0.batch == batch }?.limit
    let larger = result.limits.first { $0.batch == 4 * batch }?.limit
    let ratio: Double
    if let own, let larger {
      ratio = larger / own
    } else if let scale = result.noiseScale {
      let draw = sampling == .shuffle ? BatchNoise.Draw.subsets : .replacement
      func noise(_ batch: Int) -> Double { scale * BatchNoise.factor(batch, draw, of: sampleCount) }
      ratio = (1 + noise(batch)) / (1 + noise(4 * batch))
    } else {
      return nil
    }
    let isScaled = start.optimizer.isPreconditioned || start.optimizer.hasBoundedSteps
    return rate * (isScaled ? ratio.squareRoot() : ratio)
  }

  /// One training for so many passes, from the point of diagnosis, with each seed.
  private func trial(
    _ variant: Variant, passes: Int, seeds: Int, _ gap: ([Scalar]) throws -> Double
  ) throws -> MiniBatches.Trial {
    var means: [Double] = []
    var perPass = 0
    for index in 0..<seeds {
      let batches = Batches(
        size: variant.batch, seed: seed &+ UInt64(2 + index), sampling: sampling)
      perPass = batches.stepsPerPass(sampleCount)
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
        guard (step + 1) % perPass == 0 else { continue }
        gaps.append(try gap(run.parameters))
        if start.context.isCancelled() { throw CancellationError() }
        if gaps.last?.isFinite != true { break }
      }
      let last = Self.lastPasses(passes)
      means.append(
        gaps.count < passes ? .infinity : gaps[last].reduce(0, +) / Double(last.count))
    }
    let count = Double(seeds)
    let mean = means.reduce(0, +) / count
    let diverged = means.contains { !($0 <= 100 * abs(start.loss)) }
    let square = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return .init(
      change: variant.kind, rate: variant.rate, batch: variant.batch, passes: passes,
      steps: passes * perPass, seeds: seeds, predicted: nil, measured: diverged ? nil : mean,
      error: diverged || seeds < 2 ? nil : (square / (count * (count - 1))).squareRoot(),
      diverged: diverged)
  }
}
