import Diagnosis
import Presentation

/// One experiment of the field, small enough to run in seconds, with its published numbers as checks.
public struct Lab: Sendable {
  /// What the command line calls it.
  public let name: String
  /// The question it answers, in one line.
  public let summary: String
  public let parameters: [LabParameter]
  private let body: @Sendable (LabContext) throws -> LabOutcome

  /// - Parameter body: the experiment, given a context whose values are all set and within their ranges.
  public init(
    name: String, summary: String, parameters: [LabParameter] = [],
    body: @escaping @Sendable (LabContext) throws -> LabOutcome
  ) {
    self.name = name
    self.summary = summary
    self.parameters = parameters
    self.body = body
  }

  /// The catalogue: a line here registers a lab with the command line and the documentation.
  public static let all: [Lab] = [bowls]

  /// Runs the experiment; that a check failed is a result, see ``LabOutcome/isPassed``.
  ///
  /// - Throws: `DiagnosisFailure` for a value that the lab does not take; `CancellationError`; what the
  ///   executor throws.
  public func run(_ context: LabContext) throws -> LabOutcome {
    var context = context
    context.values = try values(context.values, context.setting)
    var outcome = try body(context)
    outcome.setting = context.setting
    outcome.seed = context.seed
    outcome.parameters = parameters.map { ($0.name, context[$0.name]) }
    return outcome
  }

  /// Every parameter's value: as given, or else by default.
  ///
  /// - Throws: `DiagnosisFailure` of kind `usage` for an unknown name, or a value out of range.
  public func values(
    _ given: [String: Double], _ setting: LabContext.Setting
  ) throws -> [String: Double] {
    for name in given.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
      let names = parameters.map(\.name)
      throw DiagnosisFailure(
        .usage,
        "The lab \(self.name) has no parameter '\(name)'; "
          + (names.isEmpty ? "it has none." : "it has \(Wording.list(names, limit: .max))."))
    }
    return try Dictionary(
      uniqueKeysWithValues: parameters.map { parameter in
        let value = given[parameter.name] ?? parameter.defaultValue(setting)
        if let fault = parameter.fault(value) { throw DiagnosisFailure(.usage, fault) }
        return (parameter.name, value)
      })
  }
}
