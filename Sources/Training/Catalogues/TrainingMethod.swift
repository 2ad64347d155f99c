/// An optimizer or a method with inner iterations, as a request names it: one of two catalogues in which no name
/// is twice.
public enum TrainingMethod: Sendable, Equatable {
  case optimizer(OptimizerSetting)
  case method(CatalogueSetting<MethodCatalogue>)

  /// The names of both catalogues, optimizers first.
  public static var names: [String] {
    OptimizerCatalogue.all.map(\.name) + MethodCatalogue.all.map(\.name)
  }

  /// The standard optimizer.
  public init() { self = .optimizer(OptimizerSetting()) }

  /// - Parameter hyperparameters: those that are not at their defaults.
  /// - Throws: `CatalogueError`.
  public init(_ name: String, _ hyperparameters: [String: Double] = [:]) throws {
    if MethodCatalogue.named(name) != nil {
      self = .method(try CatalogueSetting(name, hyperparameters))
    } else if OptimizerCatalogue.named(name) != nil {
      self = .optimizer(try OptimizerSetting(name, hyperparameters))
    } else {
      throw CatalogueError.unknown(name, kind: OptimizerCatalogue.kind, known: Self.names)
    }
  }

  public var name: String {
    switch self {
    case .optimizer(let setting): setting.name
    case .method(let setting): setting.name
    }
  }

  public var hyperparameters: [String: Double] {
    switch self {
    case .optimizer(let setting): setting.hyperparameters
    case .method(let setting): setting.hyperparameters
    }
  }

  /// In words, with what was set.
  public var phrase: String {
    switch self {
    case .optimizer(let setting): setting.make().phrase
    case .method(let setting): setting.make().phrase
    }
  }
}

extension TrainingMethod: Codable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Named: Decodable { let name: String }

  /// - Throws: `CatalogueError`; what the decoder throws.
  public init(from decoder: any Decoder) throws {
    let name = try Named(from: decoder).name
    let container = try decoder.container(keyedBy: Key.self)
    var values: [String: Double] = [:]
    for key in container.allKeys where key.stringValue != "name" {
      values[key.stringValue] = try container.decode(Double.self, forKey: key)
    }
    try self.init(name, values)
  }

  /// `{"name": "momentum", "momentum": 0.9}`, in the catalogue's order.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .optimizer(let setting): try setting.encode(to: encoder)
    case .method(let setting): try setting.encode(to: encoder)
    }
  }
}
