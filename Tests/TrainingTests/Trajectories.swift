import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Training

/// Runs of every optimizer by other programs, from `Scripts/optimizer-trajectories.py`.
struct Trajectories: Decodable, Sendable {
  struct Run: Decodable, Sendable, CustomStringConvertible {
    var optimizer: String
    var hyperparameters: [String: Double]
    var rate: Double
    /// Who ran it: `torch`, `optax`, or `numpy` for a transcription of the paper.
    var source: String
    var batched: Bool
    /// After each of `Trajectories.steps`.
    var parameters: [[Double]]

    var description: String { "\(optimizer) \(hyperparameters)\(batched ? " on batches" : "")" }

    func make() throws -> any Optimizer {
      try OptimizerSetting(optimizer, hyperparameters).make()
    }
  }

  var x: [Double]
  var y: [Double]
  var start: [Double]
  var batchSize: Int
  var seed: UInt64
  var probeSeed: UInt64
  var steps: [Int]
  /// The samples of each step on batches.
  var order: [[Int]]
  var runs: [Run]

  static let all: Trajectories = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/trajectories.json")
    do {
      return try JSONDecoder().decode(Trajectories.self, from: Data(contentsOf: file))
    } catch {
      fatalError("\(file.path): \(error)")
    }
  }()

  /// A network 3-4-3 of tanh under half squared errors.
  var definition: LossDefinition {
    LossDefinition(
      parameters: [
        .init("layer1.weight", [3, 4]), .init("layer1.bias", [4], isBias: true),
        .init("layer2.weight", [4, 3]), .init("layer2.bias", [3], isBias: true),
      ],
      model: { p, data in (data[0].matmul(p[0]) + p[1]).tanh().matmul(p[2]) + p[3] },
      loss: { outputs, data in (outputs - data[1]).square().sum([1]).mean() * 0.5 },
      distribution: OutputDistribution(.gaussian))
  }

  func objective<Scalar: LinearMapScalar>(
    executor: any Executor = ReferenceExecutor(), maxBatchSize: Int? = nil
  ) throws -> Objective<Scalar> {
    let type = TensorType(Scalar.element, [12, 3])
    return try Objective(
      definition, data: [Tensor(x, type: type), Tensor(y, type: type)], executor: executor,
      maxBatchSize: maxBatchSize)
  }

  var batches: Batches { Batches(size: batchSize, seed: seed) }

  var rules: StepRules {
    var rules = StepRules()
    rules.probeSeed = probeSeed
    return rules
  }

  func trained(
    _ run: Run, _ objective: Objective<Double>, rules: StepRules? = nil
  ) throws -> TrainingRun<Double> {
    try TrainingRun(
      objective, run.make(), rate: run.rate, from: start,
      gradients: run.batched ? .batches(batches) : .allSamples, rules: rules ?? self.rules)
  }
}
