import Curvature
import LinearMaps
import TensorPrograms
import Training

/// What the samples' gradients at the point of diagnosis tell by themselves.
extension MiniBatchStudy {
  /// The gradients' noise at the point, from single samples.
  func gradientNoise() throws -> GradientMoments? {
    guard start.loss.isFinite, let samples = try ChosenGradients(self, "the gradients' noise", 1)
    else { return nil }
    let mean = start.gradientNorm * start.gradientNorm
    var sum = 0.0
    for sample in samples.chosen {
      sum += try samples.gradient(sample, at: start.point).reduce(0) { $0 + $1 * $1 }
    }
    // A gradient of several samples has as much less of the noise.
    let spread = Double(samples.size) * (sum / Double(samples.chosen.count) - mean)
    return GradientMoments(
      groupMean: mean + spread, ofMean: mean, size: 1, groups: samples.count)
  }

  /// The rate above which the second moments of the error along the sharpest direction grow, by the curvatures
  /// `u'H_i u` of single samples along it at this point: the limit of batches, of the quadratic there, is not
  /// above it, and lower where noise leads into other directions too. Of optimizers that divide by nothing.
  func limitAtMost() throws -> Double? {
    guard let method = HeavyBallForm(start.optimizer), !method.isPreconditioned,
      measured.survey.largest > measured.survey.zeroThreshold,
      let samples = try ChosenGradients(self, "the samples' curvatures", 2)
    else { return nil }
    let direction = measured.survey.sharpest
    let size = Double(1 + Scalar.nrm2(start.point.count, start.point))
    let step = Double(Scalar.ulpOfOne).squareRoot().squareRoot() * max(1, size / 10)
    func moved(_ step: Double) -> [Scalar] {
      zip(start.point, direction).map { $0 + Scalar(step) * $1 }
    }
    let (ahead, behind) = (moved(step), moved(-step))
    let curvatures = try samples.chosen.map { sample -> Double in
      let difference = try zip(
        samples.gradient(sample, at: ahead), samples.gradient(sample, at: behind)
      ).map { $0 - $1 }
      return zip(difference, direction).reduce(0) { $0 + $1.0 * Double($1.1) } / (2 * step)
    }
    let count = Double(curvatures.count)
    let mean = curvatures.reduce(0, +) / count
    let variance = curvatures.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let factor = BatchNoise.factor(
      batch, sampling == .shuffle ? .subsets : .replacement, of: sampleCount)
    guard variance.isFinite else { return nil }
    return method.form.limit(
      curvature: measured.survey.largest, variance: Double(samples.size) * variance * factor)
      / method.share
  }
}

/// Gradients of single samples at points, or of as few as the loss takes.
private struct ChosenGradients<Scalar: LinearMapScalar> {
  private let sampled: SampleGradients<Scalar>
  /// Samples of one gradient.
  var size: Int { sampled.size }
  /// Gradients that there are.
  let count: Int
  /// At most 256, drawn by the seed.
  let chosen: [Int]

  /// Nil where samples depend on each other, or where so many evaluations of each would take too long.
  init?(_ study: MiniBatchStudy<Scalar>, _ name: String, _ evaluations: Double) throws {
    let start = study.start
    guard let objective = start.objective.objective, !objective.definition.couplesSamples,
      start.problem.sampleCount >= 2
    else { return nil }
    let size = objective.definition.fixedBatch ?? 1
    count = start.problem.sampleCount / size
    guard count >= 2 else { return nil }
    let share = evaluations * start.budget.gradient * Double(min(count, 256)) / Double(count)
    guard start.budget.affords(name, work: share, share: 0.1) else { return nil }
    var generator = SeededGenerator(seed: study.seed &+ 1)
    chosen =
      count <= 256
      ? Array(0..<count) : Array((0..<count).shuffled(using: &generator).prefix(256))
    sampled = try SampleGradients(objective, size: size)
  }

  func gradient(_ sample: Int, at x: [Scalar]) throws -> [Double] {
    try sampled(Array(sample * size..<(sample + 1) * size), at: x).gradient.map { Double($0) }
  }
}
