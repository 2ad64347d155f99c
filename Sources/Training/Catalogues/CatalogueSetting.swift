/// An entry of a catalogue with its hyperparameters, as a request names it.
public struct CatalogueSetting<Kind: Catalogue>: Sendable, Equatable {
  public let name: String
  /// One value per hyperparameter of the entry.
  public let hyperparameters: [String: Double]

  /// The catalogue's standard.
  public init() {
    name = Kind.standard
    hyperparameters = Kind.named(name).flatMap { try? $0.completed([:]) } ?? [:]
  }

  /// - Parameter hyperparameters: those that are not at their defaults.
  /// - Throws: `CatalogueError`.
  public init(_ name: String, _ hyperparameters: [String: Double] = [:]) throws {
    self.name = name
    self.hyperparameters = try Kind.entry(name).completed(hyperparameters)
  }

  public func make() -> Kind.Made {
    guard let made = try? Kind.named(name)?.make(hyperparameters) else {
      preconditionFailure("the \(Kind.kind) \(name) was checked when it was named")
    }
    return made
  }
}

extension CatalogueSetting: Codable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// - Throws: `CatalogueError`; what the decoder throws.
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
    for item in Kind.named(name)?.hyperparameters ?? [] {
      try container.encode(hyperparameters[item.name], forKey: Key(item.name))
    }
  }
}
