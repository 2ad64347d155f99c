import Curvature
import LinearMaps

/// The truncation error of a step `d`: how far the loss after it lies above what the slope said,
/// `f(x + d) - f(x) - g'd`, beside `d'Hd / 2`, what curvature foretells. For plain descent that is
/// `f(x - eta g) - f(x) + eta |g|^2` beside `eta^2 g'Hg / 2`.
public struct StepError: Tracker {
  public static let entry = TrackerEntry(
    "truncation", formula: "f(x + d) - f(x) - g'd, beside d'Hd / 2",
    hyperparameters: [.period(100)]
  ) { StepError(period: $0.period(100)) }

  public let name = "truncation"
  public let phrase = "the truncation error of a step"
  public let period: Int
  public let looksAtSteps = true

  public init(period: Int = 100) { self.period = period }

  public var hyperparameters: [String: Double] { ["period": Double(period)] }

  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    guard let origin = moment.origin else { return [] }
    var move = moment.point
    let after = try moment.sample.value(at: move)
    Scalar.axpy(move.count, -1, origin, &move)
    let (before, gradient) = try moment.sample.valueAndGradient(at: origin)
    do {
      let product = try moment.sample.hessian(at: origin)(move)
      let error = after - before - Scalar.dot(move.count, gradient, move)
      let rounding = 8 * Double(Scalar.ulpOfOne) * max(abs(after), abs(before))
      return [
        TrackedValue(
          "truncation-error", error, error: rounding, isReliable: rounding <= 0.1 * abs(error)),
        TrackedValue("truncation-foretold", Scalar.dot(move.count, move, product) / 2),
      ]
    } catch  where error.isNonFinite {
      return []
    }
  }
}
