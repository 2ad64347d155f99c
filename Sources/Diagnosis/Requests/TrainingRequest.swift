import Presentation
import Training

/// Everything that a training run can be told: `eigenstep train` makes one of its options, and
/// `eigenstep run` reads one from a file.
public struct TrainingRequest: Sendable, Equatable {
  public static let currentSchema = "eigenstep.request.training/1"

  public var problem: ProblemSource
  public var optimizer = TrainingMethod()
  /// A method that takes over from the optimizer as soon as `switching` says so.
  public var then: CatalogueSetting<MethodCatalogue>?
  /// When it does: by default where the gradient's signal is strong and progress has stalled, and not before.
  public var switching = CatalogueSetting<SwitchCatalogue>()
  /// Nil: 1 for a method with inner iterations, whose steps have lengths of their own, and whatever is measured for
  /// a schedule that measures, which takes none above a number given; else an optimizer needs one.
  public var rate: RateChoice?
  public var schedule = ScheduleSetting()
  /// In which the rate rises to that of the schedule: above 1 in steps, up to 1 as a share of the run.
  public var warmUp: Double?
  /// Nil: each step is of all samples.
  public var batches: BatchSetup?
  /// Passes over the samples, or steps: one of the two.
  public var epochs: Int?
  public var steps: Int?
  public var rules = RuleSetup()
  public var heldOut: HeldOutSetup?
  /// Evaluations without a lower held-out loss after which the run is stopped, its best parameters kept.
  public var patience: Int?
  public var trackers: [TrackerSetting] = []
  public var guarding = GuardAction.off
  public var files = TrainingFiles()
  public var resources = Resources()

  public init(_ problem: ProblemSource) { self.problem = problem }

  /// Whether a table's columns are standardised.
  var standardises: Bool {
    if case .table(let table) = problem { table.standardised } else { false }
  }

  /// - Throws: `RequestError` for the first field with a value that it cannot have.
  public func check() throws {
    try problem.check()
    try rate?.check()
    try RequestError.check(warmUp, "warmUp", .above(0, to: Double(TrainingSetup.mostSteps)))
    try batches?.check()
    try RequestError.check(epochs, "epochs", atLeast: 1, atMost: TrainingSetup.mostSteps)
    try RequestError.check(steps, "steps", atLeast: 1, atMost: TrainingSetup.mostSteps)
    switch (epochs, steps) {
    case (nil, nil): throw RequestError("steps", "is missing: give it, or `epochs`")
    case (let epochs?, let steps?):
      throw RequestError("steps", "is \(steps) beside `epochs`, \(epochs); give one of them")
    default: break
    }
    try rules.check()
    if rules.rates.contains(where: { $0.rate != nil }) {
      guard case .number? = rate else {
        throw RequestError(
          "rules.rates",
          "gives parameters a rate of their own, so that the rate of all has to be a number"
        )
      }
    }
    try heldOut?.check()
    try RequestError.check(patience, "patience", atLeast: 1)
    if let patience, heldOut == nil {
      throw RequestError("patience", "is \(patience), which needs `heldOut`")
    }
    if let measurement = schedule.make().measurement {
      if let refusal = measurement.refusal(for: optimizer) {
        throw RequestError("schedule", "is \(schedule.name), but \(refusal.reason)")
      }
      if rate == .automatic {
        throw RequestError(
          "rate",
          "is auto, but the schedule \(schedule.name) measures its rates: leave it out, or give a number as "
            + "the largest")
      }
    } else if case .optimizer(let setting) = optimizer, rate == nil {
      throw RequestError(
        "rate", "is missing, which the optimizer \(setting.name) needs: give a number, or auto")
    }
    if case .method(let setting) = optimizer {
      if let then {
        throw RequestError(
          "then",
          "is \(then.name), but the method \(setting.name) goes alone; begin with an optimizer")
      }
      if schedule != ScheduleSetting() || warmUp != nil {
        throw RequestError(
          schedule != ScheduleSetting() ? "schedule" : "warmUp",
          "is given, but the method \(setting.name) finds the length of its steps by itself; leave it out"
        )
      }
      if batches != nil {
        throw RequestError(
          "batches", "is given, but the method \(setting.name) takes gradients of all samples")
      }
      if guarding != .off {
        throw RequestError(
          "guarding",
          "is \(guarding.rawValue), but the method \(setting.name) finds its steps by itself; leave it out"
        )
      }
      if rules != RuleSetup() {
        throw RequestError(
          "rules", "is given, but the method \(setting.name) finds its steps by itself")
      }
    }
    if then == nil, switching != CatalogueSetting() {
      throw RequestError("switching", "is given, which needs `then`")
    }
    try checkIgnored()
    try files.check()
    try resources.check()
  }

