import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms

@testable import Training

/// A dense network on made data: what sits at the edge of stability within seconds.
struct SmallNetwork: Sendable {
  enum Activation { case tanh, relu, sigmoid }

  var widths: [Int]
  var activation: Activation
  var data: [Tensor]
  /// Whether the target is one-hot, for cross-entropy; else half the squared error.
  var isClasses = false
  var seed: UInt64

  var parameters: [LossDefinition.Parameter] {
    zip(widths, widths.dropFirst()).enumerated().flatMap { index, sizes in
      [
        LossDefinition.Parameter("weight\(index + 1)", [sizes.0, sizes.1]),
        LossDefinition.Parameter("bias\(index + 1)", [sizes.1], isBias: true),
      ]
    }
  }

  var definition: LossDefinition {
    let (activation, isClasses, outputs) = (activation, isClasses, Double(widths.last!))
    return LossDefinition(parameters: parameters) { parameters, data in
      var value = data[0]
      for layer in stride(from: 0, to: parameters.count, by: 2) {
        value = value.matmul(parameters[layer]) + parameters[layer + 1]
        guard layer + 2 < parameters.count else { break }
        value =
          switch activation {
          case .tanh: value.tanh()
          case .relu: value.relu()
          case .sigmoid: value.sigmoid()
          }
      }
      return isClasses
        ? (value.logSoftmax(axis: 1) * data[1]).mean() * -outputs
        : (value - data[1]).square().mean() * 0.5
    }
  }

  /// Weights `N(0, 1 / fan-in)`, biases 0.
  var start: [Double] {
    var generator = SeededGenerator(seed: seed)
    return parameters.flatMap { parameter in
      (0..<parameter.shape.count).map { _ in
        parameter.isBias
          ? 0 : generator.nextNormal() / Double(parameter.shape.dimensions[0]).squareRoot()
      }
    }
  }

  func objective(_ executor: any Executor, samples: Int? = nil) throws -> Objective<Double> {
    try Objective(
      definition, data: samples.map { count in data.map { $0.samples(0..<count) } } ?? data,
      executor: executor)
  }

  /// Twenty points of the Chebyshev polynomial of a degree.
  ///
  /// Reference: Cohen et al., arXiv:2103.00065, appendix.
  static func chebyshev(
    _ degree: Double = 4, width: Int = 20, _ activation: Activation = .tanh, seed: UInt64
  ) -> SmallNetwork {
    let x = (0..<20).map { -1 + 2 * Double($0) / 19 }
    return SmallNetwork(
      widths: [1, width, width, 1], activation: activation,
      data: [
        Tensor(x, shape: [20, 1]),
        Tensor(x.map { cos(degree * acos(max(-1, min(1, $0)))) }, shape: [20, 1]),
      ], seed: seed)
  }

  /// Noisy numbers.
  static func regression(
    _ count: Int, _ widths: [Int], _ activation: Activation, noise: Double, seed: UInt64
  ) -> SmallNetwork {
    var generator = SeededGenerator(seed: seed)
    var (x, y): ([Double], [Double]) = ([], [])
    for _ in 0..<count {
      let row = (0..<widths[0]).map { _ in generator.nextNormal() }
      x += row
      y.append(sin(2 * row[0]) + row[1] * row[widths[0] - 1] + noise * generator.nextNormal())
    }
    return SmallNetwork(
      widths: widths, activation: activation,
      data: [Tensor(x, shape: [count, widths[0]]), Tensor(y, shape: [count, 1])], seed: seed)
  }

  /// Clusters, a share of whose labels are drawn anew.
  static func classes(
    _ count: Int, _ widths: [Int], _ activation: Activation, noise: Double, seed: UInt64
  ) -> SmallNetwork {
    var generator = SeededGenerator(seed: seed)
    let (inputs, classes) = (widths[0], widths[widths.count - 1])
    let centres = (0..<classes * inputs).map { _ in 1.2 * generator.nextNormal() }
    var (x, y): ([Double], [Double]) = ([], [])
    for index in 0..<count {
      let own = index % classes
      x += (0..<inputs).map { centres[own * inputs + $0] + generator.nextNormal() }
      let isNoise = generator.nextUniform() < noise
      let label = isNoise ? Int(generator.next() % UInt64(classes)) : own
      y += (0..<classes).map { $0 == label ? 1 : 0 }
    }
    return SmallNetwork(
      widths: widths, activation: activation,
      data: [Tensor(x, shape: [count, inputs]), Tensor(y, shape: [count, classes])],
      isClasses: true, seed: seed)
  }
}

/// A run that a guard watches, and what came of it.
struct GuardedRun {
  var ending: TrainingEnding
  var losses: [Double] = []
  var rates: [Double] = []
  var alarms: [(step: Int, alarm: GuardAlarm)] = []
  /// Value over threshold at each check, with its step.
  var ratios: [(step: Int, ratio: Double)] = []
  var summary = TrackingSummary()
  var parameters: [Double] = []

  init(
    _ network: SmallNetwork, _ optimizer: any Optimizer, rate: Double, steps: Int,
    schedule: any Schedule = Constant(), batch: Int? = nil, action: GuardAction = .warn,
    executor: any Executor
  ) throws {
    let source: GradientSource<Double> =
      batch.map { .batches(Batches(size: $0, seed: 3)) } ?? .allSamples
    let run = try TrainingRun(
      network.objective(executor), optimizer, rate: rate, from: network.start, gradients: source)
    let isPreconditioned = optimizer.stability?.isPreconditioned == true
    let trainer = Trainer(
      run, rate: rate, steps: steps, schedule: schedule,
      trackers: optimizer.stability == nil
        ? [] : [isPreconditioned ? PreconditionedSharpness() : Sharpness()],
      watch: StabilityGuard(action, period: 50), action: action,
      sample: try network.objective(executor, samples: batch))
    var (losses, rates, alarms, ratios) = (losses, rates, alarms, ratios)
    var summary = summary
    ending = try trainer.train { event in
      switch event {
      case .step(let record):
        losses.append(record.loss)
        rates.append(record.rate)
      case .tracked(let record):
        summary.add(record)
        for value in record.values {
          if let limit = value.threshold { ratios.append((record.step, value.value / limit)) }
        }
      case .alarm(let step, let alarm): alarms.append((step, alarm))
      default: break
      }
    }
    (self.losses, self.rates, self.alarms, self.ratios) = (losses, rates, alarms, ratios)
    self.summary = summary
    parameters = trainer.run.parameters
  }

  /// Mean and the 5th and 95th percentile of the ratios from a step on.
  func plateau(from step: Int) -> (mean: Double, low: Double, high: Double) {
    let values = ratios.filter { $0.step >= step }.map(\.ratio).sorted()
    guard !values.isEmpty else { return (.nan, .nan, .nan) }
    func quantile(_ share: Double) -> Double { values[Int(share * Double(values.count - 1))] }
    return (values.reduce(0, +) / Double(values.count), quantile(0.05), quantile(0.95))
  }
}
