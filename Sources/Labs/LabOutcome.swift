import Presentation

/// What a lab found: checks of what theory predicts, tables and figures for people, and values of its own.
public struct LabOutcome: Sendable {
  public let schema: String
  public let checks: [LabCheck]
  /// Tables and figures with words around them.
  public let sections: [Document.Section]
  /// The lab's own part of the JSON, an object.
  public let values: any Encodable & Sendable
  public internal(set) var setting = LabContext.Setting.full
  public internal(set) var seed = 0
  public internal(set) var parameters: [(name: String, value: Double)] = []

  public init(
    schema: String, checks: [LabCheck], sections: [Document.Section],
    values: any Encodable & Sendable
  ) {
    self.schema = schema
    self.checks = checks
    self.sections = sections
    self.values = values
  }

  public var isPassed: Bool { checks.allSatisfy(\.isPassed) }

  public var tables: [DataTable] {
    sections.flatMap(\.blocks).compactMap {
      if case .table(let table) = $0 { table } else { nil }
    }
  }

  public var figures: [Figure] {
    sections.flatMap(\.blocks).compactMap {
      if case .figure(let figure) = $0 { figure } else { nil }
    }
  }
}

extension LabOutcome: Encodable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// The schema, the lab's own keys, then what all labs have.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(schema, forKey: Key("schema"))
    try values.encode(to: encoder)
    try container.encode(checks, forKey: Key("checks"))
    try container.encode(setting, forKey: Key("setting"))
    try container.encode(seed, forKey: Key("seed"))
    var given = container.nestedContainer(keyedBy: Key.self, forKey: Key("parameters"))
    for (name, value) in parameters { try given.encode(value, forKey: Key(name)) }
  }
}

/// A number that theory predicts beside the one that was measured.
public struct LabCheck: Sendable, Equatable, Codable {
  public enum Relation: String, Sendable, Codable, CaseIterable {
    /// Both agree to within the tolerance.
    case equal
    /// The measured one is not above the predicted one, but for the tolerance.
    case atMost = "at-most"
    /// It is not below.
    case atLeast = "at-least"
  }

  public let what: String
  public let predicted: Double
  public let measured: Double
  /// The largest difference allowed.
  public let tolerance: Double
  public let relation: Relation
  public let isPassed: Bool
  /// The id of the row of the table of scientific claims that it tests; nil where it tests none.
  public let row: String?

  /// A measurement that is not a number passes no check.
  public init(
    _ what: String, predicted: Double, measured: Double, tolerance: Double = 0,
    _ relation: Relation = .equal, row: String?
  ) {
    self.what = what
    self.predicted = predicted
    self.measured = measured
    self.tolerance = tolerance
    self.relation = relation
    self.row = row
    isPassed =
      switch relation {
      case .equal: predicted == measured || abs(measured - predicted) <= tolerance
      case .atMost: measured <= predicted + tolerance
      case .atLeast: measured >= predicted - tolerance
      }
  }

  private enum CodingKeys: String, CodingKey {
    case what, predicted, measured, tolerance, relation
    case isPassed = "passed"
    case row
  }
}
