import Curvature
import Presentation

extension Finding {
  /// The sample does not tell what the sharpness of a larger one would be.
  public static func sampleTooSmall(
    _ error: SamplingError, samples: Int, called noun: String = "row", warning: String
  ) -> Finding {
    Finding(
      id: "sample-too-small",
      sentence:
        "These \(Wording.count(samples, noun)) do not tell how sharp the loss of a larger sample "
        + "would be (\(Wording.number(error.lower)) to \(Wording.number(error.upper))): \(warning).",
      evidence: [
        "samples": .integer(samples), "value": .number(orMissing: error.value),
        "lower": .number(orMissing: error.lower), "upper": .number(orMissing: error.upper),
        "confidence": .number(error.confidence),
      ])
  }

  /// Only some of the samples were diagnosed.
  static func someSamples(
    chosen: Int, of count: Int, seed: Int, sharpness: SharpnessOnAllSamples?
  ) -> Finding {
    let check = sharpness.map {
      " On all of them the sharpness is at least \(Wording.number($0.value)), and an eigenvalue lies "
        + "within \(Wording.number($0.residual)) of that"
        + ($0.value > 0 ? ": the limit there is at most \(Wording.number(2 / $0.value))." : ".")
    }
    return Finding(
      id: "some-samples",
      sentence:
        "\(Wording.count(chosen)) of the \(Wording.count(count)) samples, drawn by --seed \(seed), were "
        + "diagnosed, since all would take too long (--effort allows more).\(check ?? "")",
      evidence: [
        "samples": .integer(chosen), "of": .integer(count),
        "sharpness": .number(orMissing: sharpness?.value),
        "residual": .number(orMissing: sharpness?.residual),
      ])
  }

  /// Fewer rows than parameters: the data cannot pin every parameter down.
  public static func fewSamples(samples: Int, parameters: Int) -> Finding {
    Finding(
      id: "few-samples",
      sentence:
        "There are \(Wording.count(samples, "row")) for \(Wording.count(parameters, "parameter")): "
        + "the data leave some directions undetermined, and the loss is flat along them.",
      evidence: ["samples": .integer(samples), "parameters": .integer(parameters)])
  }

  /// Columns with one value in every row.
  public static func constantColumns(_ names: [String]) -> Finding {
    let (noun, verb) = names.count == 1 ? ("column", "has") : ("columns", "have")
    return Finding(
      id: "constant-columns",
      sentence:
        "The \(noun) \(Wording.list(names)) \(verb) the same value in every row and tell"
        + "\(names.count == 1 ? "s" : "") no more than the bias; leave \(names.count == 1 ? "it" : "them") out "
        + "with --drop.",
      evidence: ["columns": .list(names)])
  }

  /// The model was chosen from the target column.
  public static func targetTakenForClasses(column: String, classes: Int) -> Finding {
    Finding(
      id: "target-taken-for-classes",
      sentence:
        "The target \(column) has \(classes) whole-number values and was taken for a class; pass "
        + "--model linear to fit it as a number.",
      evidence: ["column": .text(column), "classes": .integer(classes)])
  }

  /// Text columns became one 0/1 column per value.
  public static func oneHotColumns(_ names: [String], columns: Int) -> Finding {
    Finding(
      id: "one-hot-columns",
      sentence:
        "The text column\(names.count == 1 ? "" : "s") \(Wording.list(names)) became "
        + "\(Wording.count(columns, "column")) of zeros and ones.",
      evidence: ["columns": .list(names), "count": .integer(columns)])
  }

  /// The loss that the trials are judged by: a minimum that something certifies, or only the lowest that
  /// was seen.
  public static func referenceLoss(_ value: Double, source: String, isCertified: Bool = true)
    -> Finding
  {
    let number = Wording.number(value, digits: 6)
    return Finding(
      id: "reference-loss",
      sentence: isCertified
        ? "Loss gaps are measured against \(number), from \(source)."
        : "Nothing certifies a minimum here: the runs are compared by the loss that each reached for the "
          + "same work, and the lowest loss seen is \(number).",
      evidence: [
        "loss": .number(orMissing: value), "source": .text(source),
        "certified": .integer(isCertified ? 1 : 0),
      ])
  }

  /// Measurements that a large model's diagnosis leaves out, so that it ends within minutes.
  public static func tooDear(_ measurements: [String]) -> Finding {
    Finding(
      id: "too-dear",
      sentence:
        "Left out, since a gradient of this model over this many samples takes long: "
        + "\(measurements.joined(separator: ", ")); a larger --effort makes room for them.",
      evidence: ["leftOut": .text(measurements.joined(separator: "; "))])
  }

  /// Trials stopped before all prescriptions had been run.
  public static func interrupted(done: Int, planned: Int) -> Finding {
    Finding(
      id: "interrupted",
      sentence: planned == 0
        ? "Interrupted before any prescription was looked at."
        : "Interrupted: \(done) of \(planned) prescriptions had been run; the others show only what "
          + "theory predicts.",
      evidence: ["done": .integer(done), "planned": .integer(planned)])
  }
}
