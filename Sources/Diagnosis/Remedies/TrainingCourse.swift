import Curvature
import Training

/// How a prescription was run, as `eigenstep train` takes it.
public struct TrainingCourse: Sendable, Equatable, Codable {
  public var optimizer: TrainingMethod
  /// The method that takes over.
  public var then: CatalogueSetting<MethodCatalogue>?
  /// Nil for a method that finds the lengths of its steps itself.
  public var rate: Double?
  /// Nil for a constant rate.
  public var schedule: SchedulePlan?
  /// Factors of the rate for some parameters.
  public var rates: [RuleSetup.GroupRate] = []
  /// Whether a table's columns are standardised first.
  public var standardises = false
  /// Nil for all samples at each step.
  public var batch: Int?
  public var sampling: Batches.Sampling?
  /// Passes over the samples, with batches; steps without.
  public var epochs: Int?
  public var steps: Int?

  init(_ optimizer: TrainingMethod, rate: Double? = nil) {
    self.optimizer = optimizer
    self.rate = rate
  }

  /// Of an optimizer of the catalogue with a schedule of it; nil for others.
  ///
  /// - Parameter parameters: that the factors of rates are of.
  init?(
    _ optimizer: any Optimizer, rate: Double, _ form: TrialForm,
    _ parameters: [LossDefinition.Parameter]
  ) {
    guard let setting = try? OptimizerSetting(optimizer.name, optimizer.hyperparameters) else {
      return nil
    }
    self.init(.optimizer(setting), rate: rate)
    if let schedule = form.schedule {
      guard let named = try? ScheduleSetting(schedule.name, schedule.hyperparameters) else {
        return nil
      }
      self.schedule = SchedulePlan(named, warmUp: (schedule as? WarmUp)?.length.value)
    }
    guard let factors = form.rules.rateFactors else { return }
    var names: [(factor: Double, names: [String])] = []
    for (parameter, factor) in zip(parameters, factors) {
      guard case .scalar(let factor) = factor,
        !parameter.name.contains(where: { ",*?[=".contains($0) })
      else { return nil }
      if let index = names.firstIndex(where: { $0.factor == factor }) {
        names[index].names.append(parameter.name)
      } else {
        names.append((factor, [parameter.name]))
      }
    }
    rates = names.filter { $0.factor != 1 }.map {
      .init(parameters: $0.names.joined(separator: ","), factor: $0.factor)
    }
  }

  /// Whether the rate of a step depends on how long the run is to be.
  var dependsOnLength: Bool {
    schedule.map {
      $0.warmUp != nil || !["triangular", "sharpness-following"].contains($0.schedule.name)
    }
      ?? (then != nil)
  }
}

extension TrainingCourse {
  /// The command that trains so, word by word; nil for what is no file.
  ///
  /// - Parameters:
  ///   - resources: of the diagnosis, for its seed and arithmetic.
  public func arguments(_ source: ProblemSource, _ resources: Resources) -> [String]? {
    guard var words = Self.arguments(source) else { return nil }
    func add(_ name: String, _ value: String?) {
      if let value { words += [name, value] }
    }
    if standardises { words.append("--standardise") }
    add("--optimizer", Self.named(optimizer.name, optimizer.hyperparameters, standard: standard))
    add("--lr", rate.map(Self.text))
    if let schedule {
      let own = schedule.schedule
      add(
        "--schedule",
        Self.named(
          own.name, own.hyperparameters,
          standard: (try? ScheduleSetting(own.name))?.hyperparameters ?? [:]))
      add("--warm-up", schedule.warmUp.map(Self.text))
    }
    for group in rates { add("--rate", "\(group.parameters)=\(Self.text(group.factor))x") }
    if let then {
      add(
        "--then",
        Self.named(
          then.name, then.hyperparameters,
          standard: (try? CatalogueSetting<MethodCatalogue>(then.name))?.hyperparameters ?? [:]))
    }
    add("--batch", batch.map(String.init))
    if let sampling, sampling != .shuffle { add("--sampling", sampling.rawValue) }
    add("--epochs", epochs.map(String.init))
    add("--steps", steps.map(String.init))
    if resources.seed != 0 { add("--seed", String(resources.seed)) }
    add("--precision", resources.precision?.rawValue)
    if resources.executor != .automatic { add("--executor", resources.executor.rawValue) }
    return words
  }

  private var standard: [String: Double] {
    (try? TrainingMethod(optimizer.name))?.hyperparameters ?? [:]
  }

  /// `name`, or with what is not at its default `name:a=1,b=2`.
  private static func named(
    _ name: String, _ values: [String: Double], standard: [String: Double]
  ) -> String {
    let set = values.filter { standard[$0.key] != $0.value }.sorted { $0.key < $1.key }
    return set.isEmpty
      ? name : "\(name):" + set.map { "\($0.key)=\(text($0.value))" }.joined(separator: ",")
  }

  /// As short as reads back as the same number.
  private static func text(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// Those that name the problem.
  private static func arguments(_ source: ProblemSource) -> [String]? {
    var words = ["eigenstep", "train"]
    func add(_ name: String, _ value: String?) {
      if let value { words += [name, value] }
    }
    func list(_ name: String, _ values: [String]) {
      guard !values.isEmpty else { return }
      add(name, values.map { $0.contains(",") ? "\"\($0)\"" : $0 }.joined(separator: ","))
    }
    switch source {
    case .table(let table):
      words.append(table.file == "/dev/stdin" ? "-" : table.file)
      add("--target", table.target)
      list("--features", table.features)
      list("--drop", table.dropped)
      list("--keep", table.kept)
      add("--model", table.model?.name)
      add("--loss", table.loss)
      if !table.intercept { words.append("--no-intercept") }
      if table.reduction != .mean { add("--reduction", table.reduction.rawValue) }
      if table.missing != .leaveOut { add("--missing", table.missing.rawValue) }
      if table.l2 != 0 { add("--l2", text(table.l2)) }
    case .model(let model):
      words.append(model.file)
      add("--data", model.data)
      if model.target != "target" { add("--target", model.target) }
      add("--loss", model.loss)
      add("--output", model.output)
      add("--loss-output", model.lossOutput)
      add("--parameters", model.parameters)
      add("--freeze", model.frozen)
      add("--samples", model.samples.map(String.init))
      add("--batch-axis", model.batchAxis.map(String.init))
      if model.training { words.append("--training") }
      if model.asLogits { words.append("--as-logits") }
      if model.l2 != 0 { add("--l2", text(model.l2)) }
    case .memory: return nil
    }
    return words
  }
}
