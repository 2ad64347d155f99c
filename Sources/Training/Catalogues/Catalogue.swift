import Presentation

/// A list of things of one kind that a person can name: the only place where one of them is registered.
public protocol Catalogue: Sendable {
  associatedtype Made
  /// What an entry is, in a word: `optimizer`.
  static var kind: String { get }
  static var all: [CatalogueEntry<Self>] { get }
  /// The name of the entry that is meant where none is given.
  static var standard: String { get }
}

extension Catalogue {
  /// The entry of this name, or the one that is also called so.
  public static func named(_ name: String) -> CatalogueEntry<Self>? {
    all.first { $0.name == name } ?? all.first { $0.aliases.contains(name) }
  }

  /// - Throws: `CatalogueError.unknown`.
  public static func entry(_ name: String) throws -> CatalogueEntry<Self> {
    guard let entry = named(name) else {
      throw CatalogueError.unknown(name, kind: kind, known: all.map(\.name))
    }
    return entry
  }
}

/// What a catalogue holds of one of its kind: its name, a line on it, and how it is made of numbers.
public struct CatalogueEntry<Kind: Catalogue>: Sendable {
  /// What the command line calls it.
  public let name: String
  /// Other names that it is understood by; reports and states give `name`.
  public let aliases: [String]
  /// One line: the update of an optimizer, the rate of a schedule, what a tracker measures.
  public let formula: String
  /// Where it comes from, for the tables of the documentation; nil for what needs no source.
  public let source: String?
  public let hyperparameters: [Hyperparameter]
  private let maker: @Sendable (_ values: [String: Double]) -> Kind.Made

  /// - Parameter make: from one value per hyperparameter, each in its range.
  public init(
    _ name: String, aliases: [String] = [], formula: String, source: String? = nil,
    hyperparameters: [Hyperparameter] = [],
    make: @escaping @Sendable (_ values: [String: Double]) -> Kind.Made
  ) {
    self.name = name
    self.aliases = aliases
    self.formula = formula
    self.source = source
    self.hyperparameters = hyperparameters
    maker = make
  }

  /// The one with these values, and the defaults of all others.
  ///
  /// - Throws: `CatalogueError` for a value that is not in its range, or of no hyperparameter.
  public func make(_ values: [String: Double] = [:]) throws -> Kind.Made {
    maker(try completed(values))
  }

  /// Schedules measure `every` so many steps and trackers with a `period`: either word does for both.
  private static func named(_ given: [String: Double], as known: [String]) -> [String: Double] {
    var values = given
    for (one, other) in [("every", "period"), ("period", "every")]
    where !known.contains(one) && known.contains(other) && values[other] == nil {
      values[other] = values.removeValue(forKey: one)
    }
    return values
  }

  /// All hyperparameters: those given, in their ranges, and the defaults.
  func completed(_ given: [String: Double]) throws -> [String: Double] {
    let known = hyperparameters.map(\.name)
    let values = Self.named(given, as: known)
    if let unknown = values.keys.sorted().first(where: { !known.contains($0) }) {
      throw CatalogueError.noHyperparameter(unknown, kind: Kind.kind, entry: name, known: known)
    }
    var all: [String: Double] = [:]
    for hyperparameter in hyperparameters {
      let value = values[hyperparameter.name] ?? hyperparameter.standard
      guard hyperparameter.range.contains(value) else {
        throw CatalogueError.outOfRange(
          hyperparameter.name, value, kind: Kind.kind, entry: name, hyperparameter.range)
      }
      all[hyperparameter.name] = value
    }
    return all
  }
}

/// Why there is no such entry of a catalogue: one sentence and the next step.
public enum CatalogueError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknown(String, kind: String, known: [String])
  case noHyperparameter(String, kind: String, entry: String, known: [String])
  case outOfRange(String, Double, kind: String, entry: String, ValueRange)

  public var description: String {
    switch self {
    case .unknown(let name, let kind, let known):
      "There is no \(kind) '\(Printable.name(name))': "
        + (closestName(to: name, among: known).map { "did you mean \($0)? C" } ?? "c")
        + "hoose one of \(known.joined(separator: ", "))."
    case .noHyperparameter(let name, let kind, let entry, let known):
      "The \(kind) \(entry) has no '\(Printable.name(name))': "
        + (known.isEmpty ? "leave it out." : "it has \(known.joined(separator: ", ")).")
    case .outOfRange(let name, let value, let kind, let entry, let range):
      "The \(name) of the \(kind) \(entry) is \(value), but it must be \(range)."
    }
  }
}
