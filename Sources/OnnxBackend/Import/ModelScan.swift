import Foundation

/// What a model file holds, counted by its bytes before it is decoded: a message of two bytes takes a
/// hundred times as many once decoded.
///
/// Reference: Protocol Buffers, "Encoding"; onnx/onnx.proto.
struct ModelScan {
  /// The files, as the tensors name them, that hold their numbers.
  private(set) var locations: Set<String> = []
  /// What PyTorch's exporter says each stored tensor is, by name; empty where the file does not say.
  private(set) var signature = ExportSignature()
  /// Names, and four times the nodes, tensors, attributes and graphs.
  private var messages = 0
  private let limit: Int

  /// - Throws: `OnnxModelError` where the file holds more messages than `limits` allow, or nests them
  ///   deeper than any graph may. Bytes that cannot be followed are left to the decoder.
  init(_ data: Data, limits: OnnxModel.Limits) throws {
    limit = limits.messages
    try data.withUnsafeBytes { try scan($0, as: .model, depth: 0) }
  }

  private enum Kind {
    case model, graph, node, attribute, tensor, function, entry, leaf

    /// What a field of this number holds, where that is a message.
    func message(_ field: UInt64) -> Kind? {
      switch (self, field) {
      case (.model, 7): .graph
      case (.model, 8), (.model, 14): .leaf
      case (.model, 25): .function
      case (.graph, 1), (.function, 7): .node
      case (.graph, 5): .tensor
      case (.graph, 11), (.graph, 12), (.graph, 13), (.graph, 15): .leaf
      case (.graph, 16): .entry
      case (.node, 5), (.function, 11): .attribute
      case (.node, 1), (.node, 2): .leaf
      case (.function, 4), (.function, 5), (.function, 6), (.function, 9): .leaf
      case (.attribute, 5): .tensor
      case (.attribute, 6): .graph
      case (.attribute, 9): .leaf
      case (.tensor, 13): .entry
      default: nil
      }
    }
  }

  private mutating func scan(_ bytes: UnsafeRawBufferPointer, as kind: Kind, depth: Int) throws {
    guard depth <= 8 * ModelCheck.nestingLimit else {
      throw OnnxModelError(
        "The model's graphs nest more than \(ModelCheck.nestingLimit) deep")
    }
    var reader = WireReader(bytes)
    var key: String?
    var value: String?
    var text: UnsafeRawBufferPointer?
    while let (field, content) = reader.next() {
      guard let content else { continue }
      if kind == .entry {
        if field == 1 { key = String(decoding: content, as: UTF8.self) }
        if field == 2 { text = content }
        if field == 2 { value = String(decoding: content.prefix(4096), as: UTF8.self) }
      }
      guard let inner = kind.message(field) else { continue }
      // A name takes little beside a node, whose fields are many.
      messages += inner == .leaf || inner == .entry ? 1 : 4
      guard messages <= limit else {
        throw OnnxModelError(
          "The model file holds more than \(limit / 4) nodes, tensors and names: export a smaller model"
        )
      }
      if inner != .leaf { try scan(content, as: inner, depth: depth + 1) }
    }
    if key == "location", let value { locations.insert(value) }
    if key == ExportSignature.key, let text {
      signature = ExportSignature(String(decoding: text, as: UTF8.self))
    }
  }
}

/// What PyTorch's exporter wrote about the tensors of the module that it exported: a line for each, as
/// `p_fc_weight: PARAMETER target='fc.weight'`.
///
/// Reference: torch.export, `ExportedProgram.graph_signature`; written by torch.onnx since PyTorch 2.6.
struct ExportSignature: Sendable {
  static let key = "pkg.torch.export.ExportedProgram.graph_signature"

  private(set) var parameters: Set<String> = []
  /// Registered buffers and lifted constants.
  private(set) var constants: Set<String> = []

  init() {}

  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      guard let match = line.firstMatch(of: /: ([A-Z_]+) target='([^']*)'/) else { continue }
      switch match.1 {
      case "PARAMETER": parameters.insert(String(match.2))
      case "BUFFER", "CONSTANT_TENSOR": constants.insert(String(match.2))
      default: break
      }
    }
  }
}

/// The fields of a message, one after another.
private struct WireReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The next field's number, and its bytes where it has a length; nil at the end or at damage.
  mutating func next() -> (UInt64, UnsafeRawBufferPointer?)? {
    guard let tag = varint() else { return nil }
    switch tag & 7 {
    case 0: return varint() == nil ? nil : (tag >> 3, nil)
    case 1: return skip(8) ? (tag >> 3, nil) : nil
    case 5: return skip(4) ? (tag >> 3, nil) : nil
    case 2:
      guard let length = varint(), length <= UInt64(bytes.count - position) else { return nil }
      let start = position
      position += Int(length)
      return (tag >> 3, UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
    default: return nil
    }
  }

  private mutating func skip(_ count: Int) -> Bool {
    guard bytes.count - position >= count else { return false }
    position += count
    return true
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}

extension OnnxModel {
  /// Paths of the files beside a model that its tensors are kept in, in ascending order; none where the
  /// file cannot be read, which reading the model reports.
  package static func externalFiles(of path: String) -> [String] {
    let file = URL(fileURLWithPath: path)
    guard let data = try? RegularFile.contents(of: file),
      let scan = try? ModelScan(data, limits: Limits())
    else { return [] }
    let folder = file.resolvingSymlinksInPath().deletingLastPathComponent()
    return scan.locations.filter { !$0.isEmpty }.sorted()
      .map { folder.appendingPathComponent($0).path }
      .filter { FileManager.default.fileExists(atPath: $0) }
  }
}
