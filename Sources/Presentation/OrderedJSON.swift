import Foundation

/// A JSON text in which keys stand in the order in which they were encoded.
///
/// Foundation's encoder scrambles or sorts keys, drops missing values and throws on NaN. Here a
/// missing value is `null`, and so is a number that is not finite; numbers print in the shortest
/// form that reads back to the same double. Any `Encodable` with synthesized conformance will do.
public enum OrderedJSON {
  /// - Throws: what the value's own `encode(to:)` throws.
  public static func string(_ value: some Encodable, indented: Bool = true) throws -> String {
    let node = JSONNode()
    try value.encode(to: NodeEncoder(node: node, codingPath: []))
    var text = ""
    node.write(to: &text, indent: indented ? 0 : nil)
    return text
  }
}

/// A node filled in place, since an encoder hands out nested containers before they are complete.
private final class JSONNode {
  enum Content {
    case null
    case literal(String)
    case string(String)
    case array([JSONNode])
    case object([(key: String, value: JSONNode)])
  }

  var content: Content = .null

  func child(forKey key: String) -> JSONNode {
    let node = JSONNode()
    var members: [(key: String, value: JSONNode)] = []
    if case .object(let present) = content { members = present }
    // With no other owner left, the array grows in place.
    content = .null
    members.append((key, node))
    content = .object(members)
    return node
  }

  func child() -> JSONNode {
    let node = JSONNode()
    var items: [JSONNode] = []
    if case .array(let present) = content { items = present }
    content = .null
    items.append(node)
    content = .array(items)
    return node
  }

  func set(_ value: Double) {
    content = value.isFinite ? .literal("\(value)") : .null
  }

  func set(_ value: some Encodable, codingPath: [any CodingKey]) throws {
    switch value {
    case let value as Double: set(value)
    case let value as Float: content = value.isFinite ? .literal("\(value)") : .null
    case let value as String: content = .string(value)
    case let value as Bool: content = .literal("\(value)")
    case let value as any BinaryInteger: content = .literal("\(value)")
    default: try value.encode(to: NodeEncoder(node: self, codingPath: codingPath))
    }
  }

  func write(to text: inout String, indent: Int?) {
    switch content {
    case .null: text += "null"
    case .literal(let literal): text += literal
    case .string(let string): writeQuoted(string, to: &text)
    case .array(let items):
      write(items.map { (nil, $0) }, between: ("[", "]"), to: &text, indent: indent)
    case .object(let members):
      write(members.map { ($0.key, $0.value) }, between: ("{", "}"), to: &text, indent: indent)
    }
  }

  private func write(
    _ parts: [(String?, JSONNode)], between marks: (String, String), to text: inout String,
    indent: Int?
  ) {
    text += marks.0
    for (index, (key, value)) in parts.enumerated() {
      if index > 0 { text += "," }
      if let indent { text += "\n" + String(repeating: "  ", count: indent + 1) }
      if let key {
        writeQuoted(key, to: &text)
        text += indent == nil ? ":" : ": "
      }
      value.write(to: &text, indent: indent.map { $0 + 1 })
    }
    if let indent, !parts.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
    text += marks.1
  }

  private func writeQuoted(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where Printable.isSafe(scalar): text.unicodeScalars.append(scalar)
      // The exact name, in a form that does nothing to a terminal.
      default:
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      }
    }
    text += "\""
  }
}

private struct NodeEncoder: Encoder {
  let node: JSONNode
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .object = node.content {} else { node.content = .object([]) }
    return KeyedEncodingContainer(ObjectContainer<Key>(node: node, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .array = node.content {} else { node.content = .array([]) }
    return ArrayContainer(node: node, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    ValueContainer(node: node, codingPath: codingPath)
  }
}

private struct ObjectContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: JSONNode
  let codingPath: [any CodingKey]

  func encodeNil(forKey key: Key) { node.child(forKey: key.stringValue).content = .null }

  func encode(_ value: some Encodable, forKey key: Key) throws {
    try node.child(forKey: key.stringValue).set(value, codingPath: codingPath + [key])
  }

  // Synthesized conformances encode optionals through this family: a missing value stays visible.
  func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try put(value, key) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try put(value, key) }

  private func put(_ value: (some Encodable)?, _ key: Key) throws {
    if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    NodeEncoder(node: node.child(forKey: key.stringValue), codingPath: codingPath + [key])
      .container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    NodeEncoder(node: node.child(forKey: key.stringValue), codingPath: codingPath + [key])
      .unkeyedContainer()
  }

  func superEncoder() -> any Encoder {
    NodeEncoder(node: node.child(forKey: "super"), codingPath: codingPath)
  }

  func superEncoder(forKey key: Key) -> any Encoder {
    NodeEncoder(node: node.child(forKey: key.stringValue), codingPath: codingPath + [key])
  }
}

private struct ArrayContainer: UnkeyedEncodingContainer {
  let node: JSONNode
  let codingPath: [any CodingKey]
  var count: Int { if case .array(let items) = node.content { items.count } else { 0 } }

  func encodeNil() { node.child().content = .null }
  func encode(_ value: some Encodable) throws {
    try node.child().set(value, codingPath: codingPath)
  }
  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) -> KeyedEncodingContainer<Nested> {
    NodeEncoder(node: node.child(), codingPath: codingPath).container(keyedBy: type)
  }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    NodeEncoder(node: node.child(), codingPath: codingPath).unkeyedContainer()
  }
  func superEncoder() -> any Encoder {
    NodeEncoder(node: node.child(), codingPath: codingPath)
  }
}

private struct ValueContainer: SingleValueEncodingContainer {
  let node: JSONNode
  let codingPath: [any CodingKey]

  func encodeNil() { node.content = .null }
  func encode(_ value: some Encodable) throws { try node.set(value, codingPath: codingPath) }
}
