import Presentation
import Training

/// Everything that a diagnosis can be told: `eigenstep diagnose` makes one of its options, and
/// `eigenstep run` reads one from a file.
public struct DiagnosisRequest: Sendable, Equatable {
  public static let currentSchema = "eigenstep.request.diagnosis/1"

  public var problem: ProblemSource
  public var training = TrainingSetup()
  public var resources = Resources()
  public var trials = TrialOptions()

  public init(_ problem: ProblemSource) { self.problem = problem }

  /// For a problem that is given, not opened.
  public init() { self.init(.memory("problem")) }

  /// For a table or, by its ending, an ONNX file, with all options at their defaults.
  public init(file: String, target: String) {
    if file.lowercased().hasSuffix(".onnx") {
      var model = ModelFileRequest(file: file)
      model.target = target
      self.init(.model(model))
    } else {
      self.init(.table(TableRequest(file: file, target: target)))
    }
  }

  /// - Throws: `RequestError` for the first field with a value that it cannot have.
  public func check() throws {
    try problem.check()
    try training.check()
    try resources.check()
    try trials.check()
  }
}

extension DiagnosisRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case schema, problem, training, resources, trials
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    try fields.check(.schema, is: Self.currentSchema)
    self.init(try fields.value(.problem))
    training = try fields.optional(.training) ?? training
    resources = try fields.optional(.resources) ?? resources
    trials = try fields.optional(.trials) ?? trials
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.currentSchema, forKey: .schema)
    try container.encode(problem, forKey: .problem)
    try container.encode(training, forKey: .training)
    try container.encode(resources, forKey: .resources)
    try container.encode(trials, forKey: .trials)
  }
}
