import Foundation
import Presentation

/// `log det(A + shift I) = tr log(A + shift I)` of a symmetric map by stochastic Lanczos quadrature.
///
/// Where an eigenvalue or a Ritz value shows that `A + shift I` is not positive definite, there is no
/// value: `convergence` says `negativeCurvature`, or `flatDirection` where it is singular to working
/// precision. That no Ritz value shows it proves nothing where the map is not solved exactly; the
/// lower bound of `TopEigenpairs` does.
///
/// Costs at most `maxSteps` products and vectors per probe. Exact for a dimension up to 2048 where
/// the products allowed reach that far.
/// Reference: Ubaru, Chen and Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature"
/// (2017).
public struct LogDeterminantEstimate: Codable, Sendable, Equatable {
  /// Nil where the shifted map was found not positive definite.
  public let value: Double?
  /// Across the probes; 0 where exact, nil without a value.
  public let standardError: Double?
  /// What stopping the quadrature early may add, from its last changes; the convergence includes it.
  public let quadratureError: Double
  public let shift: Double
  /// The smallest eigenvalue or Ritz value of `A` (not shifted) that was seen: `-smallest` is a shift
  /// that is still too small.
  public let smallestSeen: Double
  public let probes: Int
  public let operatorApplications: Int
  public let seed: UInt64
  public let convergence: Convergence

  /// Estimates the log-determinant of `map + shift I`.
  ///
  /// Throws `nonFiniteProduct`, and what the map throws.
  public init<Map: LinearMap>(
    of map: Map, shift: Double = 0, maxSteps: Int = 100,
    options: EstimatorOptions = EstimatorOptions()
  ) throws {
    precondition(shift.isFinite, "a shift is finite")
    // Ritz values carry rounding of this size, in units of the largest eigenvalue.
    let resolution = 16 * Double(Map.Scalar.ulpOfOne)
    var estimator = SpectralSum(
      map, maxSteps: maxSteps, options: options,
      function: { lambda, largest in
        let shifted = lambda + shift
        return shifted > resolution * largest ? log(shifted) : nil
      },
      finding: { lambda, largest in
        let eigenvalue = "A + shift I has an eigenvalue of at most \(Wording.short(lambda + shift))"
        return lambda + shift < -resolution * largest
          ? (
            .negativeCurvature,
            "\(eigenvalue), so that it is not positive definite; shift by more than \(Wording.short(-lambda))"
          )
          : (
            .flatDirection,
            "\(eigenvalue), which is zero in this precision; shift by more than that of "
              + Wording.short(resolution * largest)
          )
      })
    let (state, convergence) = try estimator.run(options)
    let hasValue = state.finding == nil
    value = hasValue ? state.estimate.value : nil
    standardError = hasValue ? state.estimate.standardError : nil
    quadratureError = estimator.quadratureError
    self.shift = shift
    smallestSeen = estimator.smallest
    probes = estimator.probes
    operatorApplications = estimator.meter.applications
    seed = options.seed
    self.convergence = convergence
  }
}
