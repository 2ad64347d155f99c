/// Something about a problem that was decided for the user, who might have decided otherwise: which columns
/// are left out, whether a target names classes, in which precision a model runs.
///
/// Readings stand in a report's first lines, before any number that rests on them.
public struct Reading: Sendable, Equatable, Codable {
  /// A stable name of the kind, in words joined by hyphens: `target-as-classes`.
  public var id: String
  /// What was decided, why, and what decides otherwise; one or two sentences.
  public var sentence: String
  /// The columns, parameters or nodes that it concerns, all of them.
  public var names: [String]

  public init(_ id: String, _ sentence: String, names: [String] = []) {
    self.id = id
    self.sentence = sentence
    self.names = names
  }
}
