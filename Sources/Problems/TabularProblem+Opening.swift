import Curvature
import Diagnosis
import Foundation
import Presentation
import TensorFiles

extension TabularProblem {
  /// The table that a request names, and the model that is fitted to it.
  ///
  /// - Parameter seed: of a network's first weights.
  /// - Throws: `TableError` for a table that cannot be used, `DiagnosisFailure` for options that do not
  ///   go with it.
  public init(_ source: TableRequest, seed: Int = 0) throws {
    let given = try source.loss.map { try Self.loss($0) }
    try Self.check(source.model, with: given)
    let kind: TabularData.TargetKind =
      switch source.model {
      case .linear: .numeric
      case .softmax: .classes
      case .mlp, nil:
        given.map { $0.name == ModelLoss.crossEntropy.name ? .classes : .numeric } ?? .automatic
      }
    let data = try TabularData(
      table: Table(contentsOfCSV: source.file), target: source.target,
      features: source.features.isEmpty ? nil : source.features, drop: source.dropped,
      missing: source.missing == .mean ? .mean : .refuse, targetKind: kind)
    let target: Target
    switch data.target {
    case .numeric(_, let values): target = .numeric(values)
    case .classes(_, let labels, let indices): target = .classes(indices, count: labels.count)
    }
    let isClasses = if case .classes = target { true } else { false }
    if case .mlp(let hidden, _)? = source.model {
      let outputs = if case .classes(_, let count) = target { count } else { 1 }
      try Self.requireRoom(for: [data.featureNames.count] + hidden + [outputs])
    }
    self.init(
      name: source.file.split(separator: "/").last.map(String.init) ?? source.file,
      targetName: source.target, features: data.features, featureNames: data.featureNames,
      target: target, model: source.model ?? (isClasses ? .softmax : .linear),
      loss: given ?? (isClasses ? .crossEntropy : .halfSquaredError), l2: source.l2, seed: seed,
      notes: data.notes)
    readings = data.readings
  }

  private static func loss(_ name: String) throws -> ModelLoss {
    guard let loss = ModelLoss.tabular.first(where: { $0.name == name }) else {
      throw DiagnosisFailure(
        .usage,
        "A table has no \(option: .loss, name): choose one of "
          + "\(Wording.list(ModelLoss.tabular.map(\.name))).")
    }
    return loss
  }

  /// Refuses a loss of numbers for a model of classes, and the other way round; a network takes both.
  private static func check(_ model: ModelChoice?, with loss: ModelLoss?) throws {
    guard let model, let loss else { return }
    let isCrossEntropy = loss.name == ModelLoss.crossEntropy.name
    switch model {
    case .softmax where !isCrossEntropy:
      throw DiagnosisFailure(
        .usage, "The model softmax goes with \(option: .loss, "cross-entropy") alone.")
    case .linear where isCrossEntropy:
      throw DiagnosisFailure(
        .usage,
        "The model linear has no \(option: .loss, "cross-entropy"); use "
          + "\(option: .model, "softmax") for classes.")
    case .linear, .softmax, .mlp: break
    }
  }

  /// Refuses a network whose parameters, with the handful of vectors of their length that training and
  /// curvature take, are more than the machine's memory.
  private static func requireRoom(for widths: [Int]) throws {
    let parameters = zip(widths, widths.dropFirst())
      .reduce(0.0) { $0 + (Double($1.0) + 1) * Double($1.1) }
    guard parameters * 8 * 16 <= Double(ProcessInfo.processInfo.physicalMemory) else {
      throw DiagnosisFailure(
        .usage,
        "The model has \(Wording.number(parameters)) parameters, too many for this machine's memory; "
          + "give \(option: .model) smaller widths.")
    }
  }
}