  /// Refuses what would come to nothing.
  private func checkIgnored() throws {
    if let undecayed = rules.undecayed, rules.weightDecay == nil,
      optimizer.hyperparameters["weight-decay"] == nil
    {
      throw RequestError(
        "rules.undecayed",
        "is \(undecayed), but nothing decays: give `rules.weightDecay`, or an optimizer that has one"
      )
    }
    let names = trackers.map(\.name)
    if let index = names.indices.first(where: { names[..<$0].contains(names[$0]) }) {
      throw RequestError("trackers", "names \(names[index]) twice; give it once")
    }
  }
}

/// A learning rate as a request names it: a number, or `auto`.
public enum RateChoice: Sendable, Equatable, Codable {
  case number(Double)
  case automatic

  private static let name = "auto"

  /// - Throws: `RequestError`.
  func check() throws {
    if case .number(let rate) = self { try RequestError.check(rate, "rate", .above(0)) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      guard text == Self.name else {
        throw RequestError("rate", "is '\(text)', but it must be a number or \(Self.name)")
      }
      self = .automatic
    } else {
      self = .number(try container.decode(Double.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let rate): try container.encode(rate)
    case .automatic: try container.encode(Self.name)
    }
  }
}

extension TrainingRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case schema, problem, optimizer, then, switching, rate, schedule, warmUp, batches, epochs,
      steps, rules,
      heldOut
    case patience, trackers, guarding, files, resources
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    try fields.check(.schema, is: Self.currentSchema)
    self.init(try fields.value(.problem))
    optimizer = try fields.optional(.optimizer) ?? optimizer
    then = try fields.optional(.then)
    switching = try fields.optional(.switching) ?? switching
    rate = try fields.optional(.rate)
    schedule = try fields.optional(.schedule) ?? schedule
    warmUp = try fields.optional(.warmUp)
    batches = try fields.optional(.batches)
    epochs = try fields.optional(.epochs)
    steps = try fields.optional(.steps)
    rules = try fields.optional(.rules) ?? rules
    heldOut = try fields.optional(.heldOut)
    patience = try fields.optional(.patience)
    trackers = try fields.optional(.trackers) ?? trackers
    guarding = try fields.optional(.guarding) ?? guarding
    files = try fields.optional(.files) ?? files
    resources = try fields.optional(.resources) ?? resources
    try check()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.currentSchema, forKey: .schema)
    try container.encode(problem, forKey: .problem)
    try container.encode(optimizer, forKey: .optimizer)
    try container.encodeIfPresent(then, forKey: .then)
    if then != nil { try container.encode(switching, forKey: .switching) }
    try container.encodeIfPresent(rate, forKey: .rate)
    try container.encode(schedule, forKey: .schedule)
    try container.encodeIfPresent(warmUp, forKey: .warmUp)
    try container.encodeIfPresent(batches, forKey: .batches)
    try container.encodeIfPresent(epochs, forKey: .epochs)
    try container.encodeIfPresent(steps, forKey: .steps)
    try container.encode(rules, forKey: .rules)
    try container.encodeIfPresent(heldOut, forKey: .heldOut)
    try container.encodeIfPresent(patience, forKey: .patience)
    try container.encode(trackers, forKey: .trackers)
    try container.encode(guarding, forKey: .guarding)
    try container.encode(files, forKey: .files)
    try container.encode(resources, forKey: .resources)
  }
}
