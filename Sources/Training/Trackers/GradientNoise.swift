import Curvature
import LinearMaps

/// How noisy the gradients of single samples are: the noise scale `tr S / |g|^2`, the batch from which more
/// samples stop helping, `tr(H S) / g'Hg`, and the signal of each layer beside the noise of a batch,
/// `B |g_l|^2 / tr S_l`; `g` the expected gradient, `S` the covariance of one sample's, `H` the Hessian.
///
/// Each without bias, from gradients of groups of the tracked sample. Where the groups do not tell the gradient
/// from noise, the value is a lower bound and not reliable.
///
/// Reference: McCandlish et al., arXiv:1812.06162, sections 2.2 and appendix A.1.
public struct GradientNoise: Tracker {
  public static let entry = TrackerEntry(
    "gradient-noise", formula: "tr S / |g|^2, tr(H S) / g'Hg, and B |g_l|^2 / tr S_l by layer",
    hyperparameters: [
      .period(200),
      Hyperparameter(
        "groups", 8, .count(from: 2, to: 1e6), "groups of samples whose gradients are compared"),
    ]
  ) { GradientNoise(period: $0.period(200), groups: Int($0["groups"]!)) }

  public let name = "gradient-noise"
  public let phrase = "the noise of the gradient beside its size"
  public let period: Int
  public let groups: Int

  public init(period: Int = 200, groups: Int = 8) { (self.period, self.groups) = (period, groups) }

  public var hyperparameters: [String: Double] {
    ["period": Double(period), "groups": Double(groups)]
  }

  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    let point = moment.point
    let count = point.count
    let found = try GroupGradients(
      of: moment, at: point, most: groups, tracker: name)
    var values = [ratio("gradient-noise-scale", found.moments(0..<count))]
    let hessian = try moment.sample.hessian(at: point)
    func form(_ vector: [Scalar]) throws -> Double {
      Scalar.dot(count, vector, try hessian(vector))
    }
    let curved = try GradientMoments(
      groupMean: found.gradients.reduce(0) { try $0 + form($1) } / Double(found.gradients.count),
      ofMean: form(found.mean), size: found.size, groups: found.gradients.count)
    if curved.noise > 0, curved.ofMean > 0 { values.append(ratio("critical-batch-size", curved)) }
    let batch = Double(moment.batchSize)
    for layer in moment.sample.parameters.layers {
      let parts = moment.sample.coordinates(of: layer.parameters).map { found.moments($0) }
      let (signal, noise) = (
        parts.reduce(0) { $0 + $1.signal }, parts.reduce(0) { $0 + $1.noise }
      )
      guard noise > 0 else { continue }
      values.append(
        TrackedValue(
          "gradient-signal-to-noise", part: layer.name, batch * max(0, signal) / noise,
          isReliable: signal > 0))
    }
    return values
  }

  private func ratio(_ name: String, _ moments: GradientMoments) -> TrackedValue {
    let known = moments.signal > 0
    let divisor = known ? moments.signal : moments.ofMean
    return TrackedValue(name, moments.noise / divisor.asDivisor, isReliable: known)
  }
}
