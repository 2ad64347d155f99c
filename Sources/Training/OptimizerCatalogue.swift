/// The optimizers that a person can name; command line, help, docs and JSON read this list.
public enum OptimizerCatalogue {
  public static let all: [OptimizerEntry] = [
    GradientDescent.entry, Momentum.entry, Nesterov.entry, Adam.entry,
  ]

  public static func named(_ name: String) -> OptimizerEntry? { all.first { $0.name == name } }

  /// The optimizers with a hyperparameter of this name, in words: `momentum or nesterov`.
  package static func names(having hyperparameter: String) -> String {
    all.filter { $0.hyperparameters.contains { $0.name == hyperparameter } }.map(\.name)
      .joined(separator: " or ")
  }
}

/// What the catalogue holds of an optimizer.
public struct OptimizerEntry: Sendable {
  /// What the command line calls it.
  public let name: String
  /// One line: the update.
  public let formula: String
  public let hyperparameters: [Hyperparameter]
  private let maker: @Sendable (_ values: [String: Double]) -> any Optimizer

  /// - Parameter make: from one value per hyperparameter, each in its range.
  public init(
    _ name: String, formula: String, hyperparameters: [Hyperparameter] = [],
    make: @escaping @Sendable (_ values: [String: Double]) -> any Optimizer
  ) {
    self.name = name
    self.formula = formula
    self.hyperparameters = hyperparameters
    maker = make
  }

  /// The optimizer with these values, and the defaults of all others.
  ///
  /// - Throws: `OptimizerError` for a value that is not in its range, or of no hyperparameter.
  public func make(_ values: [String: Double] = [:]) throws -> any Optimizer {
    maker(try completed(values))
  }

  /// All hyperparameters: those given, in their ranges, and the defaults.
  func completed(_ values: [String: Double]) throws -> [String: Double] {
    let known = hyperparameters.map(\.name)
    if let unknown = values.keys.sorted().first(where: { !known.contains($0) }) {
      throw OptimizerError.noHyperparameter(unknown, optimizer: name, known: known)
    }
    var all: [String: Double] = [:]
    for hyperparameter in hyperparameters {
      let value = values[hyperparameter.name] ?? hyperparameter.standard
      guard hyperparameter.range.contains(value) else {
        throw OptimizerError.outOfRange(
          hyperparameter.name, value, optimizer: name, hyperparameter.range)
      }
      all[hyperparameter.name] = value
    }
    return all
  }
}

/// A number that an optimizer is made with.
public struct Hyperparameter: Sendable, Equatable {
  public let name: String
  public let standard: Double
  public let range: ValueRange
  /// What it does, in one line.
  public let meaning: String

  public init(_ name: String, _ standard: Double, _ range: ValueRange, _ meaning: String) {
    self.name = name
    self.standard = standard
    self.range = range
    self.meaning = meaning
  }
}

/// The finite numbers from a lower end up to an upper one, either with its end or without.
public struct ValueRange: Sendable, Equatable, CustomStringConvertible {
  public let lower: Double
  public let isLowerIncluded: Bool
  public let upper: Double
  public let isUpperIncluded: Bool

  private init(_ lower: Double, _ includesLower: Bool, _ upper: Double, _ includesUpper: Bool) {
    self.lower = lower
    isLowerIncluded = includesLower
    self.upper = upper
    isUpperIncluded = includesUpper
  }

  public static func atLeast(_ lower: Double) -> ValueRange { .init(lower, true, .infinity, false) }
  public static func above(_ lower: Double) -> ValueRange { .init(lower, false, .infinity, false) }
  public static func from(_ lower: Double, below upper: Double) -> ValueRange {
    .init(lower, true, upper, false)
  }
  public static func between(_ lower: Double, _ upper: Double) -> ValueRange {
    .init(lower, false, upper, false)
  }

  public func contains(_ value: Double) -> Bool {
    value.isFinite && (isLowerIncluded ? value >= lower : value > lower)
      && (isUpperIncluded ? value <= upper : value < upper)
  }

  /// To be read after "must be".
  public var description: String {
    let (low, high) = (Self.text(lower), Self.text(upper))
    switch (upper.isFinite, isLowerIncluded) {
    case (false, true): return "\(low) or more"
    case (false, false): return "a number above \(low)"
    case (true, true): return "at least \(low) and below \(high)"
    case (true, false): return "between \(low) and \(high)"
    }
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}

/// Why there is no such optimizer: one sentence and the next step.
public enum OptimizerError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknown(String, known: [String])
  case noHyperparameter(String, optimizer: String, known: [String])
  case outOfRange(String, Double, optimizer: String, ValueRange)

  public var description: String {
    switch self {
    case .unknown(let name, let known):
      "There is no optimizer '\(name)': choose one of \(known.joined(separator: ", "))."
    case .noHyperparameter(let name, let optimizer, let known):
      "The optimizer \(optimizer) has no '\(name)': "
        + (known.isEmpty ? "leave it out." : "it has \(known.joined(separator: ", ")).")
    case .outOfRange(let name, let value, let optimizer, let range):
      "The \(name) of the optimizer \(optimizer) is \(value), but it must be \(range)."
    }
  }
}

/// An optimizer of the catalogue with its hyperparameters, as a request names it.
public struct OptimizerSetting: Sendable, Equatable {
  public let name: String
  /// One value per hyperparameter of the optimizer.
  public let hyperparameters: [String: Double]

  /// Plain gradient descent.
  public init() {
    name = GradientDescent.entry.name
    hyperparameters = [:]
  }

  /// - Parameter hyperparameters: those that are not at their defaults.
  /// - Throws: `OptimizerError`.
  public init(_ name: String, _ hyperparameters: [String: Double] = [:]) throws {
    guard let entry = OptimizerCatalogue.named(name) else {
      throw OptimizerError.unknown(name, known: OptimizerCatalogue.all.map(\.name))
    }
    self.name = name
    self.hyperparameters = try entry.completed(hyperparameters)
  }

  public func make() -> any Optimizer {
    guard let made = try? OptimizerCatalogue.named(name)?.make(hyperparameters) else {
      preconditionFailure("the optimizer \(name) was checked when it was named")
    }
    return made
  }
}

extension OptimizerSetting: Codable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// - Throws: `OptimizerError`; what the decoder throws.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    var values: [String: Double] = [:]
    for key in container.allKeys where key.stringValue != "name" {
      values[key.stringValue] = try container.decode(Double.self, forKey: key)
    }
    try self.init(container.decode(String.self, forKey: Key("name")), values)
  }

  /// `{"name": "momentum", "momentum": 0.9}`, in the catalogue's order.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(name, forKey: Key("name"))
    for item in OptimizerCatalogue.named(name)?.hyperparameters ?? [] {
      try container.encode(hyperparameters[item.name], forKey: Key(item.name))
    }
  }
}
