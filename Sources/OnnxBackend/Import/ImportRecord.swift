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
  /// - Parameter numbers: of the inputs that hold one.
  public func readings(of record: ImportRecord, given numbers: [String: Double]) -> [Reading] {
    let nodes = proto.graph.node
    func reason(_ names: [String]) -> String? {
      let origins = names.map { Origins(of: [$0], in: nodes) }
      let known = Set(inputs.map(\.name))
      let deciding = origins.reduce(into: Set<String>()) { $0.formUnion($1.names) }
        .intersection(known).sorted()
      let shown = deciding.map { name in
        Printable.line("'\(name)'" + (numbers[name].map { " (\(Wording.number($0)))" } ?? ""))
      }
      if !shown.isEmpty { return "\(Wording.list(shown)) in the data" }
      return origins.contains { $0.readsSizes } ? "the sizes of the data" : nil
    }
    var readings: [Reading] = []
    let branches = record.branches.filter { reason([$0.condition]) != nil }
    if let why = reason(branches.map(\.condition)) {
      let told = branches.prefix(3).map {
        "'\(Printable.line($0.node))' takes its \($0.isThen ? "then" : "else") branch"
      }
      let rest = branches.count > 3 ? ["\(branches.count - 3) more theirs"] : []
      readings.append(
        Reading(
          "branches",
          "Of the model's If nodes \(Wording.list(told + rest)), as \(why) \(Self.decide(why)); "
            + "other data may take others.",
          names: branches.map(\.node)))
    }
    let loops = record.loops.filter { reason([$0.count]) != nil }
    if let why = reason(loops.map(\.count)) {
      let told = loops.prefix(3).map {
        "'\(Printable.line($0.node))' takes \(Wording.count($0.steps, "step"))"
      }
      let rest = loops.count > 3 ? ["\(loops.count - 3) more theirs"] : []
      readings.append(
        Reading(
          "loops",
          "Of the model's loops \(Wording.list(told + rest)), as \(why) \(Self.decide(why)).",
          names: loops.map(\.node)))
    }
    return readings
  }

  private static func decide(_ why: String) -> String {
    why.hasPrefix("the sizes") || why.contains(" and ") ? "decide" : "decides"
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
