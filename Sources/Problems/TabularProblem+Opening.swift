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
    let isOfClasses = given.map { Self.classLosses.contains($0.name) }
    let kind: TabularData.TargetKind =
      switch source.model {
      case .linear: .numeric
      case .softmax, .logistic: .classes
      case .mlp, nil: isOfClasses.map { $0 ? .classes : .numeric } ?? .automatic
      }
    let data = try TabularData(
      table: Table(contentsOfCSV: source.file), target: source.target,
      features: source.features.isEmpty ? nil : source.features, drop: source.dropped,
      keep: source.kept,
      missing: source.missing.rule, targetKind: kind,
      choices: source.model == nil ? .model : .loss, hasBias: source.intercept)
    let target: Target
    switch data.target {
    case .numeric(_, let values): target = .numeric(values)
    case .classes(_, let labels, let indices): target = .classes(indices, count: labels.count)
    }
    let model = source.model ?? Self.model(of: target, loss: given)
    if model == .logistic {
      try Self.checkTwoClasses(data.target, "The model logistic", .model)
    } else if given?.name == ModelLoss.binary.name {
      try Self.checkTwoClasses(data.target, "The loss binary", .loss)
    }
    let isClasses = if case .classes = target { true } else { false }
    if case .mlp(let hidden, _)? = source.model {
      let outputs = if case .classes(_, let count) = target { count } else { 1 }
      try Self.requireRoom(for: [data.featureNames.count] + hidden + [outputs])
    }
    let loss = given ?? (isClasses ? .crossEntropy : .halfSquaredError)
    self.init(
      name: HeldFile.isName(source.file)
        ? String(source.file.dropFirst(HeldFile.prefix.count))
        : source.file.split(separator: "/").last.map(String.init) ?? source.file,
      targetName: source.target, features: data.features, featureNames: data.featureNames,
      target: target, model: model, loss: model == .logistic ? .binary : loss, l2: source.l2,
      seed: seed, notes: data.notes)
    hasIntercept = source.intercept
    reduction = source.reduction
    readings = data.readings
    if case .classes(_, let labels, _) = data.target { classLabels = labels.map { "\($0)" } }
    if source.model == nil, kind == .automatic { undecidedClasses = data.undecidedClasses }
    if source.model == nil, model == .softmax, case .classes(_, count: 2) = target {
      notes.append(
        "Softmax has a weight vector for each of the two classes; --model logistic has one logit, with "
          + "half the curvature and twice the stability limit at the start.")
    }
  }

  /// The losses that classes go with; of one logit, both names mean the same.
  private static let classLosses = [ModelLoss.crossEntropy.name, ModelLoss.binary.name]

  private static func model(of target: Target, loss: ModelLoss?) -> ModelChoice {
    switch target {
    case .numeric: .linear
    case .classes: loss?.name == ModelLoss.binary.name ? .logistic : .softmax
    }
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
    if let complaint = TableRequest.mismatch(model, loss?.name) {
      throw DiagnosisFailure(.usage, complaint)
    }
  }

  /// - Parameter option: what another model or loss is chosen by.
  private static func checkTwoClasses(
    _ target: TabularData.Target, _ subject: String, _ option: Message.Option
  ) throws {
    guard case .classes(let name, let labels, _) = target, labels.count != 2 else { return }
    throw DiagnosisFailure(
      .badData,
      "\(subject) tells two classes apart, and the target '\(name)' holds "
        + "\(Wording.count(labels.count, "different value")); use "
        + "\(option: option, option == .loss ? ModelLoss.crossEntropy.name : "softmax").")
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

extension MissingValues {
  /// What it asks of a table.
  fileprivate var rule: TabularData.MissingValues {
    switch self {
    case .leaveOut: .leaveOut
    case .mean: .mean
    case .refuse: .refuse
    }
  }
}
