import Curvature
import LinearMaps
import TensorPrograms
import Training

/// What the samples' gradients at the point of diagnosis tell by themselves.
extension MiniBatchStudy {
  /// The gradients' noise at the point, from single samples.
  func gradientNoise() throws -> GradientNoiseScale? {
    guard let objective = start.objective.objective, start.loss.isFinite,
      !objective.definition.couplesSamples, start.problem.sampleCount >= 2
    else { return nil }
    let size = objective.definition.fixedBatch ?? 1
    let n = start.problem.sampleCount / size
    guard n >= 2 else { return nil }
    let share = start.budget.gradient * Double(min(n, 256)) / Double(n)
    guard start.budget.affords("the gradients' noise", work: share, share: 0.1) else { return nil }
    var generator = SeededGenerator(seed: seed &+ 1)
    let chosen = n <= 256 ? Array(0..<n) : Array((0..<n).shuffled(using: &generator).prefix(256))
    let executable = try objective.executor.compile(objective.gradientProgram(samples: size))
    var offset = 0
    let point = objective.parameters.map { parameter -> Tensor in
      defer { offset += parameter.shape.count }
      return Tensor(
        start.point[offset..<offset + parameter.shape.count].map { Double($0) },
        type: TensorType(Scalar.element, parameter.shape))
    }
    let mean = start.gradientNorm * start.gradientNorm
    var sum = 0.0
    for sample in chosen {
      let data = objective.data.map {
        $0.samples(at: Array(sample * size..<(sample + 1) * size))
      }
      sum += try executable.run(point + data).dropFirst().reduce(0) { total, gradient in
        total + gradient.doubles.reduce(0) { $0 + $1 * $1 }
      }
    }
    // A gradient of several samples has as much less of the noise.
    let spread = Double(size) * (sum / Double(chosen.count) - mean)
    return GradientNoiseScale(
      squaredNormOfMean: mean, meanSquaredNorm: mean + spread, samples: n)
  }
}
