/// What a node of the graph was made from, as its name carries it through ONNX Runtime.
struct NodeLabel: Hashable {
  var primitive: String
  /// The part of the model, where the program knows it.
  var source: String?

  private static let separator: Character = "|"

  init(primitive: String, source: String?) {
    self.primitive = primitive
    self.source = source
  }

  /// Reads a node's name; nil for one that ONNX Runtime made up.
  init?(nodeName: some StringProtocol) {
    let parts = nodeName.split(
      separator: Self.separator, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    primitive = String(parts[0])
    source = parts[2].isEmpty ? nil : String(parts[2])
  }

  func nodeName(_ number: Int) -> String {
    "\(primitive)\(Self.separator)\(number)\(Self.separator)\(source ?? "")"
  }
}
