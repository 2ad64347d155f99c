import Curvature
import LinearMaps
import Training

/// Everything that the measurement of a spectrum can be told: `eigenstep spectrum` makes one of its
/// options, and `eigenstep run` reads one from a file.
public struct SpectrumRequest: Sendable, Equatable {
  public static let currentSchema = "eigenstep.request.spectrum/1"

  public var problem: ProblemSource
  /// How the point is reached.
  public var training = TrainingSetup()
  public var resources = Resources()
  /// Eigenpairs wanted at each end; nil for 5, or fewer where there are fewer.
  public var count: Int?
  public var which = SpectrumEnd.both
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

  public init(_ problem: ProblemSource) { self.problem = problem }

  /// At the point of a diagnosis.
  public init(of diagnosis: DiagnosisRequest) {
    problem = diagnosis.problem
    training = diagnosis.training
    resources = diagnosis.resources
  }

  /// A quarter of the memory for the model's values, three eighths for vectors, the rest for what the
  /// executor holds.
  var valueMemory: Int { max(1, resources.memory / 4) }

  /// - Throws: `RequestError` for the first field with a value that it cannot have.
  public func check() throws {
    try problem.check()
    try training.check()
    if let batch = training.batch, training.steps == 0 {
      throw RequestError("training.batch", "is \(batch), which needs training.steps")
    }
    try resources.check()
    try RequestError.check(count, "count", atLeast: 1)
    try RequestError.check(tolerance, "tolerance", .between(0, 1))
    try RequestError.check(densityError, "densityError", .between(0, 1))
  }

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
    /// The same with second moments of a NumPy file, one per parameter.
    case adamState(file: String)

    /// The file that it is read from.
    public var file: String? {
      if case .adamState(let file) = self { file } else { nil }
    }

    /// The name that the command line has for it.
    public var name: String {
      switch self {
      case .none: "none"
      case .features: "features"
      case .diagonal: "diagonal"
      case .adam, .adamState: "adam"
      }
    }
  }
}

/// An end of a spectrum.
public enum SpectrumEnd: String, NamedChoice {
  case largest, smallest, both
}

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

extension SpectrumRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case schema, problem, training, resources, count, which, kind, preconditioning, parameters
    case tolerance, densityError, trace, diagonal, perLayer, intervals
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    try fields.check(.schema, is: Self.currentSchema)
    self.init(try fields.value(.problem))
    training = try fields.optional(.training) ?? training
    resources = try fields.optional(.resources) ?? resources
    count = try fields.optional(.count)
    which = try fields.optional(.which) ?? which
    kind = try fields.optional(.kind) ?? kind
    preconditioning = try fields.optional(.preconditioning) ?? preconditioning
    parameters = try fields.optional(.parameters)
    tolerance = try fields.optional(.tolerance)
    densityError = try fields.optional(.densityError)
    trace = try fields.optional(.trace) ?? trace
    diagonal = try fields.optional(.diagonal) ?? diagonal
    perLayer = try fields.optional(.perLayer) ?? perLayer
    intervals = try fields.optional(.intervals) ?? intervals
    try check()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.currentSchema, forKey: .schema)
    try container.encode(problem, forKey: .problem)
    try container.encode(training, forKey: .training)
    try container.encode(resources, forKey: .resources)
    try container.encodeIfPresent(count, forKey: .count)
    try container.encode(which, forKey: .which)
    try container.encode(kind, forKey: .kind)
    try container.encode(preconditioning, forKey: .preconditioning)
    try container.encodeIfPresent(parameters, forKey: .parameters)
    try container.encodeIfPresent(tolerance, forKey: .tolerance)
    try container.encodeIfPresent(densityError, forKey: .densityError)
    try container.encode(trace, forKey: .trace)
    try container.encode(diagonal, forKey: .diagonal)
    try container.encode(perLayer, forKey: .perLayer)
    try container.encode(intervals, forKey: .intervals)
  }
}

extension SpectrumRequest.Preconditioning: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case name, secondMoments, file }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    let name: String = try fields.value(.name)
    let moments: [Double]? = try fields.optional(.secondMoments)
    let file: String? = try fields.optional(.file)
    guard name == "adam" || moments == nil && file == nil else {
      throw RequestError(
        "preconditioning", "is '\(name)', which takes neither secondMoments nor a file")
    }
    switch name {
    case "none": self = .none
    case "features": self = .features
    case "diagonal": self = .diagonal
    case "adam":
      guard moments == nil || file == nil else {
        throw RequestError("preconditioning", "has secondMoments and a file; give one of them")
      }
      self = file.map { .adamState(file: $0) } ?? .adam(secondMoments: moments)
    default:
      throw RequestError(
        "preconditioning.name",
        "is '\(name)', but it must be one of none, features, diagonal and adam")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    switch self {
    case .none, .features, .diagonal, .adam(nil): break
    case .adam(let moments?): try container.encode(moments, forKey: .secondMoments)
    case .adamState(let file): try container.encode(file, forKey: .file)
    }
  }
}
