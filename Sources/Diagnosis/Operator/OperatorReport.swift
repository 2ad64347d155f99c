import LinearMaps
import Presentation

/// What was measured of a symmetric operator; `docs/json.md` describes its JSON, which is stable.
///
/// What was not asked for is nil and prints as `null`.
public struct OperatorReport: Sendable, Equatable, Codable {
  public static let currentSchema = "eigenstep.operator/1"

  public let schema: String
  public let dimension: Int
  /// `float32` or `float64`.
  public let precision: String
  /// Descending.
  public var largest: [SpectrumReport.Pair] = []
  /// No eigenvalue is above it, but for `failureProbability`.
  public var upperBound: Double?
  /// Ascending.
  public var smallest: [SpectrumReport.Pair] = []
  /// No eigenvalue is below it, but for `failureProbability`.
  public var lowerBound: Double?
  public var failureProbability: Double?
  /// Eigenvalues within this of zero cannot be told from it.
  public var zeroThreshold: Double?
  /// `largest / smallest`; nil where the smallest is not told from zero, or is below it.
  public var conditionNumber: Double?
  /// Between what it lies, but for twice `failureProbability`; an end is nil where nothing bounds it.
  public var conditionNumberInterval: Interval?
  public var density: SpectralDensity?
  public var trace: TraceEstimate?
  public var solution: Solution?
  public var convergence: Convergence
  /// Products with the operator, everything counted.
  public var operatorApplications: Int
  public var request: OperatorRequest

  public struct Interval: Sendable, Equatable, Codable {
    public var lower: Double?
    public var upper: Double?
  }

  /// Of `A x = b`; `x` itself comes beside the report.
  public struct Solution: Sendable, Equatable, Codable {
    /// `‖b - A x‖ / ‖b‖`.
    public var relativeResidual: Double
    public var iterations: Int
  }

  /// The report as JSON: keys in the documented order, `null` for missing values.
  public func json(indented: Bool = true) throws -> String {
    try OrderedJSON.string(self, indented: indented)
  }
}

/// A report with the vectors that belong to it.
public struct OperatorResult<Scalar: LinearMapScalar>: Sendable {
  public var report: OperatorReport
  /// Of `report.largest`, then of `report.smallest`, in their order.
  public var vectors: [[Scalar]] = []
  public var solution: [Scalar] = []
}
