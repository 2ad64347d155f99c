import Diagnosis
import OnnxBackend
import Presentation

extension TracedModelFile {
  /// What was decided for the user.
  var readings: [Reading] { [leftOut].compactMap { $0 } }

  /// Tensors that may be parameters, and are not taken for any.
  private var leftOut: Reading? {
    let entries = parameters.entries.filter { $0.reason != nil && $0.mayBeParameter }
    guard !entries.isEmpty else { return nil }
    let numbers = entries.reduce(0) { $0 + $1.type.shape.count }
    let shown = Self.shown(entries.map { "\($0.name) (\($0.reason!.text(.flags)))" })
    return Reading(
      "parameters-left-out",
      "\(Wording.count(numbers, "number")) in \(Wording.count(entries.count, "tensor")) "
        + "\(numbers == 1 ? "is" : "are") kept as constants: \(shown). If training moves them, add "
        + "them by name: --parameters '*,\(Printable.line(entries[0].name))'.",
      names: entries.map(\.name))
  }

  private static func shown(_ names: [String]) -> String {
    Wording.list(names.prefix(3).map(Printable.line) + (names.count > 3 ? ["..."] : []))
  }

  /// What was noticed on the way, and what exporters do to models that changes what is diagnosed.
  var notes: [String] {
    let model = choice.model
    var notes: [String] = []
    if choice.loss == nil {
      notes.append("The loss is the model's own output '\(choice.output)', measured as one batch.")
    }
    let idle = parameters.entries.filter { $0.reason == "no influence on the loss" }
    if !idle.isEmpty {
      notes.append(
        "Left out, since the loss does not depend on them: "
          + "\(Wording.list(idle.prefix(5).map(\.name) + (idle.count > 5 ? ["..."] : []))).")
    }
    notes += constants
    let merged = parameters.names.filter { name in
      let values = model.initializers[name]!.doubles
      return values.count > 1 && model.readerCount(of: name) > 1
        && values.allSatisfy { $0 == values[0] }
    }
    if !merged.isEmpty {
      notes.append(
        "\(Self.shown(merged)): one number throughout, and read more than once. Exporters merge "
          + "equal tensors; if training has several, export without optimisation (the README says "
          + "how), or they are diagnosed as one.")
    }
    if choice.options.training, !model.uses(["BatchNormalization", "Dropout"]) {
      notes.append(
        "--training changes nothing: there is no BatchNormalization or Dropout in the model, maybe "
          + "since the exporter folded them away.")
    }
    return notes
  }

  /// What is stored beside the parameters, counted by the reason.
  private var constants: [String] {
    let chosen = ["no influence on the loss", "the outputs do not depend on it"]
    let others = parameters.entries.filter { entry in
      guard let reason = entry.reason, !entry.mayBeParameter, entry.type.shape.count > 1
      else { return false }
      return !chosen.contains(reason.text(.flags)) && !reason.text(.flags).contains("--")
    }
    var reasons: [String] = []
    for entry in others where !reasons.contains(entry.reason!.text(.flags)) {
      reasons.append(entry.reason!.text(.flags))
    }
    guard !reasons.isEmpty else { return [] }
    let parts = reasons.map { reason in
      let tensors = others.filter { $0.reason!.text(.flags) == reason }
      let numbers = tensors.reduce(0) { $0 + $1.type.shape.count }
      return "\(Wording.count(numbers, "number")) in \(Wording.count(tensors.count, "tensor")) "
        + "(\(reason))"
    }
    return [
      "Stored, but no parameters: \(Wording.list(parts)); --list-parameters names them."
    ]
  }
}
