import Diagnosis
import OnnxBackend
import Presentation

extension TracedModelFile {
  /// What was decided for the user.
  var readings: [Reading] {
    choice.readings + choice.classicalReadings + formReadings + fit.readings + export.readings
      + [leftOut].compactMap { $0 }
  }

  /// What was found out about the model before anything is measured.
  var findings: [Finding] { export.findings + fit.findings }

  /// Stored numbers that may be taken for parameters, and are none.
  private var leftOut: Reading? {
    let entries = parameters.entries.filter { entry in
      guard let reason = entry.reason?.text(.flags), !entry.isChosen else { return false }
      // Numbers that the exporter wrote for a formula are nobody's parameters.
      return entry.mayBeParameter || !TensorReasons.isFormula(reason, count: entry.type.shape.count)
    }
    guard !entries.isEmpty else { return nil }
    var reasons: [String] = []
    for entry in entries where !reasons.contains(entry.reason!.text(.flags)) {
      reasons.append(entry.reason!.text(.flags))
    }
    let parts = reasons.map { reason in
      let tensors = entries.filter { $0.reason!.text(.flags) == reason }
      let numbers = tensors.reduce(0) { $0 + $1.type.shape.count }
      return "\(Wording.count(numbers, "number")) in \(Self.shown(tensors.map(\.name))) (\(reason))"
    }
    let doubtful = entries.filter(\.mayBeParameter)
    let advice =
      doubtful.first.map { _ in
        "If training moves \(doubtful.count == 1 ? "it" : "them"), add "
          + "\(doubtful.count == 1 ? "it" : "them") by name: --parameters "
          + "'\((["*"] + doubtful.prefix(4).map { Printable.line($0.name) }).joined(separator: ","))'."
      } ?? "--list-parameters shows all, --parameters and --freeze choose otherwise."
    return Reading(
      "parameters-left-out", "Stored, but no parameters: \(Wording.list(parts)). \(advice)",
      names: entries.map(\.name))
  }

  static func shown(_ names: [String]) -> String {
    Wording.list(names.prefix(3).map(Printable.line) + (names.count > 3 ? ["..."] : []))
  }

  /// What was noticed on the way.
  var notes: [String] {
    var notes: [String] = []
    if choice.loss == nil {
      notes.append(
        choice.inputs.isEmpty
          ? "The loss is the model's own output '\(choice.output)', which depends on no data."
          : "The loss is the model's own output '\(choice.output)', measured as one batch.")
    }
    if let writtenBatch {
      notes.append(
        "The node \(Printable.line(writtenBatch.node)) takes batches of "
          + "\(Wording.count(writtenBatch.size, "sample")) alone, as it was exported, so the samples were "
          + "run in such batches.")
    }
    if choice.options.training, !choice.model.uses(["BatchNormalization", "Dropout"]) {
      notes.append(
        "--training changes nothing: there is no BatchNormalization or Dropout in the model, maybe "
          + "since the exporter folded them away.")
    }
    return notes
  }
}

/// Why stored tensors are no parameters.
enum TensorReasons {
  static func isFormula(_ reason: String, count: Int) -> Bool {
    reason == "a number written into the graph"
      || count == 1 && ["a constant of the exporter", "a bound"].contains(reason)
  }
}
