import Curvature
import Foundation
import TensorPrograms

extension DiagnosisProblem {
  /// The loss of the best answer that is the same for all samples; nil where it is not known.
  var lossAtBestConstant: Double? {
    guard l2 == 0 else { return nil }
    if let target = TargetScaling(self) { return target.lossAtBestConstant }
    guard let target = data.last, definition?.composite != nil else { return nil }
    let labels = target.doubles.filter { $0 != Double(ModelLoss.ignoredLabel) }
    guard labels.count == target.shape.count, labels.count == sampleCount else {
      return nil
    }
    var shares: [Double]
    switch lossName {
    case "cross-entropy", "nll":
      guard !target.element.isFloating else { return nil }
      shares = Dictionary(grouping: labels) { $0 }.values.map { Double($0.count) }
    case "binary":
      let ones = labels.reduce(0, +)
      shares = [ones, Double(labels.count) - ones]
    default: return nil
    }
    shares = shares.map { $0 / Double(labels.count) }
    let entropy = shares.reduce(0.0) { $0 - ($1 > 0 ? $1 * log($1) : 0) }
    return entropy * (table?.lossWeight ?? 1)
  }
}
