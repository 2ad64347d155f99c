/// One thing that the measurements show, in a sentence and in numbers.
public struct Finding: Sendable, Equatable, Codable {
  /// A stable name, listed in `docs/json.md`: `rate-above-limit`, `saddle`, ...
  public let id: String
  /// What it means, for a reader who has never heard of a Hessian.
  public internal(set) var sentence: String
  /// The numbers and names that the sentence rests on.
  public let evidence: Evidence

  public init(id: String, sentence: String, evidence: Evidence = [:]) {
    self.id = id
    self.sentence = sentence
    self.evidence = evidence
  }
}

/// Named values in an order of their own; a JSON object.
public struct Evidence: Sendable {
  public enum Value: Sendable, Equatable {
    case number(Double)
    case integer(Int)
    case text(String)
    case list([String])
    /// A value that could not be measured.
    case missing

    /// JSON does not tell 3.0 from 3, and neither does equality.
    public static func == (left: Value, right: Value) -> Bool {
      switch (left, right) {
      case (.number(let a), .number(let b)): a == b
      case (.integer(let a), .integer(let b)): a == b
      case (.number(let a), .integer(let b)), (.integer(let b), .number(let a)): a == Double(b)
      case (.text(let a), .text(let b)): a == b
      case (.list(let a), .list(let b)): a == b
      case (.missing, .missing): true
      case (.number, _), (.integer, _), (.text, _), (.list, _), (.missing, _): false
      }
    }
  }

  public private(set) var items: [(key: String, value: Value)]

  public init(_ items: [(key: String, value: Value)] = []) { self.items = items }

  public subscript(key: String) -> Value? { items.first { $0.key == key }?.value }

  package mutating func append(_ key: String, _ value: Value) { items.append((key, value)) }
}

extension Evidence: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, Value)...) {
    self.init(elements.map { (key: $0.0, value: $0.1) })
  }
}

extension Evidence: Equatable {
  /// Order does not count, since a decoder need not keep it.
  public static func == (left: Evidence, right: Evidence) -> Bool {
    left.items.count == right.items.count
      && left.items.allSatisfy { right[$0.key] == $0.value }
  }
}

extension Evidence: Codable {
  private struct MemberName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: MemberName.self)
    items = try container.allKeys.sorted { $0.stringValue < $1.stringValue }
      .map { ($0.stringValue, try container.decode(Value.self, forKey: $0)) }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: MemberName.self)
    for (key, value) in items {
      try container.encode(value, forKey: MemberName(stringValue: key))
    }
  }
}

extension Evidence.Value: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .missing
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else {
      self = .list(try container.decode([String].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let value): try container.encode(value)
    case .missing: try container.encodeNil()
    }
  }

  /// `number`, or `missing` for nil and for what is not finite.
  package static func number(orMissing value: Double?) -> Self {
    value.flatMap { $0.isFinite ? .number($0) : nil } ?? .missing
  }

  package static func integer(orMissing value: Int?) -> Self {
    value.map { .integer($0) } ?? .missing
  }
}
