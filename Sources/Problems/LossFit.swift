import Curvature
import Diagnosis
import OnnxBackend
import Presentation
import TensorPrograms

/// The loss that fits what a model's output is: logits, probabilities or their logarithms.
struct LossFit {
  /// The loss that is diagnosed; nil where the model computes its own.
  private(set) var loss: ModelLoss?
  /// The model whose output this loss is of: without the last softmax or sigmoid, where the loss takes one
  /// itself.
  private(set) var model: OnnxModel
  private(set) var readings: [Reading] = []
  private(set) var findings: [Finding] = []
  private let choice: ModelFileChoice

  init(_ choice: ModelFileChoice) {
    self.choice = choice
    loss = choice.loss
    model = choice.model
    guard let loss = choice.loss else {
      let nodes = choice.model.repeatedSoftmax(before: choice.output)
      if let finding = Finding.softmaxTwice(nodes: nodes) { findings.append(finding) }
      return
    }
    guard let activation = choice.model.activation(of: choice.output) else {
      if ["nll", "kl"].contains(loss.name), choice.model.endsInLayer(choice.output) {
        findings.append(
          .lossOfLogits(
            output: choice.output, loss: loss.name,
            fitting: loss.name == "nll" ? "cross-entropy" : nil))
      }
      return
    }
    let canReplace = activation.made != nil && !choice.options.asLogits
    let replacement: (loss: ModelLoss, isLogged: Bool)? =
      switch (loss.name, activation.kind) {
      case ("cross-entropy", .softmax), ("nll", .softmax): (.crossEntropy, false)
      case ("binary", .sigmoid): (.binary, false)
      case ("kl", .softmax): (loss, true)
      default: nil
      }
    if canReplace, let replacement {
      self.loss = replacement.loss
      model = choice.model.without(activation, logged: replacement.isLogged)
      readings.append(Self.reading(activation, choice, as: replacement.loss, replacement.isLogged))
    }
    if let finding = Finding.lossOfProbabilities(
      activation, output: choice.output, loss: loss.name,
      isMeasuredAsFits: canReplace && replacement != nil)
    {
      findings.append(finding)
    }
  }

  private static func reading(
    _ activation: OutputActivation, _ choice: ModelFileChoice, as loss: ModelLoss,
    _ isLogged: Bool
  ) -> Reading {
    let given = choice.loss?.name ?? loss.name
    let node = Printable.line(activation.node)
    return Reading(
      replaced,
      "The output '\(Printable.line(choice.output))' passed through a \(activation.kind.words) (the "
        + "node \(node)), and \(given) takes "
        + (given == "cross-entropy" || given == "binary"
          ? "that itself" : "log-probabilities")
        + ": the loss is "
        + (isLogged
          ? "\(loss.name) of the logarithm of these probabilities"
          : "\(loss.name) of the value before it, which is that of these probabilities")
        + ". With --as-logits it is taken of the output as it is.",
      names: [choice.output, activation.node])
  }

  /// Takes the cross-entropy of one number a sample for that of one logit.
  ///
  /// - Throws: `DiagnosisFailure` where the target cannot be that of two classes.
  mutating func settle(outputs: TensorType, target: TensorType?, path: String) throws {
    keepOtherAxis(outputs, target)
    guard let given = loss, given.name == "cross-entropy", outputs.shape.rank >= 1,
      outputs.shape.dimensions.dropFirst().allSatisfy({ $0 == 1 }), let target
    else { return }
    guard target.shape.count == outputs.shape.count else {
      throw DiagnosisFailure(
        .badData,
        "The output '\(choice.output)' is \(outputs), one number for a sample, which the loss "
          + "\(given.name) takes for one logit of two classes; the target is \(target). Choose an "
          + "\(option: .output) with a number for each class, or another \(option: .loss).")
    }
    let activation = choice.model.activation(of: choice.output)
    let finished = activation.map { [.sigmoid, .softmax].contains($0.kind) } ?? false
    loss = .binary
    if let activation, activation.kind == .sigmoid, activation.made != nil, !choice.options.asLogits
    {
      model = choice.model.without(activation)
      findings.removeAll()
    }
    let isBefore = readings.contains { $0.id == Self.replaced }
    readings.removeAll { $0.id == Self.replaced }
    readings.append(
      Reading(
        "one-logit",
        "The output '\(Printable.line(choice.output))' is one number for a sample, so the "
          + "cross-entropy is that of one logit against 0 or 1 (--loss binary)"
          + (finished && activation?.kind == .sigmoid && !choice.options.asLogits
            ? ", taken before the Sigmoid."
            : isBefore ? ", taken before the Softmax, which makes 1 of any single number." : "."),
        names: [choice.output]))
  }

  /// Takes the output as it is where its softmax does not go along the classes.
  private mutating func keepOtherAxis(_ outputs: TensorType, _ target: TensorType?) {
    let rank = outputs.shape.rank
    guard let given = choice.loss, let target, readings.contains(where: { $0.id == Self.replaced }),
      let activation = choice.model.activation(of: choice.output), activation.kind == .softmax,
      let named = activation.axis,
      // Probabilities of classes lie along axis 1.
      let classes = given.classAxis(outputs, given.labelType(target, outputs: outputs))
        ?? (given.name == "cross-entropy" && rank > 1 ? 1 : nil)
    else { return }
    let axis = named < 0 ? named + rank : named
    guard axis != classes else { return }
    (loss, model, findings) = (given, choice.model, [])
    readings = [
      Reading(
        "softmax-of-another-axis",
        "The output '\(Printable.line(choice.output))' passed through a Softmax along axis \(axis) (the "
          + "node \(Printable.line(activation.node))), and \(given.name) has its classes on axis "
          + "\(classes): the loss is taken of the output as it is.",
        names: [choice.output, activation.node])
    ]
  }

