import ArgumentParser
import Diagnosis
import Training

/// The options that name a table or a model file, and the point on its loss: the same for every command.
struct ProblemOptions: ParsableArguments {
  @OptionGroup var chosen: SourceOptions

  @Option(
    help:
      "The optimizer whose learning rate is judged; any hyperparameter of it as adam:epsilon=1e-6.")
  var optimizer: OptimizerName = .init()

  @Option(name: .customLong("lr"), parsing: .unconditional, help: "The learning rate to judge.")
  var givenRate: RateArgument?

  /// The learning rate, where it is one number.
  var rate: Double? { givenRate?.value }

  @Option(
    parsing: .unconditional,
    help: """
      The coefficient of --optimizer \(OptimizerCatalogue.names(having: "momentum")). (default: the \
      optimizer's own)
      """)
  var momentum: Double?

  @Option(
    parsing: .unconditional,
    help: "The first coefficient of Adam and its kin. (default: the optimizer's own)")
  var beta1: Double?

  @Option(
    parsing: .unconditional,
    help: "The second coefficient of Adam and its kin. (default: the optimizer's own)")
  var beta2: Double?

  @Option(
    parsing: .unconditional,
    help: "Where to measure: init, or after this many full-batch steps. (default: init)",
    transform: OptionValue.steps)
  var at: Int = 0

  func validate() throws {
    if at > 0, givenRate == nil {
      throw ValidationError("--at \(at) takes \(at) steps, so it needs a learning rate: add --lr.")
    }
    // Several rates are a sweep's, which checks what is its own.
    if givenRate?.range == nil { try OptionValue.checking { try training.check() } }
    try checkHyperparameters()
  }

  var file: String { chosen.file }
  var modelFile: ModelFileArguments { chosen.modelFile }
  var isModel: Bool { chosen.isModel }
  var profile: String? { chosen.profile }
  var source: ProblemSource { chosen.source }
  var resources: Resources { chosen.resources }

  var training: TrainingSetup {
    var training = TrainingSetup()
    training.optimizer = setting
    training.rate = rate
    training.steps = at
    return training
  }

  /// The hyperparameters that were given by options of their own, by name.
  private var hyperparameters: [(name: String, value: Double)] {
    [("momentum", momentum), ("beta1", beta1), ("beta2", beta2)].compactMap { name, value in
      value.map { (name, $0) }
    }
  }

  /// Of whatever optimizer: a value out of range is a slip of the hand also where it is not used.
  private func checkHyperparameters() throws {
    let known = OptimizerCatalogue.all.flatMap(\.hyperparameters)
    for (name, value) in hyperparameters {
      guard let range = known.first(where: { $0.name == name })?.range else { continue }
      try OptionValue.check(value, "--\(name)", "\(range)", range.contains)
      if let other = optimizer.hyperparameters[name] {
        try OptionValue.checkAgrees(value, "--\(name)", optimizer.name, with: (name, other))
      }
    }
  }

  /// Refuses a coefficient that the optimizer does not have, which would change nothing.
  func checkHyperparametersAreOwn() throws {
    let own = OptimizerCatalogue.named(optimizer.name)?.hyperparameters.map(\.name) ?? []
    for (name, value) in hyperparameters where !own.contains(name) {
      throw ValidationError(
        "--\(name) is \(value), and the optimizer \(optimizer.name) has no \(name): take "
          + "\(OptimizerCatalogue.names(having: name)), or leave it out.")
    }
  }

  /// The optimizer with those of its hyperparameters that have options.
  private var setting: OptimizerSetting {
    let own = OptimizerCatalogue.named(optimizer.name)?.hyperparameters.map(\.name) ?? []
    let given = hyperparameters.filter { own.contains($0.name) }
    // What is out of range is refused by `checkHyperparameters`.
    return
      (try? OptimizerSetting(
        optimizer.name,
        Dictionary(uniqueKeysWithValues: given.map { ($0.name, $0.value) })
          .merging(optimizer.hyperparameters) { $1 })) ?? OptimizerSetting()
  }
}
