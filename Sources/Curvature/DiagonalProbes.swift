import LinearMaps
import TensorPrograms

extension Objective {
  /// From parameters, the data of so many samples and one tensor `u` per parameter to `u * (H u)`, `H` the
  /// Hessian of their mean loss: where the entries of `u` are 1 or -1 at random, its diagonal in the mean.
  ///
  /// Reference: Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix" (2007).
  package func hessianProbe(samples count: Int) throws -> Program {
    let gradient = try gradientProgram(samples: count)
    let parameters = Array(definition.parameters.indices)
    let joint = gradient.jvp(withRespectTo: parameters)
    let products = joint.outputs.count - parameters.count
    return try Program.trace(joint.inputTypes) { arguments in
      let results = arguments[0].builder.inline(joint, arguments)
      return zip(results.dropFirst(products), arguments.suffix(parameters.count)).map { $0 * $1 }
    }.simplified()
  }

  /// From parameters, the data of so many samples and `noise(samples:seed:)` to the gradient of their mean loss
  /// at targets drawn from the model, without its penalty.
  ///
  /// Reference: Liu et al., "Sophia", arXiv:2305.14342, algorithm 2.
  /// - Throws: `CurvatureError` where the loss has no model output or no distribution of targets.
  package func sampledGradient(samples count: Int) throws -> Program {
    let (composite, distribution) = try sampled()
    let types = SampleBatches.types(of: data, count: count)
    let model = try definition.traced(dataTypes: types, element: Scalar.element) {
      [composite.model($0, $1)]
    }
    let jacobian = model.linearized(withRespectTo: Array(definition.parameters.indices))
    let transposed = jacobian.transposed
    return try Program.trace(model.inputTypes + model.outputTypes) { arguments in
      let builder = arguments[0].builder
      let forward = builder.inline(jacobian.primal, Array(arguments.dropLast()))
      let score = distribution.score(at: forward[0], noise: arguments[arguments.count - 1])
      return builder.inline(
        transposed,
        Array(forward.dropFirst()) + [score * (distribution.scale / Double(count))])
    }.simplified()
  }

  /// The random numbers that draw the targets of so many samples.
  package func targetNoise(samples count: Int, seed: UInt64) throws -> Tensor {
    let (_, distribution) = try sampled()
    let types = SampleBatches.types(of: data, count: count)
    guard let type = try definition.outputType(dataTypes: types, element: Scalar.element) else {
      throw CurvatureError.noModelOutput(.sampledFisher)
    }
    return distribution.noise(type, seed: seed)
  }

  /// What the product of a drawn gradient of `n` samples with itself is multiplied by for the diagonal of the
  /// Gauss-Newton matrix in the mean: `n` over the distribution's scale.
  package func sampledWeight(samples count: Int) throws -> Double {
    try Double(count) / sampled().distribution.scale
  }

  private func sampled() throws -> (
    composite: LossDefinition.Composite, distribution: OutputDistribution
  ) {
    guard let composite = definition.composite else {
      throw CurvatureError.noModelOutput(.sampledFisher)
    }
    guard let distribution = composite.distribution else {
      throw CurvatureError.noDistribution(.sampledFisher)
    }
    return (composite, distribution)
  }

  /// The samples of each micro-batch.
  package var batchCounts: [Int] { (0..<batchCount).map { keptCount(batch: $0) } }
}