  private static let replaced = "output-is-no-logit"

  /// - Throws: `DiagnosisFailure` for labels that one logit has no place for.
  func check(_ target: Tensor, path: String, name: String) throws {
    guard choice.loss?.name == "cross-entropy", loss?.name == "binary",
      let label = target.doubles.first(where: { !($0 >= 0 && $0 <= 1) })
    else { return }
    throw DiagnosisFailure(
      .badData,
      "\(path): the target '\(name)' holds \(Wording.number(label, digits: 17)), but the output "
        + "'\(choice.output)' is one number for a sample, one logit of the classes 0 and 1: choose an "
        + "\(option: .output) with a number for each class, or \(option: .loss, "mse").")
  }
}

extension Finding {
  /// A loss of logits that is taken of probabilities, or likewise.
  ///
  /// - Parameter isMeasuredAsFits: whether the diagnosis is of the loss that fits.
  static func lossOfProbabilities(
    _ activation: OutputActivation, output: String, loss: String, isMeasuredAsFits: Bool
  ) -> Finding? {
    let kind = activation.kind
    // What fits the output as it is.
    let fitting: String? =
      switch (loss, kind) {
      case ("cross-entropy", .softmax), ("binary", .softmax), ("nll", .softmax): "cross-entropy"
      case ("cross-entropy", .sigmoid), ("nll", .sigmoid), ("binary", .sigmoid),
        ("cross-entropy", .logSigmoid), ("nll", .logSigmoid), ("binary", .logSigmoid):
        "binary"
      case ("binary", .logSoftmax), ("cross-entropy", .logSoftmax): "nll"
      case ("kl", .softmax): "kl"
      default: nil
      }
    guard let fitting else { return nil }
    let name = Printable.line(output)
    let node = Printable.line(activation.node)
    let twice: Bool
    let sentence: String
    switch (loss, kind) {
    case ("cross-entropy", .logSoftmax):
      twice = false
      sentence =
        "The output '\(name)' passed through a LogSoftmax (\(node)); cross-entropy takes it again, which "
        + "changes nothing. --loss nll is the same."
    case ("cross-entropy", .softmax), ("binary", .sigmoid):
      twice = true
      let code = loss == "binary" ? "BCEWithLogitsLoss" : "CrossEntropyLoss"
      sentence =
        "If training gives '\(name)', which passed through a \(kind.words) (\(node)), to a loss that "
        + "takes logits (as PyTorch's \(code)), the \(kind.words) is applied twice: the loss cannot come "
        + "near 0 and its curvature is smaller than that of "
        + (isMeasuredAsFits
          ? "the loss diagnosed here. "
          : "the loss that fits, which --loss \(loss) without --as-logits is. ")
        + "Leave the \(kind.words) out of the model there, or take a loss of probabilities."
    default:
      twice = false
      let takes =
        loss == "nll" || loss == "kl" ? "log-probabilities" : "logits, numbers of any size"
      sentence =
        "\(loss) takes \(takes), and the output '\(name)' passed through a \(kind.words) (\(node)): "
        + (isMeasuredAsFits
          ? "given it as it is, training would minimise something else"
            + (loss == "nll" ? ", minus a probability." : ".")
          : "--loss \(fitting) fits"
            + (kind == .softmax || kind == .sigmoid || fitting == "nll"
              ? "." : ", of the value before it."))
    }
    return Finding(
      id: twice ? "loss-of-probabilities" : "loss-and-output",
      sentence: sentence,
      evidence: [
        "output": .text(output), "node": .text(activation.node), "activation": .text(kind.words),
        "loss": .text(loss), "fitting": .text(fitting),
        "measuredAsFits": .integer(isMeasuredAsFits ? 1 : 0),
      ])
  }

  /// A loss of log-probabilities of numbers that nothing normalised.
  static func lossOfLogits(output: String, loss: String, fitting: String?) -> Finding {
    Finding(
      id: "loss-and-output",
      sentence:
        "\(loss) takes log-probabilities, but the output '\(Printable.line(output))' comes from a layer "
        + "as it is: this loss has no lower bound, and training runs off. "
        + (fitting.map { "--loss \($0) fits logits." }
          ?? "End the model in a LogSoftmax."),
      evidence: [
        "output": .text(output), "loss": .text(loss),
        "fitting": fitting.map { .text($0) } ?? .missing,
      ])
  }

  /// Nodes within a model that take a softmax of a softmax; nil for none.
  static func softmaxTwice(nodes: [String]) -> Finding? {
    guard let first = nodes.first else { return nil }
    return Finding(
      id: "softmax-twice",
      sentence:
        "The node \(Printable.line(first)) takes a softmax of probabilities, which another softmax made: "
        + "the loss cannot come near 0, and its curvature is that of this mistake. Give it the value "
        + "before the first softmax.",
      evidence: ["nodes": .list(nodes)])
  }
}
