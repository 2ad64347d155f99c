import Curvature
import LinearMaps
import Presentation

/// Everything that was measured of a spectrum; `docs/json.md` describes its JSON, which is stable.
///
/// What was not asked for, or does not exist, is nil and prints as `null`.
public struct SpectrumReport: Sendable, Equatable, Codable {
  public static let currentSchema = "eigenstep.spectrum/1"

  public let schema: String
  public let problem: DiagnosisReport.Problem
  public let `operator`: Operator
  /// Descending.
  public var largest: [Pair] = []
  /// No eigenvalue is above it, but for `failureProbability`.
  public var upperBound: Double?
  /// Ascending.
  public var smallest: [Pair] = []
  /// No eigenvalue is below it, but for `failureProbability`.
  public var lowerBound: Double?
  /// For each of the bounds; 0 where all eigenvalues were computed.
  public var failureProbability: Double?
  /// Eigenvalues within this of zero cannot be told from it.
  public var zeroThreshold: Double?
  /// The residual asked for, relative to the largest `|lambda|`.
  public var tolerance: Double
  /// How the search for eigenpairs ended.
  public var convergence: Convergence?
  /// How the smallest ones were found, and why so; nil where they came with the largest.
  public var smallestMethod: String?
  /// The smallest eigenvalue that matters to a thousand steps of descent at `1 / upperBound`, and what
  /// `upperBound`'s eigenvalue is of it; nil but for a Hessian without preconditioner.
  public var effectiveSmallest: Double?
  public var effectiveConditionNumber: Double?
  public var intervals: Intervals?
  public var outliers: SpectrumOutliers?
  public var density: Density?
  public var trace: TraceEstimate?
  public var diagonal: Diagonal?
  public var layers: [LayerCurvature]?
  /// Products with the operator, everything counted.
  public var operatorApplications = 0
  /// What did not come out as asked, each with the next step.
  public var advice: [String] = []
  /// What was asked for, to be measured again by `eigenstep run`.
  public var request: SpectrumRequest?

  public init(problem: DiagnosisReport.Problem, operator: Operator, tolerance: Double) {
    schema = Self.currentSchema
    self.problem = problem
    self.operator = `operator`
    self.tolerance = tolerance
  }

  /// The report as JSON: keys in the documented order, `null` for missing values.
  public func json(indented: Bool = true) throws -> String {
    try OrderedJSON.string(self, indented: indented)
  }
}

extension SpectrumReport {
  /// Which matrix.
  public struct Operator: Sendable, Equatable, Codable {
    public var kind: CurvatureKind
    /// Rows and columns.
    public var dimension: Int
    /// Names of the parameters that it is taken in.
    public var parameters: [String]
    public var preconditioning: String
  }

  /// An eigenvalue with what certifies it.
  public struct Pair: Sendable, Equatable, Codable {
    public var value: Double
    /// Some eigenvalue lies within it of `value`.
    public var residual: Double
    /// Whether the residual meets the tolerance.
    public var isConverged: Bool

    public init(value: Double, residual: Double, isConverged: Bool) {
      self.value = value
      self.residual = residual
      self.isConverged = isConverged
    }
  }

  /// What a larger sample of the same kind would give.
  public struct Intervals: Sendable, Equatable, Codable {
    public var largest: SamplingError?
    public var smallest: SamplingError?
  }

  /// The density of eigenvalues, and what follows from it.
  public struct Density: Sendable, Equatable, Codable {
    public var distribution: SpectralDensity
    /// The share of eigenvalues below minus the zero threshold: counted, zero where nothing can be
    /// negative, or the estimate where its interval is narrow; nil where it tells nothing.
    public var negativeShare: Double?
    /// `sum |lambda_-| / sum |lambda|`, as `negativeShare`.
    public var negativeCurvatureShare: Double?
    /// Between what the two lie, but for the failure probability of the distribution.
    public var negativeShareInterval: SpectralDensity.Interval
    public var negativeCurvatureShareInterval: SpectralDensity.Interval

    /// An estimate whose interval is wider than this is left out.
    static var widestInterval: Double { 0.1 }
    /// Bars that the terminal draws.
    package static var bins: Int { 15 }
  }

  /// The diagonal, whose entries go to a file of their own.
  public struct Diagonal: Sendable, Equatable, Codable {
    /// Of the entries as estimated: see `largestStandardError`.
    public var largest: Double
    public var smallest: Double
    /// Euclidean norm of the entries' standard errors, over that of the entries; 0 for an exact diagonal.
    public var relativeError: Double
    public var operatorApplications: Int
    public var convergence: Convergence
    /// The largest standard error of any entry; 0 for an exact diagonal.
    public var largestStandardError: Double
  }
}
