import Curvature
import Foundation
import OnnxBackend
import Training

/// Where full-batch runs settle beside the limit of each optimizer at its rate: the table of
/// docs/edge-of-stability.md.
@MainActor func edgeOfStability(dividingStepsBy divisor: Int) throws {
  let executor = try OnnxExecutor()
  let rows: [(any Optimizer, Double, Network, Int)] = [
    (GradientDescent(), 0.2, .chebyshev(4, width: 40), 4000),
    (GradientDescent(), 0.05, .chebyshev(4, width: 40), 6000),
    (Momentum(beta: 0.9), 0.1, .chebyshev(6, width: 30), 5000),
    (Nesterov(beta: 0.9), 0.05, .chebyshev(6, width: 30), 5000),
    (Adam(), 1e-3, .chebyshev(4, width: 40), 8000),
    (Adam(beta1: 0.5, beta2: 0.99), 5e-4, .chebyshev(4, width: 40), 6000),
  ]
  if !asJSON {
    print("| optimizer | rate | steps | first | mean | 5 % | 95 % | loss |")
    print("|---|---|---|---|---|---|---|---|")
  }
  for (optimizer, rate, network, all) in rows {
    let steps = max(200, all / divisor)
    let loss = try Objective<Double>(network.definition, data: network.data, executor: executor)
    let run = try TrainingRun(loss, optimizer, rate: rate, from: network.start)
    let isPreconditioned = optimizer.stability?.isPreconditioned == true
    let trainer = Trainer(
      run, rate: rate, steps: steps,
      trackers: [isPreconditioned ? PreconditionedSharpness() : Sharpness()])
    var (ratios, last): ([Double], Double) = ([], 0)
    _ = try trainer.train { event in
      if case .step(let record) = event { last = record.loss }
      guard case .tracked(let record) = event else { return }
      for value in record.values {
        if let limit = value.threshold { ratios.append(value.value / limit) }
      }
    }
    let plateau = ratios.suffix(ratios.count / 3).sorted()
    func quantile(_ share: Double) -> Double { plateau[Int(share * Double(plateau.count - 1))] }
    let mean = plateau.reduce(0, +) / Double(plateau.count)
    try show(
      String(
        format: "| %@ | %g | %d | %.3f | %.3f | %.3f | %.3f | %.2g |", optimizer.phrase, rate,
        steps, ratios[0], mean, quantile(0.05), quantile(0.95), last),
      [
        "name": optimizer.name, "optimizer": optimizer.phrase, "rate": rate, "steps": steps,
        "first": ratios[0], "mean": mean, "low": quantile(0.05), "high": quantile(0.95),
        "loss": last,
      ])
  }
}
