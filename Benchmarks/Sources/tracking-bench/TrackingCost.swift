import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import Training

/// What tracking the sharpness every 50 steps adds to the processor time of a run of 784-128-64-10 with batches of
/// 128, on a fixed batch of that size, and how far its values are from cold ones.
@MainActor func trackingCost(steps: Int) throws {
  try OnnxRuntime.configure(threads: 1)
  let executor = try OnnxExecutor()
  for isTanh in [false, true] {
    let network = Network.images(4096, isTanh: isTanh)
    let loss = try Objective<Float>(network.definition, data: network.data, executor: executor)
    let sample = try Objective<Float>(
      network.definition, data: network.data.map { $0.samples(0..<128) }, executor: executor)
    let optimizers: [(any Optimizer, Double)] = [(Adam(), 1e-3), (Momentum(beta: 0.9), 0.02)]
    for (optimizer, rate) in optimizers {
      /// The processor time of a run.
      func run(
        tracked: Bool, _ event: (TrainingEvent, any TrainingSteps<Float>) throws -> Void
      ) throws -> Double {
        let run = try TrainingRun(
          loss, optimizer, rate: rate, from: network.start.map { Float($0) },
          gradients: .batches(Batches(size: 128, seed: 1)))
        let trainer = Trainer<Float>(
          run, rate: rate, steps: steps + 1, trackers: tracked ? [Sharpness()] : [], sample: sample)
        try run.step()
        let began = processorTime()
        _ = try trainer.train { try event($0, run) }
        return processorTime() - began
      }
      var (errors, flagged, unflagged): ([Double], Int, [Double]) = ([], 0, [])
      _ = try run(tracked: true) { event, run in
        guard case .tracked(let record) = event else { return }
        var options = TopEigenpairs<Float>.Options()
        options.tolerance = 1e-4
        let cold = try TopEigenpairs(of: sample.hessian(at: run.parameters), options: options)
        errors.append(abs(record.values[0].value / cold.largest[0].value - 1))
        if record.values[0].isReliable { unflagged.append(errors.last!) } else { flagged += 1 }
      }
      var (with, without, checks, mark): ([Double], [Double], [Double], Double) = ([], [], [], 0)
      for _ in 0..<3 {
        without.append(try run(tracked: false) { _, _ in })
        with.append(
          try run(tracked: true) { event, _ in
            if case .tracked(let record) = event, record.step > 50 {
              checks.append(processorTime() - mark)
            }
            mark = processorTime()
          })
      }
      let step = median(without) / Double(steps)
      let (adds, check) = (100 * (median(with) / median(without) - 1), median(checks) / step)
      let (error, most, others) = (
        100 * median(errors), 100 * errors.max()!, 100 * (unflagged.max() ?? 0)
      )
      let name = isTanh ? "tanh" : "relu"
      try show(
        String(
          format: "%@ %@: step %.2f ms, adds %.1f %%, a check %.1f steps; error median %.1f %%, "
            + "most %.1f %%; flagged %d of %d, most of the others %.1f %%",
          name, optimizer.name, step * 1e3, adds, check, error, most, flagged, errors.count, others),
        [
          "network": name, "optimizer": optimizer.name, "step": step, "adds": adds, "check": check,
          "error": error, "most": others, "flagged": flagged, "checks": errors.count,
        ])
    }
  }
}

private func processorTime() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
