import Curvature
import Foundation
import LinearMaps
import Training

/// What the measured curvature says beforehand of a run.
extension Measurements {
  private var tolerance: Double { start.request.trials.tolerance }

  /// Predicted steps to the tolerance; nil on an indefinite Hessian, whose quadratic has no minimum.
  func iterations(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, by optimizer: any Optimizer = GradientDescent()
  ) -> Int? {
    survey.curvature.isIndefinite || finiteMinimum.isAbsent
      || survey.hidesGains(tolerance: tolerance)
      ? nil
      : survey.model.forecast(rate: rate, by: optimizer)?
        .iterations(toRelativeGap: tolerance)
  }

  /// Predicted steps of plain descent to the tolerance: by the quadratic model where the loss is one,
  /// else by following the model from point to point. Nil where that comes to no end.
  func descentIterations(
    _ objective: any Loss<Scalar>, from point: [Scalar], rate: Double,
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> Int? {
    guard !finiteMinimum.isAbsent else { return nil }
    guard !start.problem.isQuadratic else { return iterations(survey, rate: rate) }
    guard !survey.isBlindToGains(tolerance: tolerance) else { return nil }
    guard start.budget.affords("the predicted course", products: 10, share: 0.005) else {
      return nil
    }
    do {
      return try piecewiseForecast(objective, from: point, rate: rate, survey).iterations
    } catch is LinearMapError {
      return nil
    } catch is CurvatureError {
      return nil
    }
  }

  /// The course of plain descent on a loss that is no quadratic, within a tenth of what a trial may
  /// cost.
  func piecewiseForecast(
    _ objective: any Loss<Scalar>, from point: [Scalar], rate: Double,
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> PiecewiseForecast<Scalar> {
    let isOwn = objective as AnyObject === start.objective as AnyObject
    if isOwn, let known = courses.byRate[rate] { return known }
    let forecast = try PiecewiseForecast(
      objective, from: point, rate: rate, to: .relativeGap(tolerance),
      zeroThreshold: survey.rounding,
      maxOperations: start.budget.thoroughness.squareRoot()
        * min(1.5e10, 1000 * objective.gradientOperations()))
    if isOwn { courses.byRate[rate] = forecast }
    return forecast
  }

  /// Courses of plain descent from the point of diagnosis that were followed already.
  final class Courses {
    fileprivate var byRate: [Double: PiecewiseForecast<Scalar>] = [:]
  }

  /// `1 / upperBound`; nil without positive curvature.
  var safeRate: Double? {
    survey.largest > survey.zeroThreshold ? 1 / survey.upperBound : nil
  }

  /// Nil where no count can be vouched for.
  func fastestRate(_ survey: CurvatureSurvey<Scalar>) -> Double? {
    finiteMinimum.isAbsent || survey.hidesGains(tolerance: tolerance)
      ? nil
      : survey.model.fastestRate(upperBound: survey.upperBound, tolerance: tolerance)?.rate
  }

  /// How far momentum throws the loss up first, as a multiple of the first gap; nil below twice of it.
  func peak(rate: Double, by optimizer: any Optimizer) -> Double? {
    guard !optimizer.isPlainDescent, let steps = iterations(survey, rate: rate, by: optimizer),
      let peak = survey.model.forecast(rate: rate, by: optimizer)?
        .peakRelativeGap(within: steps), peak >= 2
    else { return nil }
    return peak
  }

  /// Polyak's rate and momentum for curvatures from `mu` to the upper bound or somewhat above it, with
  /// those that need the fewest predicted steps until the gap stays down: weights differ, so the flattest
  /// direction need not decide.
  var tunedMomentum: (rate: Double, momentum: Double) {
    // Where the flat directions are unknown, the customary coefficient.
    guard !survey.isMeasureCoarse, !finiteMinimum.isAbsent,
      !survey.hidesGains(tolerance: tolerance)
    else {
      return (1 / survey.upperBound, 0.9)
    }
    let modes = survey.model.reachable.map(\.eigenvalue)
    let largest = survey.upperBound
    let smallest = max(modes.min() ?? largest, 1e-30 * largest)
    func steps(_ tuned: (rate: Double, momentum: Double)) -> Int {
      guard tuned.momentum < 1 else { return .max }
      return survey.model.forecast(rate: tuned.rate, momentum: tuned.momentum)
        .boundedIterations(toRelativeGap: tolerance) ?? .max
    }
    var best = LearningRateFacts.optimalMomentum(
      smallest: min(survey.effectiveSmallest ?? largest, largest), largest: largest)
    var fewest = steps(best)
    // A largest curvature above the true one keeps the sharpest directions from the edge, where they
    // swing up most.
    for margin in [1, 1.05, 1.2, 1.5, 2] {
      for index in 0...60 {
        let mu = largest * pow(smallest / largest, Double(index) / 60)
        let tuned = LearningRateFacts.optimalMomentum(
          smallest: min(mu, largest), largest: margin * largest)
        let count = steps(tuned)
        if count < fewest { (best, fewest) = (tuned, count) }
      }
    }
    // Beyond condition numbers of 1e32 the coefficient rounds to one.
    return best.momentum < 1 && best.rate.isFinite ? best : (1 / survey.upperBound, 0.9)
  }

  /// Steps of the given rate (or, without one, of the safe rate) to the tolerance, and the course there.
  func prediction() throws -> DiagnosisReport.Prediction {
    let rate = start.request.training.rate ?? safeRate
    // Above the limit of this point no count can be vouched for: it may settle, and who knows where.
    guard !finiteMinimum.isAbsent, start.problem.isQuadratic || facts.verdict != .unstable else {
      return .init(rate: rate, iterations: nil, tolerance: tolerance)
    }
    let optimizer: any Optimizer =
      start.request.training.rate == nil ? GradientDescent() : start.optimizer
    let steps = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
    func curve(_ relativeGap: (Int) -> Double?) -> [DiagnosisReport.CurvePoint] {
      steps.compactMap { step in
        relativeGap(step).flatMap { $0.isFinite ? .init(step: step, relativeGap: $0) : nil }
      }
    }
    if let rate, optimizer.isPlainDescent, !start.problem.isQuadratic,
      !survey.isBlindToGains(tolerance: tolerance),
      start.budget.affords("the predicted course", products: 10, share: 0.005)
    {
      let forecast = try piecewiseForecast(start.objective, from: start.point, rate: rate, survey)
      return .init(
        rate: rate, iterations: forecast.iterations, tolerance: tolerance,
        curve: curve(forecast.relativeGap(after:)))
    }
    // What cannot be followed from point to point is not foretold by the bowl at the start.
    guard let rate, start.problem.isQuadratic || !optimizer.isPlainDescent,
      let forecast = survey.model.forecast(rate: rate, by: optimizer),
      !survey.curvature.isIndefinite, !survey.hidesGains(tolerance: tolerance)
    else {
      return .init(rate: rate, iterations: nil, tolerance: tolerance)
    }
    let momentum = optimizer.stability?.momentum ?? 0
    return .init(
      rate: rate, iterations: forecast.iterations(toRelativeGap: tolerance),
      tolerance: tolerance, momentum: momentum == 0 ? nil : momentum,
      curve: curve(forecast.relativeGap(after:)))
  }
}
