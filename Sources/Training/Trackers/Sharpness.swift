import Curvature
import LinearMaps

/// The largest eigenvalue of the Hessian beside what the optimizer stands at this rate: 2 over the rate for
/// gradient descent, `(2 + 2b) / rate` for heavy-ball momentum, `(2 + 2b) / ((1 + 2b) rate)` for Nesterov's.
///
/// An optimizer that divides its steps has no such limit for the Hessian itself, but for the divided one:
/// `PreconditionedSharpness`.
///
/// Reference: Cohen et al., "Gradient descent on neural networks typically occurs at the edge of stability",
/// arXiv:2103.00065, appendix B.
public struct Sharpness: Tracker {
  public static let entry = TrackerEntry(
    "sharpness", formula: "lambda_max(H), beside the limit of the optimizer at this rate",
    hyperparameters: SharpnessLook.hyperparameters
  ) { Sharpness(SharpnessLook($0)) }

  public let name = "sharpness"
  public let phrase = "the largest eigenvalue of the Hessian"
  public var look: SharpnessLook

  public init(_ look: SharpnessLook = SharpnessLook()) { self.look = look }

  public var hyperparameters: [String: Double] { look.hyperparameters }
  public var period: Int { look.period }
  public let isGuiding = true

  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    let rule = moment.stepper?.rule
    let applies = rule?.isPreconditioned == false && moment.stepper?.hasRateFactors == false
    return try look(
      name, moment, at: moment.point, inverse: nil,
      criticalProduct: applies ? rule?.criticalProduct : nil, &memory)
  }
}

/// The largest eigenvalue of `P^-1/2 H P^-1/2` with the diagonal `P` that the optimizer divides its steps by,
/// beside what it stands at this rate: 38 over the rate for Adam at `b1 = 0.9`, 2 over the rate for RMSProp.
///
/// Factors of the rate per parameter belong to `P^-1`. For an optimizer that divides by nothing it is the
/// sharpness itself.
///
/// Reference: Cohen et al., "Adaptive gradient methods at the edge of stability", arXiv:2207.14484.
public struct PreconditionedSharpness: Tracker {
  public static let entry = TrackerEntry(
    "preconditioned-sharpness",
    formula:
      "lambda_max(P^-1 H) with the P that steps are divided by, beside its limit at this rate",
    hyperparameters: SharpnessLook.hyperparameters
  ) { PreconditionedSharpness(SharpnessLook($0)) }

  public let name = "preconditioned-sharpness"
  public let phrase = "the largest eigenvalue of the Hessian as the optimizer's division leaves it"
  public var look: SharpnessLook

  public init(_ look: SharpnessLook = SharpnessLook()) { self.look = look }

  public var hyperparameters: [String: Double] { look.hyperparameters }
  public var period: Int { look.period }
  public let isGuiding = true

  /// Nothing before the first step of an optimizer that has no `P` yet.
  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    guard let stepper = moment.stepper else { return [] }
    let rule = stepper.rule
    let inverse = stepper.inversePreconditioner
    guard inverse != nil || rule?.isPreconditioned != true else { return [] }
    return try look(
      name, moment, at: moment.point, inverse: inverse,
      criticalProduct: rule?.criticalProduct, &memory)
  }
}

/// How a sharpness is looked at, and how often.
public struct SharpnessLook: Sendable, Equatable {
  public var period = 50
  public var search = WarmSharpness()

  public init() {}

  init(_ values: [String: Double]) {
    period = values.period(50)
    search.tolerance = values["tolerance"]!
    search.productLimit = Int(values["products"]!)
  }

  static let hyperparameters = [
    .period(50),
    Hyperparameter(
      "tolerance", 0.1, .between(0, 1), "the relative residual that a check stops at"),
    Hyperparameter(
      "products", 3, .count(from: 1, to: 1e6), "Hessian products of a check at the most"),
  ]

  var hyperparameters: [String: Double] {
    [
      "period": Double(period), "tolerance": search.tolerance,
      "products": Double(search.productLimit),
    ]
  }

  /// One look: the eigenvalue and, where it is over the limit, how much of the loss lies along its vector `u`,
  /// by the quadratic there: `(g'u)^2 / (2 lambda)`.
  func callAsFunction<Scalar: LinearMapScalar>(
    _ name: String, _ moment: TrackingMoment<Scalar>, at point: [Scalar], inverse: [Double]?,
    criticalProduct: Double?, keepsDirection: Bool = false, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    let checks = memory.numbers["checks", default: 0]
    memory.numbers["checks"] = checks + 1
    let seed = moment.seed &+ UInt64(checks) &* 0x9E37_79B9_7F4A_7C15
    let start = memory.vectors["start"] ?? []
    do {
      let hessian = try moment.sample.hessian(at: point)
      let factor = try inverse.map { try DiagonalPreconditioner<Scalar>(inverse: $0) }
      let found =
        try factor.map {
          try search.look(of: PreconditionedMap(hessian, by: $0), start: start, seed: seed)
        } ?? search.look(of: hessian, start: start, seed: seed)
      memory.vectors["start"] = found.nextNumbers
      if keepsDirection { memory.vectors["direction"] = doubles(found.vector) }
      let limit = moment.rate > 0 ? criticalProduct.map { $0 / moment.rate } : nil
      var values = [
        TrackedValue(
          name, found.value, error: found.residual, threshold: limit,
          isReliable: found.isReliable)
      ]
      if let limit, found.value > limit {
        var gradient = try moment.sample.valueAndGradient(at: point).gradient
        gradient.withUnsafeMutableBufferPointer { factor?.multiplyTransposed($0.baseAddress!) }
        let slope = Scalar.dot(gradient.count, gradient, found.vector)
        values.append(TrackedValue(Self.lossAlong, slope * slope / (2 * found.value)))
      }
      return values
    } catch  where error.isNonFinite {
      // Where the run has left the numbers, the steps themselves will say so.
      memory.vectors = [:]
      return []
    }
  }

  /// The name of what `StabilityGuard` watches grow.
  static let lossAlong = "loss-along-sharpest"
}

extension Hyperparameter {
  /// With 0, the standard, the usual one; a run that is shorter than twenty of them may choose another.
  static func period(_ usual: Int) -> Hyperparameter {
    Hyperparameter(
      "period", 0, .count(from: 0), "steps between two checks; 0: \(usual), or less in a short run")
  }
}

extension [String: Double] {
  /// The period of a tracker, with its usual one for 0.
  func period(_ usual: Int) -> Int {
    let given = Int(self["period"]!)
    return given > 0 ? given : usual
  }
}
