import Curvature
import LinearMaps
import Presentation

/// Newton's method in a trust region: conjugate gradients for `H p = -g` that stop at the region's boundary, and
/// follow negative curvature to it; the region grows and shrinks with how well the quadratic model foretold
/// the loss.
///
/// A step is over with the first trial that is taken. A trial that is not costs one gradient and no product:
/// a smaller region cuts the same path of conjugate gradients.
///
/// Reference: Nocedal and Wright, "Numerical Optimization" (2006), algorithms 4.1 and 7.2.
public struct TrustRegionNewton: IterativeMethod {
  /// Of the region at the start, in the units of the parameters.
  public let radius: Double
  /// Products of a step at most.
  public let iterations: Int
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(radius: Double = 1, iterations: Int = 250, tolerance: Double = 1e-8) {
    precondition(radius > 0 && iterations >= 1, "a region has a radius, a path an iteration")
    self.radius = radius
    self.iterations = iterations
    self.tolerance = tolerance
  }

  public static let entry = MethodEntry(
    "newton-cg", formula: "x += p, p by conjugate gradients for H p = -g within a trust region",
    hyperparameters: [
      Hyperparameter("radius", 1, .above(0), "of the trust region at the start"),
      Hyperparameter("iterations", 250, .count(from: 1, to: 1e9), "products of a step at most"),
      .tolerance,
    ]
  ) {
    TrustRegionNewton(
      radius: $0["radius"]!, iterations: Int($0["iterations"]!), tolerance: $0["tolerance"]!)
  }

  public var name: String { Self.entry.name }
  public var phrase: String { "Newton-CG in a trust region" }
  public var hyperparameters: [String: Double] {
    ["radius": radius, "iterations": Double(iterations), "tolerance": tolerance]
  }

  public func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    MethodRun(
      self, loss, from: start, tolerance: tolerance,
      engine: TrustRegionEngine<Scalar>(radius: radius, iterations: iterations))
  }

  public func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    try MethodRun(
      self, resuming: state, of: loss, tolerance: tolerance,
      engine: TrustRegionEngine<Scalar>(radius: radius, iterations: iterations))
  }
}

private struct TrustRegionEngine<Scalar: LinearMapScalar>: MethodEngine {
  /// The radius at the start.
  let given: Double
  var radius: Double
  let iterations: Int

  init(radius: Double, iterations: Int) {
    given = radius
    self.radius = radius
    self.iterations = iterations
  }

  var memory: MethodMemory<Scalar> { MethodMemory(numbers: [radius]) }

  mutating func restore(_ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>) -> Bool {
    guard memory.vectors.isEmpty, memory.numbers.count == 1, memory.numbers[0] > 0 else {
      return false
    }
    radius = memory.numbers[0]
    return true
  }

  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding? {
    let norm = now.gradientNorm
    guard let hessian = try problem.curvature(.hessian, at: now.point) else {
      return .nonFiniteCurvature(now)
    }
    var path = SteihaugPath(
      hessian, gradient: now.gradient, tolerance: min(0.5, norm.squareRoot()) * norm,
      maxIterations: iterations)
    let size = Scalar.nrm2(now.point.count, now.point)
    let firstRadius = radius
    var (isTried, hasSeenFinite) = (false, false)
    var misfit = Misfit()
    while true {
      let cut: SteihaugPath<CountedProducts<Scalar>>.Cut
      do {
        cut = try path.cut(radius * rate)
      } catch  where error.isNonFinite {
        return .nonFiniteCurvature(now)
      }
      let length = Scalar.nrm2(cut.step.count, cut.step)
      let point = now.point(1, along: cut.step)
      guard point != now.point else {
        guard hasSeenFinite || !isTried else { return .failed(.nonFinite, now) }
        if !isTried, let ending = heldBack(at: now, cut) { return ending }
        let (spread, isHigher) = try problem.measureNoise(at: &now)
        guard isHigher else { return .failed(misfit.failure(spread: spread), now) }
        radius = firstRadius
        continue
      }
      let trial = try problem.evaluate(point)
      isTried = true
      if trial.loss == -.infinity {
        return .failed(.unbounded(loss: trial.loss, distance: length), now)
      }
      if trial.isFinite {
        let (decrease, isBlurred) = now.decrease(
          to: trial, along: cut.step, foretold: cut.decrease)
        hasSeenFinite = true
        misfit.note(
          rise: trial.loss - now.loss,
          before: Scalar.dot(point.count, now.gradient, cut.step),
          after: Scalar.dot(point.count, trial.gradient, cut.step))
        if now.isBelowRounding(cut.decrease), isBlurred, trial.gradientNorm >= norm {
          return heldBack(at: now, cut) ?? .rounding(now)
        }
        let ratio = decrease / cut.decrease
        if ratio < 0.25 {
          radius = 0.25 * length / rate
        } else if ratio > 0.75, cut.isAtBoundary {
          radius *= 2
        }
        if ratio > 0.1 {
          let isEndless = radius > 1e10 && 4 * length > size
          now = trial
          return isEndless
            ? .failed(.unbounded(loss: trial.loss, distance: radius), now) : nil
        }
      } else {
        radius = 0.25 * length / rate
      }
    }
  }

  /// The end of a step that the radius given has cut to nothing.
  private func heldBack(
    at now: Evaluation<Scalar>, _ cut: SteihaugPath<CountedProducts<Scalar>>.Cut
  ) -> StepEnding? {
    guard radius == given, cut.isAtBoundary else { return nil }
    return .immobile(
      now,
      because: "the radius of \(Wording.number(given)) of the trust region: give a larger one")
  }
}
