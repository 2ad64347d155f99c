import Curvature
import LinearMaps
import TensorPrograms

/// Disjoint groups of an objective's samples, of equal size, and the gradients of their mean losses.
struct SampleGroups<Scalar: LinearMapScalar> {
  let count: Int
  /// Samples of each.
  let size: Int
  /// What all of them take up of the samples.
  var share: Double { Double(count * size) / Double(objective.sampleCount) }
  private let objective: Objective<Scalar>
  private let sampled: SampleGradients<Scalar>

  /// - Precondition: there are as many samples.
  /// - Throws: what tracing and compiling throw.
  init(_ objective: Objective<Scalar>, count: Int, size: Int) throws {
    precondition(count * size <= objective.sampleCount, "\(count) groups of \(size) are too many")
    self.objective = objective
    self.count = count
    self.size = size
    sampled = try SampleGradients(objective, size: size)
  }

  /// The gradients at a point and the mean of the groups' losses; a seed draws the groups.
  ///
  /// - Throws: what the executor throws.
  func gradients(
    at point: [Scalar], seed: UInt64
  ) throws -> (loss: Double, gradients: [[Scalar]]) {
    var generator = SeededGenerator(seed: seed)
    let order = (0..<objective.sampleCount).shuffled(using: &generator)
    var (loss, gradients): (Double, [[Scalar]]) = (0, [])
    for group in 0..<count {
      let (value, gradient) = try sampled(
        Array(order[group * size..<(group + 1) * size]), at: point)
      objective.count(sampled.operations)
      loss += value / Double(count)
      gradients.append(gradient)
    }
    return (loss, gradients)
  }
}
