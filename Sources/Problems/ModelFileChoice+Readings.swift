import OnnxBackend
import Presentation

extension ModelFileChoice {
  /// Which output was taken where none was named, and which numbers of a classical model are trained.
  var classicalReadings: [Reading] {
    var readings: [Reading] = []
    if options.lossOutput == nil, options.output == nil, let chosen = model.scoreOutput,
      !chosen.passed.isEmpty, chosen.name == output
    {
      readings.append(
        Reading(
          "score-output",
          "The loss is of the output \(Printable.line(output)): \(Wording.list(chosen.passed)) before "
            + "it \(chosen.passed.count == 1 ? "holds" : "hold") labels, which have no derivative. "
            + "--output names another.",
          names: [output]))
    }
    let kept = Set(parameters.names)
    let stored = model.attributeParameters.filter { kept.contains($0.name) }
    if !stored.isEmpty {
      let mirrored = stored.filter(\.isMirrored).map(\.name)
      readings.append(
        Reading(
          "attribute-parameters",
          "\(Wording.list(stored.map(\.name))) \(stored.count == 1 ? "is" : "are") trained; the file "
            + "keeps \(stored.count == 1 ? "it" : "them") as attributes of a node."
            + (mirrored.isEmpty
              ? ""
              : " Of two rows that are each other's negative one is trained, as one logit."),
          names: stored.map(\.name)))
    }
    return readings
  }
}
