import Curvature
import LinearMaps

/// A point with its loss and gradient.
struct Evaluation<Scalar: LinearMapScalar> {
  var point: [Scalar]
  var loss: Double
  var gradient: [Scalar]
  /// What a difference of losses here may be for rounding alone.
  var noise: Double

  var gradientNorm: Double { Scalar.nrm2(gradient.count, gradient) }
  var largestEntry: Double { largestMagnitude(gradient) }
  var isFinite: Bool { loss.isFinite && Scalar.firstNonFinite(gradient.count, gradient) == nil }

  /// The decrease of the loss over a step to another point. Where it is lost in rounding, as is the one
  /// foretold, it is taken from the slopes at both ends, which is exact for a quadratic.
  func decrease(
    to trial: Evaluation, along step: [Scalar], foretold: Double
  ) -> (value: Double, isBlurred: Bool) {
    let difference = loss - trial.loss
    guard foretold <= noise, abs(difference) <= noise else { return (difference, false) }
    let n = step.count
    return (-(Scalar.dot(n, gradient, step) + Scalar.dot(n, trial.gradient, step)) / 2, true)
  }

  /// Whether a decrease is too small for the arithmetic even in the slopes.
  func isBelowRounding(_ decrease: Double) -> Bool {
    decrease <= 1e-3 * Double(Scalar.ulpOfOne) * abs(loss)
  }

  /// `x + t d`.
  func point(_ t: Double, along direction: [Scalar]) -> [Scalar] {
    var moved = point
    Scalar.axpy(moved.count, Scalar(t), direction, &moved)
    return moved
  }
}

/// A loss of which the calls are counted.
final class CountedLoss<Scalar: LinearMapScalar> {
  let loss: any Loss<Scalar>
  var gradients = 0
  var products = 0
  /// What losses may differ by for rounding alone, as a share of them. A loss is mostly a sum of squares of small
  /// differences of large numbers, whose rounding is far above its own last place: ten thousand units of it are
  /// allowed for, at most 1e-4, and more where a search that failed has measured more.
  var relativeNoise = min(1e4 * Double(Scalar.ulpOfOne), 1e-4)

  init(_ loss: any Loss<Scalar>) { self.loss = loss }

  func evaluate(_ point: [Scalar]) throws -> Evaluation<Scalar> {
    gradients += 1
    let (value, gradient) = try loss.valueAndGradient(at: point)
    return Evaluation(
      point: point, loss: value, gradient: gradient, noise: relativeNoise * abs(value))
  }

  /// Measures the rounding of the loss, as the spread over points that differ by last places alone, and allows
  /// for twice that from now on where it is more than was known.
  func measureNoise(at now: inout Evaluation<Scalar>) throws -> (spread: Double, isHigher: Bool) {
    var (least, most) = (now.loss, now.loss)
    for k in 1...4 {
      let point = now.point.indices.map { index in
        let change = Scalar(k) * Scalar.ulpOfOne
        return now.point[index] * (1 + ((index + k) % 2 == 0 ? change : -change))
      }
      let value = try evaluate(point).loss
      guard value.isFinite else { continue }
      (least, most) = (min(least, value), max(most, value))
    }
    let share = now.loss == 0 ? 0 : min(1, 2 * (most - least) / abs(now.loss))
    guard share > relativeNoise else { return (most - least, false) }
    relativeNoise = share
    now.noise = share * abs(now.loss)
    return (most - least, true)
  }

  /// The curvature at a point, its products counted; nil where a number of it is not finite.
  func curvature(_ kind: CurvatureKind, at point: [Scalar]) throws -> CountedProducts<Scalar>? {
    do {
      return CountedProducts(try loss.curvature(kind, at: point), self)
    } catch  where error.isNonFinite {
      return nil
    }
  }
}

/// What trials say of the gradient: by how much a loss is above what the slopes at both ends of a step make of
/// it, where these are about the same.
struct Misfit {
  private var largest = 0.0

  /// - Parameters:
  ///   - rise: of the loss over the step.
  ///   - before: the gradient before the step times the step.
  ///   - after: the gradient after the step times the step.
  mutating func note(rise: Double, before: Double, after: Double) {
    guard before < 0, (0.5...2).contains(after / before) else { return }
    let misfit = rise - (before + after) / 2
    if misfit > -0.5 * before { largest = max(largest, misfit) }
  }

  /// Why nothing lowers the loss, given the spread of losses that is rounding.
  func failure(spread: Double) -> SearchFailure { largest > 100 * spread ? .stalled : .rounding }
}
