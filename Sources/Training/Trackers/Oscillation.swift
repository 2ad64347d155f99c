import Curvature
import LinearMaps

/// By what a step multiplies the slope along the sharpest direction `u`: `g(x')'u / g(x)'u`.
///
/// Plain descent on a quadratic multiplies it by `1 - eta lambda`: between 0 and 1 it is gone down, below 0 stepped
/// over from side to side, and below -1 ever further.
public struct Oscillation: Tracker {
  public static let entry = TrackerEntry(
    "oscillation", formula: "g(x')'u / g(x)'u with the sharpest direction u",
    hyperparameters: SharpnessLook.hyperparameters
  ) { Oscillation(SharpnessLook($0)) }

  public let name = "oscillation"
  public let phrase = "what a step does to the slope along the sharpest direction"
  public var look: SharpnessLook
  public let looksAtSteps = true

  public init(_ look: SharpnessLook = SharpnessLook()) { self.look = look }

  public var hyperparameters: [String: Double] { look.hyperparameters }
  public var period: Int { look.period }

  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    guard let origin = moment.origin,
      let sharpest = try look(
        name, moment, at: origin, inverse: nil, criticalProduct: nil, keepsDirection: true,
        &memory
      ).first, let kept = memory.vectors["direction"]
    else { return [] }
    let direction: [Scalar] = scalars(kept)
    func slope(_ point: [Scalar]) throws -> Double {
      Scalar.dot(
        point.count, try moment.sample.valueAndGradient(at: point).gradient, direction)
    }
    let (before, after) = try (slope(origin), slope(moment.point))
    guard before != 0, after.isFinite else { return [] }
    return [TrackedValue(name, after / before, isReliable: sharpest.isReliable)]
  }
}
