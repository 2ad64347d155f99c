import Presentation
import TensorPrograms

/// What an import decided by the data: the branches that it took and the steps of its loops.
public final class ImportRecord {
  struct Branch: Hashable {
    var node: String
    var condition: String
    var isThen: Bool
  }

  struct Loop: Hashable {
    var node: String
    var count: String
    var steps: Int
    /// The steps that it was given; nil where only its condition ends it.
    var limit: Int?
  }

  private(set) var branches: [Branch] = []
  private(set) var loops: [Loop] = []

  public init() {}

  func took(_ branch: Branch) {
    if !branches.contains(branch) { branches.append(branch) }
  }

  func took(_ loop: Loop) {
    if !loops.contains(loop) { loops.append(loop) }
  }
}

extension OnnxModel {
  /// The inputs whose numbers decide what the graph is: they make conditions of `If`, trip counts of `Loop`,
  /// shapes, axes and the like. What only their sizes decide needs no numbers.
  public func decidingInputs(for outputs: [String]) -> Set<String> {
    let nodes = Dependencies(of: outputs, in: proto.graph.node).nodes
    var wanted: Set<String> = []
    nodes.forEachNested { node in
      for index in node.decidingPlaces where node.input.indices.contains(index) {
        wanted.insert(node.input[index])
      }
    }
    return Origins(of: wanted, in: nodes).names.intersection(inputs.map(\.name))
  }

  /// The branches and loops of an import, where the data decided.
  ///
  /// - Parameter given: the inputs whose numbers were known.
  public func readings(of record: ImportRecord, given: [String: Tensor]) -> [Reading] {
    let branches = told(
      record.branches.map { branch in
        (branch.node, branch.condition, "takes its \(branch.isThen ? "then" : "else") branch")
      }, given)
    let loops = told(
      record.loops.map { loop in
        let most = loop.limit.flatMap { $0 > loop.steps ? " of at most \($0)" : nil } ?? ""
        return (loop.node, loop.count, "takes \(Wording.count(loop.steps, "step"))\(most)")
      }, given)
    return [
      branches.map {
        Reading(
          "branches", "Of the model's If nodes \($0.text); other data may take others.",
          names: $0.nodes)
      },
      loops.map { Reading("loops", "Of the model's loops \($0.text).", names: $0.nodes) },
    ].compactMap { $0 }
  }

  /// What the nodes do that the data decide about, those of one reason together; nil where there are none.
  private func told(
    _ entries: [(node: String, value: String, text: String)], _ given: [String: Tensor]
  ) -> (text: String, nodes: [String])? {
    var reasons: [(why: String, parts: [String])] = []
    var nodes: [String] = []
    for entry in entries {
      guard let why = reason(entry.value, given) else { continue }
      nodes.append(entry.node)
      let part = "'\(Printable.line(entry.node))' \(entry.text)"
      if let place = reasons.firstIndex(where: { $0.why == why }) {
        reasons[place].parts.append(part)
      } else {
        reasons.append((why, [part]))
      }
    }
    let texts = reasons.map { why, parts in
      let rest = parts.count > 3 ? ["\(parts.count - 3) more theirs"] : []
      return "\(Wording.list(parts.prefix(3) + rest)), as \(why)"
    }
    return texts.isEmpty ? nil : (texts.joined(separator: "; "), nodes)
  }

  /// What of the data decides a value; nil where nothing does.
  private func reason(_ name: String, _ given: [String: Tensor]) -> String? {
    let origins = Origins(of: [name], in: proto.graph.node)
    let deciding = origins.names.intersection(inputs.map(\.name)).sorted()
    let shown = deciding.map { name in
      Printable.line("'\(name)'" + (given[name].flatMap(Self.number).map { " (\($0))" } ?? ""))
    }
    guard shown.isEmpty else {
      return "\(Wording.list(shown)) in the data \(shown.count == 1 ? "decides" : "decide")"
    }
    return origins.readsSizes ? "the sizes of the data decide" : nil
  }

  /// The only number of a tensor; nil where there are more.
  private static func number(_ value: Tensor) -> String? {
    guard value.shape.count == 1 else { return nil }
    let number = value.doubles[0]
    return value.element == .bool ? "\(number != 0)" : Wording.number(number)
  }
}

/// What some values of a graph come from.
struct Origins {
  /// Every name that they depend on by its numbers.
  private(set) var names: Set<String>
  /// Whether sizes of something count.
  private(set) var readsSizes = false

  init(of wanted: Set<String>, in nodes: [Onnx_NodeProto]) {
    names = wanted.subtracting([""])
    visit(nodes)
  }

  private mutating func visit(_ nodes: [Onnx_NodeProto]) {
    for node in nodes.reversed() {
      // What a graph inside makes is read inside, too.
      for attribute in node.attribute where attribute.hasG { visit(attribute.g.node) }
      guard node.output.contains(where: names.contains) else { continue }
      if node.opType == "Shape" || node.opType == "Size" {
        readsSizes = true
        continue
      }
      names.formUnion(node.input.filter { !$0.isEmpty })
      for attribute in node.attribute where attribute.hasG {
        names.formUnion(attribute.g.output.map(\.name))
        visit(attribute.g.node)
      }
    }
  }
}

extension Onnx_NodeProto {
  /// The inputs that must be known when the model is read.
  fileprivate var decidingPlaces: [Int] {
    switch opType {
    case "If": return [0]
    case "Loop": return [0, 1]
    case "Range": return [0, 1, 2]
    case "NonZero": return [0]
    // Their constants are no parameters, but may be computed.
    case "BatchNormalization", "CastLike", "NegativeLogLikelihoodLoss", "RotaryEmbedding",
      "SoftmaxCrossEntropyLoss", "QuantizeLinear", "DequantizeLinear":
      return []
    default:
      let rule = OperatorCatalogue.rule(opType, domain: canonicalDomain)
      let constants = rule?.constants ?? []
      return constants.count == OperatorRule.everyInput.count ? [] : constants
    }
  }
}
