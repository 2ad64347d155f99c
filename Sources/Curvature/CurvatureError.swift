import Foundation
import LinearMaps

/// Why a curvature matrix or a product with it cannot be had: one sentence and the next step.
public enum CurvatureError: Error, Equatable, Sendable {
  /// The loss has no model output that the matrix could be made of.
  case noModelOutput(CurvatureKind)
  /// The loss names no distribution of its targets.
  case noDistribution(CurvatureKind)
  /// No parameter's name matches the pattern.
  case noParameter(pattern: String, names: [String])
  /// The parameter itself holds NaN or an infinity.
  case nonFinitePoint(parameter: String)
  /// Data array `array` (from 0) holds NaN or an infinity in sample `sample` (from 0).
  case nonFiniteData(array: Int, sample: Int)
  /// NaN or an infinity arose in the product's part for `parameter`, first in micro-batch `batch`
  /// (from 1), although the point, the data and the direction are finite.
  case nonFiniteProduct(parameter: String, batch: Int)
  /// A gradient or a product that was handed in has not one number per parameter.
  case wrongLength(String, given: Int, wanted: Int)
}

extension CurvatureError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .noModelOutput(let kind):
      "the \(kind.rawValue) matrix needs a loss of a model's outputs, and this loss has none; ask for "
        + "the hessian"
    case .noDistribution(let kind):
      "the \(kind.rawValue) matrix needs the distribution of the targets, and this loss names none; "
        + "ask for the gauss-newton or the empirical-fisher matrix"
    case .noParameter(let pattern, let names):
      "no parameter matches `\(pattern)`; the parameters are: "
        + names.prefix(30).joined(separator: ", ") + (names.count > 30 ? ", ..." : "")
    case .nonFinitePoint(let parameter):
      "the parameter `\(parameter)` itself holds NaN or an infinity; measure at a point where all "
        + "parameters are finite"
    case .nonFiniteData(let array, let sample):
      "data array \(array) holds NaN or an infinity in sample \(sample) (both counted from 0); remove "
        + "or fill it before measuring"
    case .nonFiniteProduct(let parameter, let batch):
      "the product holds NaN or an infinity for the parameter `\(parameter)`, first in micro-batch "
        + "\(batch); use float64, scale the features, or measure at a point with smaller outputs"
    case .wrongLength(let name, let given, let wanted):
      "the \(name) has \(given) numbers, but there are \(wanted) parameters; return one for each"
    }
  }

  public var errorDescription: String? { description }
}

extension Error {
  /// Whether a product with a map, what it was made of or what was made of it was NaN, infinite or too
  /// large for the arithmetic.
  package var isNonFinite: Bool {
    if let error = self as? LinearMapError {
      return switch error {
      case .nonFiniteProduct, .nonFiniteVector, .nonFiniteMatrix, .tooLarge: true
      case .zeroStart, .tooManyEigenpairs, .notSymmetric, .lapack: false
      }
    }
    return switch self as? CurvatureError {
    case .nonFinitePoint, .nonFiniteData, .nonFiniteProduct: true
    case .noModelOutput, .noDistribution, .noParameter, .wrongLength, nil: false
    }
  }
}
