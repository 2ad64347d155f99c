import Curvature
import LinearMaps
import TensorPrograms

/// The gradients of disjoint groups of samples, drawn anew for each check by its number and a seed.
///
/// With groups that take up all samples a check costs about one gradient.
struct DrawnGroupGradients<Scalar: LinearMapScalar> {
  let drawn: SampleGroups<Scalar>
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
    self.seed = seed
    drawn = try SampleGroups(objective, count: groups, size: size)
  }

  /// The gradients at a point and the mean of the groups' losses.
  ///
  /// - Throws: what the executor throws.
  func check(_ number: Int, at point: [Scalar]) throws -> (loss: Double, gradients: [[Scalar]]) {
    try drawn.gradients(
      at: point, seed: seed ^ UInt64(bitPattern: Int64(number)) &* 0x9FB2_1C65_1E98_DF25)
  }
}
