import Curvature
import Presentation
import TensorPrograms

extension ModelLoss {
  /// The type that `checked` gives a target of this type.
  package func labelType(_ target: TensorType, outputs: TensorType) -> TensorType {
    let isLoose =
      target.element == .bool || target.element.isFloating && target.shape != outputs.shape
    return isLoose && ["cross-entropy", "nll"].contains(name)
      ? TensorType(.int64, target.shape) : target
  }

  /// The target as this loss of these outputs takes it: labels as integers.
  ///
  /// - Parameter name: what the target is called in a complaint, as `the target 'y'`.
  /// - Throws: `DiagnosisFailure` where a label is no whole number or out of range, or a
  ///   probability is none.
  package func checked(
    _ target: Tensor, named name: String, outputs: TensorType, outputName: String
  ) throws -> Tensor {
    var target = target
    if labelType(target.type, outputs: outputs) != target.type {
      let values = target.doubles
      if let fraction = values.firstIndex(where: { $0 != $0.rounded() || abs($0) > 0x1p53 }) {
        throw DiagnosisFailure(
          .badData,
          "\(name) holds \(values[fraction]) at index \(target.shape.position(fraction)), but "
            + "\(self.name) takes whole-number labels, or probabilities in the output's shape "
            + "\(outputs.shape).")
      }
      target = Tensor(values, type: TensorType(.int64, target.shape))
    }
    let isProbable = self.name == "cross-entropy" && target.element.isFloating
    if self.name == "binary" || self.name == "kl" || isProbable,
      let index = target.doubles.firstIndex(where: { !($0 >= 0 && $0 <= 1) })
    {
      throw DiagnosisFailure(
        .badData,
        "\(name) holds \(Wording.number(target.doubles[index])) at index "
          + "\(target.shape.position(index)), but \(self.name) takes "
          + (self.name == "binary" ? "0, 1 or a probability between" : "probabilities from 0 to 1")
          + "; mend the target, or choose another --loss.")
    }
    guard let axis = classAxis(outputs, target.type) else { return target }
    let classes = outputs.shape[axis]
    let labels = target.doubles
    let ignored = Double(Self.ignoredLabel)
    guard labels.contains(where: { $0 != ignored }) else {
      throw DiagnosisFailure(
        .badData,
        "\(name) holds nothing but the label \(Self.ignoredLabel), which is ignored; give it labels."
      )
    }
    if let index = labels.firstIndex(where: {
      ($0 < 0 || $0 >= Double(classes)) && $0 != ignored
    }) {
      let countsFromOne = labels.min() == 1 && labels.max() == Double(classes)
      throw DiagnosisFailure(
        .badData,
        "\(name) holds the label \(Wording.number(labels[index], digits: 17)) at index \(target.shape.position(index)), but "
          + "the output '\(outputName)' has \(classes) classes, 0 to \(classes - 1)"
          + (countsFromOne ? "; these labels count from 1: subtract 1." : ": mend the labels."))
    }
    return target
  }
}

extension Shape {
  /// Where entry `index` of the flat array lies: `17`, or `[2, 5]`.
  fileprivate func position(_ index: Int) -> String {
    guard rank > 1 else { return "\(index)" }
    return "[" + zip(dimensions, strides).map { "\(index / $1 % $0)" }.joined(separator: ", ") + "]"
  }
}
