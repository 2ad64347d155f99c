import Foundation
import Training

/// Everything that a sweep over learning rates can be told: `eigenstep sweep` makes one of its options, and
/// `eigenstep run` reads one from a file.
public struct SweepRequest: Sendable, Equatable {
  public static let currentSchema = "eigenstep.request.sweep/1"

  public var problem: ProblemSource
  public var optimizer = OptimizerSetting()
  public var schedule = ScheduleSetting()
  public var rates: RateRange
  /// Samples of each step, drawn by the seed; nil for all.
  public var batch: Int?
  /// How the samples are drawn; nil: shuffled.
  public var sampling: Batches.Sampling?
  /// In which the rate rises to that of the schedule: above 1 in steps, up to 1 as a share of the run.
  public var warmUp: Double?
  public var rules = RuleSetup()
  /// Samples that are not trained on; the loss over them is told beside.
  public var heldOut: HeldOutSetup?
  /// Steps of each run; nil for `epochs`.
  public var steps: Int?
  /// Passes over the samples; nil, where no steps are given either, for 5, on all samples for 200.
  public var epochs: Int?
  /// Runs of each rate, each from a start and with batches of its own where these are drawn.
  public var seeds = 1
  /// Whether the range test is run beside.
  public var rangeTest = false
  /// Whether the rate that `--lr auto` stands for is found beside.
  public var auto = false
  public var resources = Resources()

  public init(_ problem: ProblemSource, rates: RateRange) {
    self.problem = problem
    self.rates = rates
  }

  /// The optimizer in words, with what was set.
  var phrase: String { rules.phrase(.optimizer(optimizer)) }

  /// More runs than this are no sweep for one machine.
  public static let mostLanes = 100_000

  /// - Throws: `RequestError` for the first field with a value that it cannot have.
  public func check() throws {
    try problem.check()
    if case .table(let table) = problem, let start = table.start {
      throw RequestError(
        "problem.table.start",
        "is '\(start)', but the runs of a sweep begin where the model itself does; leave it out")
    }
    try rates.check()
    try RequestError.check(batch, "batch", atLeast: 1)
    if batch == nil, let sampling {
      throw RequestError("sampling", "is \(sampling.rawValue), which needs `batch`")
    }
    try RequestError.check(warmUp, "warmUp", .above(0))
    try rules.check()
    try heldOut?.check()
    try RequestError.check(steps, "steps", atLeast: 1, atMost: TrainingSetup.mostSteps)
    try RequestError.check(epochs, "epochs", atLeast: 1, atMost: TrainingSetup.mostSteps)
    try RequestError.check(seeds, "seeds", atLeast: 1, atMost: Self.mostLanes / rates.count)
    if steps != nil, epochs != nil {
      throw RequestError("steps", "is given beside epochs; give one of the two")
    }
    try resources.check()
  }
}

/// Rates spaced evenly on a logarithmic axis: `1e-4:10:64`.
public struct RateRange: Sendable, Equatable, Codable {
  public var lower: Double
  public var upper: Double
  public var count: Int

  public init(_ lower: Double, _ upper: Double, count: Int) {
    self.lower = lower
    self.upper = upper
    self.count = count
  }

  /// `LOWER:UPPER` or `LOWER:UPPER:COUNT`, by default of 24 rates; nil for another text.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, let lower = Double(parts[0]),
      let upper = Double(parts[1])
    else { return nil }
    guard parts.count == 3 else {
      self.init(lower, upper, count: 24)
      return
    }
    guard let count = Int(parts[2]) else { return nil }
    self.init(lower, upper, count: count)
  }

  /// `lower (upper / lower)^share` without a quotient that can overflow.
  private static func between(_ lower: Double, _ upper: Double, share: Double) -> Double {
    let start = log(lower)
    return share == 0 ? lower : exp(start + share * (log(upper) - start))
  }

  /// Evenly spaced in their logarithms, both ends included.
  public var rates: [Double] {
    (0..<count).map { index in
      if index == count - 1 { return upper }
      return Self.between(lower, upper, share: Double(index) / Double(count - 1))
    }
  }

  /// - Throws: `RequestError`.
  func check() throws {
    try RequestError.check(lower, "rates.lower", .above(0))
    try RequestError.check(upper, "rates.upper", .above(0))
    guard upper > lower else {
      throw RequestError("rates.upper", "is \(upper), but it must be above the lower, \(lower)")
    }
    try RequestError.check(count, "rates.count", atLeast: 2, atMost: SweepRequest.mostLanes)
  }
}

extension SweepRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case schema, problem, optimizer, schedule, rates, batch, steps, epochs, seeds, rangeTest, auto
    case resources, sampling, warmUp, rules, heldOut
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    try fields.check(.schema, is: Self.currentSchema)
    self.init(try fields.value(.problem), rates: try fields.value(.rates))
    optimizer = try fields.optional(.optimizer) ?? optimizer
    schedule = try fields.optional(.schedule) ?? schedule
    batch = try fields.optional(.batch)
    steps = try fields.optional(.steps)
    epochs = try fields.optional(.epochs)
    seeds = try fields.optional(.seeds) ?? seeds
    rangeTest = try fields.optional(.rangeTest) ?? rangeTest
    auto = try fields.optional(.auto) ?? auto
    resources = try fields.optional(.resources) ?? resources
    sampling = try fields.optional(.sampling)
    warmUp = try fields.optional(.warmUp)
    rules = try fields.optional(.rules) ?? rules
    heldOut = try fields.optional(.heldOut)
    try check()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.currentSchema, forKey: .schema)
    try container.encode(problem, forKey: .problem)
    try container.encode(optimizer, forKey: .optimizer)
    try container.encode(schedule, forKey: .schedule)
    try container.encode(rates, forKey: .rates)
    try container.encodeIfPresent(batch, forKey: .batch)
    try container.encodeIfPresent(steps, forKey: .steps)
    try container.encodeIfPresent(epochs, forKey: .epochs)
    try container.encode(seeds, forKey: .seeds)
    try container.encode(rangeTest, forKey: .rangeTest)
    try container.encode(auto, forKey: .auto)
    try container.encode(resources, forKey: .resources)
    try container.encodeIfPresent(sampling, forKey: .sampling)
    try container.encodeIfPresent(warmUp, forKey: .warmUp)
    if rules != RuleSetup() { try container.encode(rules, forKey: .rules) }
    try container.encodeIfPresent(heldOut, forKey: .heldOut)
  }
}
