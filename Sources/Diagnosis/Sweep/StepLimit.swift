import Curvature
import LinearMaps
import Presentation
import Training

/// The largest stable rate of an optimizer at a point, from the curvature measured there.
struct StepLimit {
  var rate: Double
  /// The largest eigenvalue, of the preconditioned Hessian where there is a preconditioner.
  var sharpness: Double
  var isPreconditioned: Bool

  /// Why there is none.
  enum Absence: Error, Equatable {
    /// Theory has no limit of the optimizer.
    case noTheory
    /// What the optimizer divides its steps by is not known there.
    case noPreconditioner
    case nothingCurvesUpwards
    case notFinite

    /// One sentence.
    func sentence(_ optimizer: any Optimizer) -> String {
      switch self {
      case .noTheory: "Theory knows no stability limit of \(optimizer.phrase)."
      case .noPreconditioner:
        "What \(optimizer.phrase) divides its steps by is not known there, so neither is its limit."
      case .nothingCurvesUpwards:
        "Nothing curves upwards there that could limit the rate of \(optimizer.phrase)."
      case .notFinite:
        "The curvature is not finite there in this precision, so that no limit of \(optimizer.phrase) "
          + "follows from it; look for numbers in the data that are too large."
      }
    }
  }

  /// The limit, or why there is none.
  ///
  /// - Parameter preconditioner: what the optimizer divides its steps by there.
  /// - Throws: `CancellationError`; what the executor throws.
  static func measured<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, at point: [Scalar],
    preconditioner: [Double]?, seed: Int
  ) throws -> Result<StepLimit, Absence> {
    guard let rule = optimizer.stability else { return .failure(.noTheory) }
    guard !rule.isPreconditioned || preconditioner != nil else {
      return .failure(.noPreconditioner)
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
      guard value.isFinite else { return .failure(.notFinite) }
      guard value > 0, let limit = rule.limit(curvature: value) else {
        return .failure(.nothingCurvesUpwards)
      }
      return .success(
        StepLimit(rate: limit, sharpness: value, isPreconditioned: rule.isPreconditioned))
    } catch is LinearMapError {
      return .failure(.notFinite)
    } catch is CurvatureError {
      return .failure(.notFinite)
    }
  }
}

extension Result {
  /// Nil of a failure.
  var value: Success? { if case .success(let value) = self { value } else { nil } }
}
