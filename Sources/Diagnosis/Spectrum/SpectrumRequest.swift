import Curvature
import LinearMaps
import TensorPrograms

/// Everything that `eigenstep spectrum` can be told.
public struct SpectrumRequest: Sendable {
  /// The table, the model and the point; its trial options are not used. Its memory is what the model's
  /// values may take; vectors take up to half as much again beside.
  public var problem: DiagnosisRequest
  /// Eigenpairs wanted at each end; nil for 5, or fewer where there are fewer.
  public var count: Int?
  public var which = TopEigenpairs<Double>.End.both
  public var kind = CurvatureKind.hessian
  public var preconditioning = Preconditioning.none
  /// Patterns of parameter names, between commas; nil for all parameters.
  public var parameters: String?
  /// Residual, relative to the largest `|lambda|`, at which a pair counts as converged; nil for 1e-8 in
  /// float64 and 1e-4 in float32.
  public var tolerance: Double?
  /// The Wasserstein-1 error, relative to the range, asked of the density; nil for no density.
  public var densityError: Double?
  public var trace = false
  public var diagonal = false
  public var perLayer = false
  /// Whether eigenvalues get an interval for what a larger sample would give.
  public var intervals = false

  public init(problem: DiagnosisRequest) { self.problem = problem }

  /// The `P` of `P^-1/2 A P^-1/2`.
  public enum Preconditioning: Sendable, Equatable {
    case none
    /// The squared standard deviation of each feature, for the weights that multiply it.
    case features
    /// `|diag A|`.
    case diagonal
    /// Adam's: `sqrt(v) + eps` of second moments that are given, bias-corrected already, or else of a run
    /// of Adam up to the point.
    case adam(secondMoments: [Double]?)

    /// The name that the command line has for it.
    public var name: String {
      switch self {
      case .none: "none"
      case .features: "features"
      case .diagonal: "diagonal"
      case .adam: "adam"
      }
    }
  }
}

/// The engine behind `eigenstep spectrum`; cancelled, it returns what was measured so far, or throws a
/// ``DiagnosisFailure`` of kind `interrupted`.
public typealias SpectrumRun =
  @Sendable (
    _ request: SpectrumRequest, _ context: RunContext
  ) throws -> SpectrumResult

/// A report, and the diagonal where it was asked for: one entry per parameter, in the order of the flat
/// parameter vector.
public struct SpectrumResult: Sendable, Equatable {
  public var report: SpectrumReport
  public var diagonal: [Double]?

  public init(report: SpectrumReport, diagonal: [Double]? = nil) {
    self.report = report
    self.diagonal = diagonal
  }
}

/// Measures the spectrum of a problem's curvature.
///
/// - Parameter executor: runs the tensor programs.
/// - Throws: `DiagnosisFailure`; what the executor throws.
public func measureSpectrum(
  of problem: DiagnosisProblem, request: SpectrumRequest, executor: any Executor,
  context: RunContext = RunContext()
) throws -> SpectrumResult {
  func measure<Scalar: LinearMapScalar>(_: Scalar.Type) throws -> SpectrumResult {
    // Of all samples, however long it takes.
    var atPoint = request.problem
    atPoint.workLimit = .infinity
    let point = try DiagnosisSession<Scalar>(problem, atPoint, executor, context: context)
    return try SpectrumSession(point: point, request: request).result()
  }
  switch request.problem.precision ?? (problem.isLinearInParameters ? .float64 : .float32) {
  case .float32: return try measure(Float.self)
  case .float64: return try measure(Double.self)
  }
}

/// Measures the spectrum of a model on a table.
public func measureSpectrum(
  of table: TabularProblem, request: SpectrumRequest, executor: any Executor,
  context: RunContext = RunContext()
) throws -> SpectrumResult {
  try measureSpectrum(
    of: DiagnosisProblem(table), request: request, executor: executor, context: context)
}
