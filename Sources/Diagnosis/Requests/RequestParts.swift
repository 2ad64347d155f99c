import Foundation
import Training

/// How the model is trained: the optimizer whose rate is judged, and the steps before the diagnosis.
public struct TrainingSetup: Sendable, Equatable {
  public var optimizer = OptimizerSetting()
  /// The learning rate; nil: none is judged.
  public var rate: Double?
  /// Samples of a training step, drawn by the seed: of the steps before the diagnosis, and of what a diagnosis
  /// says of mini-batches; nil for all.
  public var batch: Int?
  /// How the samples are drawn; nil: shuffled.
  public var sampling: Batches.Sampling?
  /// Steps before the diagnosis; 0 for the starting point.
  public var steps = 0

  public init() {}

  /// More steps than this no run comes to the end of.
  public static let mostSteps = 1_000_000_000

  /// - Throws: `RequestError`.
  public func check() throws {
    try RequestError.check(rate, "training.rate", .above(0))
    try RequestError.check(batch, "training.batch", atLeast: 1)
    try RequestError.check(steps, "training.steps", atLeast: 0, atMost: Self.mostSteps)
    if steps > 0, rate == nil {
      throw RequestError("training.steps", "is \(steps), which needs training.rate")
    }
    if batch == nil, let sampling {
      throw RequestError("training.sampling", "is \(sampling.rawValue), which needs training.batch")
    }
  }

  /// Where the gradients of its steps come from.
  func gradients<Scalar>(seed: UInt64) -> GradientSource<Scalar> {
    batch.map { .batches(Batches(size: $0, seed: seed, sampling: sampling ?? .shuffle)) }
      ?? .allSamples
  }
}

/// What a run may take of the machine, and the seed of everything random.
public struct Resources: Sendable, Equatable {
  public var executor = ExecutorChoice.automatic
  /// Nil: float64 for `linear` and `softmax`, float32 for networks.
  public var precision: PrecisionChoice?
  /// Bytes that residuals kept for Hessian products may take; for a spectrum, vectors and executor too.
  public var memory: Int = 2 << 30
  /// Nil: as many as the machine has.
  public var threads: Int?
  /// How much work a diagnosis may take; 1 takes seconds, for a large model less than a minute, on two
  /// cores; from 10 on every trial runs to its end.
  public var effort: Double = 1
  public var seed = 0
  /// Whether the model's runs are timed node by node.
  public var isProfiled = false

  public init() {}

  /// Work that a diagnosis may take, about, in operations of a large matrix product. Fewer samples are drawn
  /// where all would pass it, and measurements left out; the report says which.
  package var workLimit: Double {
    get { Self.workOfEffort * effort }
    set { effort = newValue / Self.workOfEffort }
  }

  package static let workOfEffort = 2e12

  /// The seed of random starts and probes, another stream than that of a network's first weights: a start
  /// that repeats those draws is no random direction to the curvature at them, and what is proved for
  /// random starts would not hold.
  package var probeSeed: UInt64 { Self.probeSeed(seed) }

  package static func probeSeed(_ seed: Int) -> UInt64 {
    UInt64(bitPattern: Int64(seed)) ^ 0x9E37_79B9_7F4A_7C15
  }

  /// - Throws: `RequestError`.
  public func check() throws {
    try RequestError.check(memory, "resources.memory", atLeast: 1)
    try RequestError.check(effort, "resources.effort", .above(0))
    let processors = max(1, ProcessInfo.processInfo.activeProcessorCount)
    try RequestError.check(threads, "resources.threads", atLeast: 1, atMost: processors)
    if isProfiled, executor == .reference {
      throw RequestError(
        "resources.isProfiled", "is true, but the reference interpreter has no profile")
    }
    try RequestError.check(seed, "resources.seed", atLeast: 0)
  }
}

/// How remedies are run and judged.
public struct TrialOptions: Sendable, Equatable {
  /// Whether they are run at all, or only predicted.
  public var areRun = true
  /// The relative loss gap at which a run counts as finished.
  public var tolerance: Double = 1e-6
  /// Steps after which a run is given up, whether it can win or not; nil: 20,000 times the effort, 200,000 at
  /// most, fewer where a step takes long or others have won.
  public var maxIterations: Int?

  public init() {}

  /// - Throws: `RequestError`.
  public func check() throws {
    try RequestError.check(tolerance, "trials.tolerance", .between(0, 1))
    try RequestError.check(
      maxIterations, "trials.maxIterations", atLeast: 1, atMost: TrainingSetup.mostSteps)
  }
}

extension TrainingSetup: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case optimizer, rate, batch, steps, sampling
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    optimizer = try fields.optional(.optimizer) ?? optimizer
    rate = try fields.optional(.rate)
    batch = try fields.optional(.batch)
    steps = try fields.optional(.steps) ?? steps
    sampling = try fields.optional(.sampling)
    try check()
  }

  /// The sampling is left out where none was chosen.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(optimizer, forKey: .optimizer)
    try container.encodeIfPresent(rate, forKey: .rate)
    try container.encodeIfPresent(batch, forKey: .batch)
    try container.encode(steps, forKey: .steps)
    if let sampling { try container.encode(sampling, forKey: .sampling) }
  }
}

extension Resources: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case executor, precision, memory, threads, effort, seed, isProfiled
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    executor = try fields.optional(.executor) ?? executor
    precision = try fields.optional(.precision)
    memory = try fields.optional(.memory) ?? memory
    threads = try fields.optional(.threads)
    effort = try fields.optional(.effort) ?? effort
    seed = try fields.optional(.seed) ?? seed
    isProfiled = try fields.optional(.isProfiled) ?? isProfiled
    try check()
  }
}

extension TrialOptions: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case areRun, tolerance, maxIterations }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    areRun = try fields.optional(.areRun) ?? areRun
    tolerance = try fields.optional(.tolerance) ?? tolerance
    maxIterations = try fields.optional(.maxIterations)
    try check()
  }
}
