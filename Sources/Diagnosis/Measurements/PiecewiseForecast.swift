import Curvature
import Foundation
import LinearMaps
import Training

/// Where plain descent at one rate will be, on a loss that is no quadratic: the quadratic model is
/// followed as far as it can be trusted, the point moved there in closed form, and the curvature
/// measured anew.
///
/// A segment of `m` steps from `x` moves to `x - phi_m(H) g`, `phi_m(l) = (1 - (1 - eta l)^m) / l`,
/// evaluated in the Krylov space of `g`. Its length is set as an integrator sets its step: by how far
/// the gradient found there is from the one foretold, `(I - eta H)^m g`. A segment costs a gradient and
/// some tens of Hessian products however many steps it spans.
///
/// Reference: Hochbruck and Ostermann, "Exponential integrators" (2010), section 2 (the exponential
/// Rosenbrock-Euler method, here for the map of descent in place of its flow).
struct PiecewiseForecast<Scalar: LinearMapScalar> {
  /// A stretch of steps that one quadratic model describes.
  struct Segment {
    let start: Int
    let loss: Double
    let model: QuadraticModel
    /// Whether nothing along the way curves downwards, so that the model has a minimum.
    var isConvex: Bool { model.negativeWeight == 0 }
  }

  /// What the descent is followed to.
  enum Goal: Equatable {
    /// `||g_k|| <= fraction * ||g_0||`.
    case gradientFraction(Double)
    /// `f_k - f* <= tolerance * (f_0 - f*)`, with `f*` the minimum of the latest model.
    case relativeGap(Double)
  }

  let rate: Double
  let segments: [Segment]
  /// Steps to the goal; nil where the budget was spent first or the descent blows up.
  let iterations: Int?

  /// The largest error of a foretold gradient, relative to the larger of both, that is accepted.
  private static var trust: Double { 0.05 }
  /// Segments tried before the course counts as too crooked to foretell.
  private static var attempts: Int { 400 }

  /// - Parameters:
  ///   - zeroThreshold: curvatures within this of zero count as zero.
  ///   - maxOperations: floating-point operations that the forecast may cost.
  /// - Throws: what the objective and its Hessian throw.
  init(
    _ objective: any Loss<Scalar>, from start: [Scalar], rate: Double, to goal: Goal,
    zeroThreshold: Double, maxOperations: Double = .infinity
  ) throws {
    self.rate = rate
    let spent = objective.operations
    var point = start
    var (loss, gradient) = try objective.valueAndGradient(at: point)
    var norm = Scalar.nrm2(gradient.count, gradient)
    let (firstLoss, firstNorm) = (loss, norm)
    var segments: [Segment] = []
    var step = 0
    var length = 64
    var attempts = 0
    var result: Int?

    // A descent that blows up squares its gradient out of sight before the gradient itself overflows.
    walk: while loss.isFinite, (norm * norm).isFinite, attempts < Self.attempts,
      step < Forecast.limit
    {
      if norm == 0 {
        result = step
        break
      }
      let course = try Course(
        objective.hessian(at: point), gradient: gradient, norm: norm, rate: rate, length: length)
      let model = try course.model(zeroThreshold: zeroThreshold)
      let segment = Segment(start: step, loss: loss, model: model)
      segments.append(segment)
      let goalAhead = segment.steps(
        to: goal, within: length, rate: rate, firstNorm: firstNorm, firstLoss: firstLoss)
      if goalAhead == 0 {
        result = step
        break
      }
      length = min(length, goalAhead ?? length)
      while attempts < Self.attempts, objective.operations - spent <= maxOperations {
        attempts += 1
        let target = zip(point, course.displacement(after: length)).map { $0 - $1 }
        let (newLoss, newGradient) = try objective.valueAndGradient(at: target)
        let newNorm = Scalar.nrm2(newGradient.count, newGradient)
        let foretold = course.gradient(after: length)
        let difference = zip(newGradient, foretold).map { $0 - $1 }
        let error =
          Scalar.nrm2(difference.count, difference)
          / max(newNorm, Scalar.nrm2(foretold.count, foretold))
        // One step of descent is exact whatever the curvature.
        if error <= Self.trust || length == 1 {
          (point, loss, gradient, norm) = (target, newLoss, newGradient, newNorm)
          step += length
          if length == goalAhead, error <= Self.trust {
            result = step
            break walk
          }
          length = Self.next(length, error)
          continue walk
        }
        length = min(length - 1, Self.next(length, error))
      }
      break
    }
    self.segments = segments
    iterations = result
  }

  /// The error grows about quadratically with the length, as that of a method of second order.
  ///
  /// Where nothing changes there is none, and the length grows to where counts end.
  private static func next(_ length: Int, _ error: Double) -> Int {
    let factor = error.isFinite ? 0.9 * (trust / max(error, 1e-6)).squareRoot() : 0.1
    let wanted = Double(length) * min(max(factor, 0.1), 8)
    return max(1, Int(min(wanted, Double(Forecast.limit))))
  }

