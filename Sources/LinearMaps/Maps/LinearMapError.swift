import Foundation
import Presentation

/// What can go wrong with the input of a computation on linear maps.
public enum LinearMapError: Error, Equatable, Sendable {
  /// The map's product number `application` (from 1) holds NaN or an infinity at `index`.
  case nonFiniteProduct(application: Int, index: Int)
  /// A given matrix holds NaN or an infinity.
  case nonFiniteMatrix(row: Int, column: Int)
  /// A given vector (its role named) holds NaN or an infinity.
  case nonFiniteVector(role: String, index: Int)
  /// A starting vector is zero, so that it spans no Krylov space.
  case zeroStart
  /// More eigenpairs were asked for than the map has.
  case tooManyEigenpairs(requested: Int, dimension: Int)
  /// `|u'Av - v'Au|` for unit vectors, relative to the map, is beyond what rounding explains.
  case notSymmetric(relativeAsymmetry: Double)
  /// The map or a matrix is finite, but so large that its squares, its norms or its eigenvalues overflow.
  case tooLarge(size: Double)
  /// LAPACK's routine ended with this info.
  case lapack(routine: String, info: Int)
}

extension LinearMapError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .nonFiniteProduct(let application, let index):
      "product \(application) of the linear map holds NaN or an infinity at index \(index); "
        + "evaluate the map at a point where it is finite"
    case .nonFiniteMatrix(let row, let column):
      "the matrix holds NaN or an infinity at row \(row), column \(column); "
        + "remove it before asking for eigenvalues"
    case .nonFiniteVector(let role, let index):
      "the \(role) holds NaN or an infinity at index \(index); give a finite vector"
    case .zeroStart:
      "the start vector is zero and spans no Krylov space; give a nonzero one, or none"
    case .tooManyEigenpairs(let requested, let dimension):
      "\(requested) eigenpairs were asked of a map of dimension \(dimension); "
        + "ask for at most \(dimension)"
    case .notSymmetric(let asymmetry):
      "the linear map is not symmetric: u'Av and v'Au differ by \(Wording.short(asymmetry)) of its size; "
        + "give a symmetric map, such as (A + A')/2 or A'A"
    case .tooLarge(let size):
      "the linear map is\(size.isFinite ? " of size \(Wording.short(size)), and" : "") so large that its "
        + "eigenvalues or the sums of its squares overflow; scale it down"
    case .lapack(let routine, let info):
      "LAPACK's \(routine) failed with info \(info); check that the matrix is well scaled"
    }
  }

  public var errorDescription: String? { description }
}
