import Curvature
import LinearMaps
import TensorPrograms

/// The gradients of disjoint groups of samples, drawn anew for each check by its number and a seed.
///
/// With groups that take up all samples a check costs about one gradient.
final class DrawnGroupGradients<Scalar: LinearMapScalar> {
  let groups: Int
  /// Samples of each.
  let size: Int
  /// What all of them take up of the samples.
  var share: Double { Double(groups * size) / Double(objective.sampleCount) }
  private let objective: Objective<Scalar>
  private let sampled: SampleGradients<Scalar>
  private let seed: UInt64

  /// Nil where the loss has no groups: it is no tensor program, couples its samples, takes one size of batch
  /// alone that is too large, shares its samples with other parties, or has too few.
  ///
  /// - Parameter batchSize: of the run's own mini-batches; fewer samples to a group where there are too few.
  /// - Throws: what tracing and compiling throw.
  init?(_ loss: any Loss<Scalar>, groups: Int, batchSize: Int, seed: UInt64) throws {
    guard let objective = loss.objective, objective.holdsAllSamples,
      !objective.definition.couplesSamples
    else { return nil }
    let samples = objective.sampleCount
    let size = objective.definition.fixedBatch ?? min(batchSize, samples / groups)
    guard size >= 1, groups * size <= samples else { return nil }
    self.objective = objective
    self.groups = groups
    self.size = size
    self.seed = seed
    sampled = try SampleGradients(objective, size: size)
  }

  /// The gradients at a point and the mean of the groups' losses.
  ///
  /// - Throws: what the executor throws.
  func check(_ number: Int, at point: [Scalar]) throws -> (loss: Double, gradients: [[Scalar]]) {
    var generator = SeededGenerator(
      seed: seed ^ UInt64(bitPattern: Int64(number)) &* 0x9FB2_1C65_1E98_DF25)
    let order = (0..<objective.sampleCount).shuffled(using: &generator)
    var (loss, gradients): (Double, [[Scalar]]) = (0, [])
    for group in 0..<groups {
      let chosen = Array(order[group * size..<(group + 1) * size])
      let (value, gradient) = try sampled(chosen, at: point)
      objective.count(sampled.operations)
      loss += value / Double(groups)
      gradients.append(gradient)
    }
    return (loss, gradients)
  }
}