  /// `(f_k - f*) / (f_0 - f*)` along the course; nil beyond it or where it does not end in a bowl.
  func relativeGap(after step: Int) -> Double? {
    guard let iterations, let last = segments.last, last.isConvex,
      let segment = segments.last(where: { $0.start <= step })
    else { return nil }
    let minimum = last.loss - last.model.initialGap
    let drop = segments[0].loss - minimum
    guard drop > 0, segment.isConvex, step <= iterations || segment.start == last.start else {
      return nil
    }
    let forecast = segment.model.forecast(rate: rate)
    let loss = segment.loss - (forecast.initialGap - forecast.gap(after: step - segment.start))
    return (loss - minimum) / drop
  }
}

extension PiecewiseForecast.Segment {
  /// Steps from the segment's start to the goal, by its model alone; those beyond `length` need not
  /// be found.
  fileprivate func steps(
    to goal: PiecewiseForecast.Goal, within length: Int, rate: Double, firstNorm: Double,
    firstLoss: Double
  ) -> Int? {
    let forecast = model.forecast(rate: rate)
    switch goal {
    case .gradientFraction(let fraction):
      // Near a saddle the gradient first falls, then grows: it may be small enough in between.
      guard isConvex else {
        return (0...length).first { forecast.gradientNorm(after: $0) <= fraction * firstNorm }
      }
      return forecast.iterations(
        toGradientFraction: fraction * firstNorm / model.squaredGradientNorm.squareRoot())
    case .relativeGap(let tolerance):
      guard isConvex, forecast.initialGap > 0 else { return nil }
      let drop = firstLoss - loss + forecast.initialGap
      return forecast.iterations(
        toRelativeGap: min(1, tolerance * drop / forecast.initialGap))
    }
  }
}

/// Descent on the quadratic model at one point, in the Krylov space of the gradient.
private struct Course<Scalar: LinearMapScalar> {
  private let lanczos: LanczosFactorization<Scalar>
  private let ritz: TridiagonalEigensystem
  private let norm: Double
  private let rate: Double

  private static var basisLimit: Int { 150 }

  /// Grows the space until the displacement after `length` steps no longer needs its last direction.
  init(
    _ map: CurvatureMap<Scalar>, gradient: [Scalar], norm: Double, rate: Double, length: Int
  ) throws {
    lanczos = try LanczosFactorization(start: gradient)
    self.norm = norm
    self.rate = rate
    let limit = min(map.dimension, Self.basisLimit)
    while true {
      try lanczos.extend(by: map)
      let isLast = lanczos.isInvariant || lanczos.count == limit
      guard isLast || lanczos.count % 10 == 0 else { continue }
      let ritz = try lanczos.ritzSystem(vectors: .all)
      let coefficients = Self.coefficients(ritz, norm) {
        Self.reach(rate: rate, eigenvalue: $0, steps: 8 * length)
      }
      let size = Double.nrm2(coefficients.count, coefficients)
      if isLast || abs(coefficients[coefficients.count - 1]) <= 1e-5 * size {
        self.ritz = ritz
        return
      }
    }
  }

  func model(zeroThreshold: Double) throws -> QuadraticModel {
    try QuadraticModel(
      SpectralMeasure(
        nodes: ritz.values, weights: ritz.first.map { norm * norm * $0 * $0 },
        operatorApplications: ritz.dimension, exact: false), zeroThreshold: zeroThreshold)
  }

  /// `phi_m(H) g`.
  func displacement(after steps: Int) -> [Scalar] {
    lanczos.combination(
      Self.coefficients(ritz, norm) { Self.reach(rate: rate, eigenvalue: $0, steps: steps) })
  }

  /// `(I - eta H)^m g`.
  func gradient(after steps: Int) -> [Scalar] {
    lanczos.combination(
      Self.coefficients(ritz, norm) {
        StepFactor(rate: rate, eigenvalue: $0).value(after: Double(steps))
      })
  }

  /// `||g|| S f(Theta) S' e_1`: the coefficients of `f(H) g` in the basis.
  private static func coefficients(
    _ ritz: TridiagonalEigensystem, _ norm: Double, _ function: (Double) -> Double
  ) -> [Double] {
    let k = ritz.dimension
    var result = [Double](repeating: 0, count: k)
    for index in 0..<k {
      let factor = norm * ritz.first[index] * function(ritz.values[index])
      for row in 0..<k { result[row] += factor * ritz.vectors[index * k + row] }
    }
    return result
  }

  /// `phi_m(l) = (1 - (1 - eta l)^m) / l`, and `eta m` where `l` is too small to divide by.
  private static func reach(rate: Double, eigenvalue: Double, steps: Int) -> Double {
    let product = rate * eigenvalue
    let m = Double(steps)
    if abs(product) * m < 1e-7 { return rate * m }
    let loss =
      product < 0.5
      ? -expm1(m * log1p(-product))
      : 1 - StepFactor(rate: rate, eigenvalue: eigenvalue).value(after: m)
    return loss / eigenvalue
  }
}
