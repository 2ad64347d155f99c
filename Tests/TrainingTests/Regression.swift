import Curvature
import Foundation
import LinearMaps
import TensorPrograms

/// A logistic regression on random numbers with a quartic penalty, `z = s (x W + b)`,
/// `f = mean_i sum_o (softplus(z_io) - y_io z_io) + sum W^4 / 4`, and its gradient written out by hand.
struct Regression: Sendable {
  let samples = 7
  let inputs = 3
  let outputs = 2
  let x: [Double]
  let y: [Double]
  let start: [Double]

  init() {
    var generator = SeededGenerator(seed: 3)
    x = (0..<7 * 3).map { _ in generator.nextNormal() }
    y = (0..<7 * 2).map { _ in Double(generator.next() % 2) }
    start = (0..<10).map { _ in 0.8 * generator.nextNormal() }
  }

  var parameters: [LossDefinition.Parameter] {
    [
      .init("weight", [inputs, outputs]), .init("bias", [outputs], role: .bias),
      .init("scale", [outputs], role: .normScale),
    ]
  }

  // MARK: As a tensor program

  var definition: LossDefinition {
    let outputs = Double(outputs)
    return LossDefinition(
      parameters: parameters, model: { p, data in (data[0].matmul(p[0]) + p[1]) * p[2] },
      loss: { z, data in (z.softplus() - data[1] * z).mean() * outputs },
      penalty: { $0[0].square().square().sum() * 0.25 },
      distribution: OutputDistribution(.bernoulli))
  }

  func objective<Scalar: LinearMapScalar>(
    memoryBudget: Int = 1 << 30, maxBatchSize: Int? = nil,
    executor: any Executor = ReferenceExecutor(), reduction: any Reduction = LocalReduction()
  ) throws -> Objective<Scalar> {
    try Objective(
      definition,
      data: [
        Tensor(x, type: TensorType(Scalar.element, [samples, inputs])),
        Tensor(y, type: TensorType(Scalar.element, [samples, outputs])),
      ], executor: executor, memoryBudget: memoryBudget, maxBatchSize: maxBatchSize,
      reduction: reduction)
  }

  // MARK: By hand

  func valueAndGradient(
    at p: [Double], samples chosen: [Int]? = nil
  ) -> (value: Double, gradient: [Double]) {
    let chosen = chosen ?? Array(0..<samples)
    let share = 1 / Double(chosen.count)
    var value = 0.0
    var gradient = [Double](repeating: 0, count: 10)
    for index in 0..<6 {
      value += p[index] * p[index] * p[index] * p[index] / 4
      gradient[index] = p[index] * p[index] * p[index]
    }
    for sample in chosen {
      for output in 0..<outputs {
        let features = (0..<inputs).map { x[sample * inputs + $0] }
        let linear = (0..<inputs).reduce(p[6 + output]) { $0 + features[$1] * p[$1 * 2 + output] }
        let z = p[8 + output] * linear
        value += share * (log(1 + exp(z)) - y[sample * 2 + output] * z)
        let slope = share * (1 / (1 + exp(-z)) - y[sample * 2 + output])
        for input in 0..<inputs {
          gradient[input * 2 + output] += slope * p[8 + output] * features[input]
        }
        gradient[6 + output] += slope * p[8 + output]
        gradient[8 + output] += slope * linear
      }
    }
    return (value, gradient)
  }

  /// The loss by closures; training asks for no products.
  var closures: LossClosures {
    LossClosures(
      parameters: parameters, value: { valueAndGradient(at: $0).value },
      valueAndGradient: { valueAndGradient(at: $0) },
      hessianProduct: { _, _ in throw NoProducts() }, sampleCount: samples)
  }

  struct NoProducts: Error {}
}

/// `1/2 sum_i lambda_i x_i^2` of one tensor without data.
func quadratic<Scalar: LinearMapScalar>(
  _ eigenvalues: [Double], context: RunContext = RunContext()
) throws -> Objective<Scalar> {
  let definition = LossDefinition(parameters: [.init("x", [eigenvalues.count])]) { p, _ in
    eigenvalues.enumerated().map { index, eigenvalue in
      p[0].slice(axis: 0, index..<index + 1).square().sum() * (eigenvalue / 2)
    }.reduce(p[0].scalar(0), +)
  }
  return try Objective(definition, data: [], executor: ReferenceExecutor(), context: context)
}

func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

/// The largest difference of two arrays of equal length, relative to the second's largest entry.
func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let scale = b.reduce(0) { max($0, abs($1)) }
  return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } / max(scale, .leastNormalMagnitude)
}

/// Whether `a` and `b` agree to `tolerance` relative to the larger.
func close(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
  a == b || abs(a - b) <= tolerance * max(abs(a), abs(b))
}
