import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// The preconditioner.
extension SpectrumSession {
  /// The diagonal of `P` in the selected parameters; nil without one.
  func preconditioner(
    of map: CurvatureMap<Scalar>, _ selection: [Int]?
  ) throws -> [Double]? {
    func selected(_ full: [Double]) -> [Double] {
      selection.map { objective.coordinates(of: $0).flatMap { full[$0] } } ?? full
    }
    switch request.preconditioning {
    case .none: return nil
    case .features:
      guard start.problem.table != nil, let traced = objective.objective else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .preconditioning, "features") is for tables; choose diagonal or adam for a "
            + "model.")
      }
      return selected(traced.featureScales())
    case .diagonal:
      start.context.report("diagonal")
      return try DiagonalEstimate(
        of: map, options: estimatorOptions("diagonal", map.dimension)
      ).values
    case .adam(let given?):
      guard given.count == objective.parameterCount else {
        throw DiagnosisFailure(
          .badData,
          "The file of \(option: .preconditioning, "adam") holds \(given.count) numbers, but "
            + "the model has \(objective.parameterCount) parameters; give one "
            + "second moment for each.")
      }
      guard given.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        throw DiagnosisFailure(
          .badData,
          "The file of \(option: .preconditioning, "adam") holds a number that is negative or "
            + "not finite; second moments are neither.")
      }
      return try selected(DiagonalPreconditioner<Scalar>.adam(secondMoments: given).diagonal)
    case .adamState(let file):
      throw DiagnosisFailure(
        .usage, "The second moments of '\(file)' have not been read; give the numbers themselves.")
    case .adam(nil):
      guard let diagonal = start.preconditioner else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .preconditioning, "adam") needs second moments: run Adam first with "
            + "\(option: .optimizer, "adam") \(option: .rate, "X") \(option: .steps, "N"), or give "
            + "a file of them as adam:STATE.npy.")
      }
      return selected(diagonal)
    }
  }
}
