import Training

/// Why a request cannot be carried out: a field with a value that it cannot have.
public struct RequestError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Where the value stands: `training.rate`.
  public let field: String
  /// What is wrong with it, to be read after its name: "is -1.0, but it must be a number above 0". Names of other
  /// fields stand between backticks.
  public let complaint: String

  public init(_ field: String, _ complaint: String) {
    self.field = field
    self.complaint = complaint
  }

  public var description: String { "The request's \(field) \(complaint)." }

  static func check(_ value: Double?, _ field: String, _ range: ValueRange) throws {
    guard let value, !range.contains(value) else { return }
    throw RequestError(field, "is \(value), but it must be \(range)")
  }

  static func check(_ value: Int?, _ field: String, atLeast least: Int, atMost most: Int = .max)
    throws
  {
    guard let value else { return }
    guard value >= least else {
      throw RequestError(field, "is \(value), but it must be at least \(least)")
    }
    guard value <= most else {
      throw RequestError(field, "is \(value), but it must be at most \(most)")
    }
  }
}

/// The fields of a part of a request: what is missing has its default, what is unknown is refused.
struct RequestFields<Key: CodingKey & CaseIterable & RawRepresentable<String>> {
  private let container: KeyedDecodingContainer<Key>
  private let path: String

  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// - Throws: `RequestError` for a field that there is not.
  init(_ decoder: any Decoder, _: Key.Type) throws {
    container = try decoder.container(keyedBy: Key.self)
    path = decoder.codingPath.map(\.stringValue).joined(separator: ".")
    let known = Key.allCases.map(\.rawValue)
    let given = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    if let unknown = given.sorted().first(where: { !known.contains($0) }) {
      throw RequestError(
        name(unknown), "is no field; there are \(known.joined(separator: ", "))")
    }
  }

  private func name(_ field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }

  /// Nil for a field that is missing or null.
  ///
  /// - Throws: `RequestError` for a value of another kind.
  func optional<T: Decodable>(_ key: Key, as: T.Type = T.self) throws -> T? {
    do {
      return try container.decodeIfPresent(T.self, forKey: key)
    } catch let error as DecodingError {
      throw RequestError(name(key.rawValue), Self.complaint(error))
    } catch let error as RequestError {
      throw error
    } catch let error as DiagnosisFailure {
      throw error
    } catch let error as CatalogueError {
      throw error
    } catch {
      // The decoder's own, of a number that the type cannot hold: it names no field.
      throw RequestError(
        name(key.rawValue), "has a value that it cannot have; give \(Self.words(T.self))")
    }
  }

  /// A choice of several names.
  ///
  /// - Throws: `RequestError` for a name that is none of them.
  func optional<T: CaseIterable & RawRepresentable<String>>(
    _ key: Key, as: T.Type = T.self
  ) throws -> T? {
    guard let text = try optional(key, as: String.self) else { return nil }
    guard let value = T(rawValue: text) else {
      throw RequestError(
        name(key.rawValue),
        "is '\(text)', but it must be one of "
          + T.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return value
  }

  /// - Throws: `RequestError` for a field that is missing.
  func value<T: Decodable>(_ key: Key) throws -> T {
    guard let value = try optional(key, as: T.self) else {
      throw RequestError(name(key.rawValue), "is missing")
    }
    return value
  }

  /// - Throws: `RequestError` for a field that is missing or is another text.
  func check(_ key: Key, is text: String) throws {
    let given: String = try value(key)
    guard given == text else {
      throw RequestError(key.rawValue, "is '\(given)', and not '\(text)'")
    }
  }

  private static func complaint(_ error: DecodingError) -> String {
    switch error {
    case .typeMismatch(let type, _): "has a value of another kind; give \(words(type))"
    case .dataCorrupted: "has a value that it cannot have"
    case .valueNotFound, .keyNotFound: "is incomplete"
    @unknown default: "cannot be read"
    }
  }

  private static func words(_ type: Any.Type) -> String {
    switch type {
    case is String.Type: "a text"
    case is Bool.Type: "true or false"
    case is Int.Type: "a whole number"
    case is Double.Type: "a number"
    case is [Any].Type: "a list"
    default: "an object"
    }
  }
}
