import Curvature
import LinearMaps
import TensorPrograms

/// Why a tracker cannot look at a loss: one sentence and the next step.
public struct TrackingError: Error, Equatable, Sendable, CustomStringConvertible {
  public var tracker: String
  public var reason: String

  public var description: String {
    "The tracker \(tracker) cannot look at this loss: \(reason); leave it out."
  }
}

/// Gradients of the mean losses of disjoint groups of the samples, of equal size, drawn by a seed.
struct GroupGradients<Scalar: LinearMapScalar> {
  /// One per group, flat.
  let gradients: [[Scalar]]
  /// Samples of each.
  let size: Int
  /// The mean of all groups.
  let mean: [Scalar]

  /// Of the groups that the moment brings, or of its sample cut into them.
  init(
    of moment: TrackingMoment<Scalar>, at point: [Scalar], most: Int, tracker: String
  ) throws {
    guard let first = moment.groups.first else {
      try self.init(
        of: moment.sample, at: point, most: most, seed: moment.seed, tracker: tracker)
      return
    }
    let gradients = try moment.groups.map { try $0.valueAndGradient(at: point).gradient }
    guard gradients.count >= 2 else {
      throw TrackingError(
        tracker: tracker, reason: "what it looks at, a batch or all that there is, has one sample")
    }
    self.init(gradients, size: first.sampleCount)
  }

  private init(_ gradients: [[Scalar]], size: Int) {
    var mean = gradients[0]
    Scalar.scal(mean.count, 0, &mean)
    for gradient in gradients {
      Scalar.axpy(mean.count, Scalar(1 / Double(gradients.count)), gradient, &mean)
    }
    (self.gradients, self.size, self.mean) = (gradients, size, mean)
  }

  /// - Parameter most: groups that there are at the most; fewer for fewer samples.
  /// - Throws: `TrackingError` where the loss has no groups of samples; what the executor throws.
  init(
    of loss: any Loss<Scalar>, at point: [Scalar], most: Int, seed: UInt64, tracker: String
  ) throws {
    guard let objective = loss.objective else {
      throw TrackingError(tracker: tracker, reason: "it is no tensor program")
    }
    guard objective.holdsAllSamples else {
      throw TrackingError(tracker: tracker, reason: "other parties hold samples of it too")
    }
    guard !objective.definition.couplesSamples, objective.definition.fixedBatch == nil else {
      throw TrackingError(tracker: tracker, reason: "its samples have no losses of their own")
    }
    let groups = min(most, objective.sampleCount)
    guard groups >= 2 else {
      throw TrackingError(
        tracker: tracker, reason: "what it looks at, a batch or all that there is, has one sample")
    }
    let size = objective.sampleCount / groups
    self.init(
      try SampleGroups(objective, count: groups, size: size).gradients(at: point, seed: seed)
        .gradients,
      size: size)
  }

  /// What the groups say of `|E g|^2` and the trace of the covariance of one sample's gradient in some
  /// coordinates, both without bias:
  ///
  ///     tr S = (mean_j |g_j|^2 - |mean|^2) / (1/m - 1/n),  |E g|^2 = |mean|^2 - tr S / n.
  ///
  /// Reference: McCandlish et al., "An empirical model of large-batch training", arXiv:1812.06162, appendix A.1.
  func moments(_ range: Range<Int>) -> GradientMoments {
    let squares = gradients.map { part in square(part, range) }
    return GradientMoments(
      groupMean: squares.reduce(0, +) / Double(squares.count), ofMean: square(mean, range),
      size: size, groups: gradients.count)
  }

  private func square(_ values: [Scalar], _ range: Range<Int>) -> Double {
    values.withUnsafeBufferPointer {
      let part = $0.baseAddress! + range.lowerBound
      return Scalar.dot(range.count, part, part)
    }
  }
}

/// A quadratic form of the gradient's mean, and of its noise, without bias.
package struct GradientMoments: Sendable {
  /// Of the expected gradient.
  let signal: Double
  /// The trace of one sample's covariance, in that form.
  let noise: Double
  /// Of the mean of all samples' gradients: `signal` with what noise adds.
  let ofMean: Double

  /// `tr C / |g|^2` of the mean over all samples: in a batch this large, noise and gradient are equal in size. Nil
  /// where there is no gradient.
  ///
  /// Reference: McCandlish, Kaplan and Amodei, "An empirical model of large-batch training"
  /// (arXiv:1812.06162).
  package var noiseScale: Double? { ofMean > 0 ? noise / ofMean : nil }

  /// - Parameters:
  ///   - groupMean: the mean of the form over the groups' gradients.
  ///   - ofMean: the form of their mean.
  package init(groupMean: Double, ofMean: Double, size: Int, groups: Int) {
    let (m, n) = (Double(size), Double(size * groups))
    noise = groups > 1 ? max(0, (groupMean - ofMean) / (1 / m - 1 / n)) : 0
    signal = ofMean - noise / n
    self.ofMean = ofMean
  }
}
