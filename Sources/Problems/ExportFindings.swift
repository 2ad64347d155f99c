import Diagnosis
import OnnxBackend
import Presentation
import TensorPrograms

/// What an exporter did to the network that is trained, in words.
struct ExportFindings {
  private(set) var findings: [Finding] = []
  private(set) var readings: [Reading] = []

  init(_ choice: ModelFileChoice, parameters: ModelParameters) {
    let model = choice.model
    let traces = ExportTraces(model, output: choice.output)
    if !traces.folded.isEmpty {
      let finding = Finding.foldedNormalisation(traces.folded)
      findings.append(finding)
      readings.append(
        Reading(
          "folded-normalisation",
          "This is the network that predicts, not the one that trains: BatchNormalization was folded into "
            + "\(Wording.count(traces.folded.count, "layer")) ("
            + "\(TracedModelFile.shown(traces.folded.map(\.weight)))). Rates and sharpness below are not "
            + "those of training.", names: traces.folded.map(\.weight)))
    }
    let known = parameters.entries.filter(\.canBeTrained).map(\.name)
    let trained = Set(parameters.names)
    let copies = model.copies(among: known).filter {
      trained.contains($0.first) || trained.contains($0.second)
    }
    if let first = copies.first {
      findings.append(.tiedWeightsStoredTwice(copies))
      readings.append(
        Reading(
          "tied-weights-stored-twice",
          "'\(Printable.line(first.second))' holds the same numbers as '\(Printable.line(first.first))'"
            + (first.isTransposed ? ", transposed" : "")
            + ": weights that are tied in training are diagnosed as two that move apart.",
          names: copies.flatMap { [$0.first, $0.second] }))
    }
    let merged = parameters.names.filter { name in
      guard model.readerCount(of: name) > 1 else { return false }
      let values = model.initializers[name]!.doubles
      return values.count > 1 && values.allSatisfy { $0 == values[0] }
    }
    if !merged.isEmpty { findings.append(.mergedTensors(merged)) }
    if !traces.random.isEmpty, !choice.options.training {
      findings.append(
        .randomNodes(traces.random.map(\.node), operations: traces.random.map(\.operation)))
    }
  }
}

extension Finding {
  private static let export =
    "From PyTorch, export with the flags that the README lists for training"

  static func foldedNormalisation(_ folded: [ExportTraces.Folded]) -> Finding {
    Finding(
      id: "folded-normalisation",
      sentence:
        "The exporter folded BatchNormalization into "
        + "\(Wording.count(folded.count, "layer")): its scales and shifts are no parameters "
        + "here, the layers are scaled by it, and the curvature can be many times smaller or larger "
        + "than that of the network that is trained; a rate that suits this one may make that one "
        + "diverge. \(export), which keep it.",
      evidence: [
        "nodes": .list(folded.map(\.node)), "weights": .list(folded.map(\.weight)),
      ])
  }

  static func tiedWeightsStoredTwice(
    _ pairs: [(first: String, second: String, isTransposed: Bool)]
  ) -> Finding {
    let shown = pairs.prefix(3).map { pair in
      "'\(Printable.line(pair.second))' is '\(Printable.line(pair.first))'"
        + (pair.isTransposed ? " transposed" : "")
    }
    return Finding(
      id: "tied-weights-stored-twice",
      sentence:
        "\(Wording.list(shown + (pairs.count > 3 ? ["..."] : []))), number by number: one tensor that the "
        + "network uses twice was stored as two, and here they are parameters of their own, with another "
        + "curvature. \(export), which keep it one; if they are two that were given the same first "
        + "values, all is well.",
      evidence: [
        "pairs": .list(pairs.map { "\($0.first) = \($0.second)\($0.isTransposed ? "^T" : "")" })
      ])
  }

  static func mergedTensors(_ names: [String]) -> Finding {
    Finding(
      id: "equal-tensors-merged",
      sentence:
        "\(TracedModelFile.shown(names)): one number throughout, and read more than once. Exporters merge "
        + "equal tensors; if training has several, export without optimisation (the README says "
        + "how), or they are diagnosed as one.",
      evidence: ["tensors": .list(names)])
  }

  static func randomNodes(_ nodes: [String], operations: [String]) -> Finding {
    let kinds = operations.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return Finding(
      id: "random-nodes",
      sentence:
        "\(Wording.count(nodes.count, "node")) (\(TracedModelFile.shown(nodes))) "
        + "\(nodes.count == 1 ? "draws" : "draw") random numbers whenever the model runs "
        + "(\(Wording.list(kinds))); here they are drawn once, by --seed, so that the loss is that "
        + "of one draw. Export the model in eval mode for the loss without them.",
      evidence: ["nodes": .list(nodes), "operators": .list(kinds)])
  }
}
