import Curvature
import LinearMaps
import Training

/// The largest stable rate of an optimizer at a point, from the curvature measured there.
struct StepLimit {
  var rate: Double
  /// The largest eigenvalue, of the preconditioned Hessian where there is a preconditioner.
  var sharpness: Double
  var isPreconditioned: Bool

  /// Nil where nothing is known of the optimizer, where nothing curves upwards or where the curvature is not
  /// finite.
  ///
  /// - Parameter preconditioner: what the optimizer divides its steps by there.
  /// - Throws: `CancellationError`; what the executor throws.
  init?<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, at point: [Scalar],
    preconditioner: [Double]?, seed: Int
  ) throws {
    guard let rule = optimizer.stability, !rule.isPreconditioned || preconditioner != nil else {
      return nil
    }
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = Resources.probeSeed(seed)
    options.tolerance = 1e-3
    options.boundTolerance = nil
    options.maxApplications = min(point.count, 60)
    do {
      let map = try loss.hessian(at: point)
      let top =
        if rule.isPreconditioned, let preconditioner {
          try TopEigenpairs(
            of: PreconditionedMap(map, by: DiagonalPreconditioner<Scalar>(preconditioner)),
            options: options)
        } else {
          try TopEigenpairs(of: map, options: options)
        }
      let value = top.largest[0].value
      guard value > 0, value.isFinite, let limit = rule.limit(curvature: value) else { return nil }
      (rate, sharpness, isPreconditioned) = (limit, value, rule.isPreconditioned)
    } catch is LinearMapError {
      return nil
    } catch is CurvatureError {
      return nil
    }
  }
}
