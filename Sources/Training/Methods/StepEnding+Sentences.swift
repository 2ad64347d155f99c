import Curvature
import LinearMaps
import Presentation

/// The sentences that methods with inner iterations end with.
extension StepEnding {
  static func nonFinitePoint<Scalar>(
    _ now: Evaluation<Scalar>, in loss: any Loss<Scalar>, step: Int
  ) -> StepEnding {
    let at = step == 0 ? "the start" : "the point after step \(step)"
    guard now.loss.isFinite else {
      return StepEnding(
        .nonFinite,
        "The loss at \(at) is \(now.loss.isNaN ? "NaN" : "infinite"): no direction leads away from "
          + "there; start where the loss is finite, or use float64.")
    }
    let index = now.gradient.firstIndex { !$0.isFinite } ?? 0
    var name = ""
    var offset = 0
    for parameter in loss.parameters {
      if (offset..<offset + parameter.shape.count).contains(index) { name = parameter.name }
      offset += parameter.shape.count
    }
    return StepEnding(
      .nonFinite,
      "The gradient at \(at) is not finite, first for the parameter \(Printable.name(name)): start "
        + "elsewhere, or use float64.")
  }

  static func stationary<Scalar>(
    _ now: Evaluation<Scalar>, tolerance: Double, method: String, isStart: Bool
  ) -> StepEnding {
    let largest = now.largestEntry
    guard largest > 0 else {
      return StepEnding(
        .converged,
        "The gradient is zero at \(isStart ? "the start" : "this point"): it is a minimum, a saddle or a "
          + "maximum, which only the curvature tells; if it is no minimum, start a little beside it."
      )
    }
    return StepEnding(
      .converged,
      "Converged: the largest entry of the gradient is \(Wording.number(largest)), at most the tolerance of "
        + "\(Wording.number(tolerance)); a lower one goes on, as \(method):tolerance="
        + "\(Wording.number(tolerance / 100)).")
  }

  static func failed<Scalar>(
    _ failure: SearchFailure, _ now: Evaluation<Scalar>
  ) -> StepEnding {
    let precision = Scalar.precisionName
    let norm = Wording.number(now.gradientNorm)
    switch failure {
    case .rounding: return rounding(now)
    case .stalled:
      return StepEnding(
        .stalled,
        "No step against the gradient lowers the loss of \(Wording.number(now.loss)), although the "
          + "gradient, of norm \(norm), says that it should: the gradient does not fit the loss here; "
          + "check it, or start elsewhere.")
    case .nonFinite:
      return StepEnding(
        .nonFinite,
        "Every point tried along the direction has a loss or gradient that is not finite, while the loss "
          + "at the last point is \(Wording.number(now.loss)): it lies at the edge of where the loss is "
          + "defined in \(precision); use float64 or start elsewhere.")
    case .unbounded(let loss, let distance):
      let reached =
        loss == -.infinity
        ? "minus infinity" : "\(Wording.number(loss)) at a distance of \(Wording.number(distance))"
      return StepEnding(
        .unbounded,
        "The loss still falls where the search ends, to \(reached): it seems to have no minimum; add a "
          + "penalty, or check its sign.")
    }
  }

  /// The first step tried changes nothing to rounding, because of a number that the method was given.
  static func immobile<Scalar>(_ now: Evaluation<Scalar>, because reason: String) -> StepEnding {
    StepEnding(
      .stalled,
      "The first step tried is too short to change the loss in \(Scalar.precisionName), while the gradient still "
        + "has a norm of \(Wording.number(now.gradientNorm)), because of \(reason).")
  }

  static func nonFiniteCurvature<Scalar>(_ now: Evaluation<Scalar>) -> StepEnding {
    StepEnding(
      .nonFinite,
      "A product with the curvature is not finite where the loss is \(Wording.number(now.loss)): use float64, "
        + "or a method that takes gradients alone, as lbfgs.")
  }

  static func idle<Scalar>(_ now: Evaluation<Scalar>, steps: Int) -> StepEnding {
    StepEnding(
      .rounding,
      "In the last \(steps) steps neither the loss, \(Wording.number(now.loss)), has fallen by more than its "
        + "rounding in \(Scalar.precisionName), nor its gradient, of norm "
        + "\(Wording.number(now.gradientNorm)), by a tenth: " + more(Scalar.self))
  }

  private static func more<Scalar: LinearMapScalar>(_ type: Scalar.Type) -> String {
    type == Float.self ? "go on in float64." : "in float64 there is no more to be had this way."
  }

  static func rounding<Scalar>(_ now: Evaluation<Scalar>) -> StepEnding {
    StepEnding(
      .rounding,
      "The decrease still to be had is below the rounding of the loss in \(Scalar.precisionName), "
        + "\(Wording.number(now.loss)) with a gradient of norm \(Wording.number(now.gradientNorm)): "
        + more(Scalar.self))
  }
}
