import Curvature
import Training

/// How a prescription was run, as `eigenstep train` takes it.
public struct TrainingCourse: Sendable, Equatable, Codable {
  public var optimizer: TrainingMethod
  /// The method that takes over.
  public var then: CatalogueSetting<MethodCatalogue>?
  /// When it does; nil for the criterion's own numbers.
  public var switching: CatalogueSetting<SwitchCatalogue>?
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
  /// The command that trains so, word by word, or the one line of a call; nil for what neither can name.
  ///
  /// - Parameters:
  ///   - resources: of the diagnosis, for its seed and arithmetic.
  public func arguments(_ source: ProblemSource, _ resources: Resources) -> [String]? {
    guard let problem = source.commandWords else { return nil }
    var words = problem
    func add(_ name: String, _ value: String?) {
      if let value { words += [name, value] }
    }
    if standardises, !words.contains("--standardise") { words.append("--standardise") }
    add("--optimizer", optimizer.spelled)
    add("--lr", rate.map(Self.text))
    if let schedule {
      add("--schedule", schedule.schedule.spelled)
      add("--warm-up", schedule.warmUp.map(Self.text))
    }
    for group in rates {
      let value = group.factor.map { "\(Self.text($0))x" } ?? group.rate.map(Self.text)
      add("--rate", value.map { "\(group.parameters)=\($0)" })
    }
    if let then {
      add("--then", then.spelled)
      add("--switch", switching?.spelled)
    }
    add("--batch", batch.map(String.init))
    if let sampling, sampling != .shuffle { add("--sampling", sampling.rawValue) }
    add("--epochs", epochs.map(String.init))
    add("--steps", steps.map(String.init))
    if resources.seed != 0 { add("--seed", String(resources.seed)) }
    add("--precision", resources.precision?.rawValue)
    if resources.executor != .automatic { add("--executor", resources.executor.rawValue) }
    return CommandLanguage.current == .python
      ? [CommandLanguage.pythonCall("train", words)] : ["eigenstep", "train"] + words
  }

  /// As short as reads back as the same number.
  private static func text(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
