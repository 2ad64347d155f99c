import Curvature
import LinearMaps

/// Something that is measured now and then while a run goes on, beside loss and rate.
///
/// What it remembers from check to check is in `TrackerMemory`, so that a resumed run goes on bit for bit.
public protocol Tracker: Sendable {
  /// The name in the catalogue.
  var name: String { get }
  /// What it measures, in words.
  var phrase: String { get }
  var hyperparameters: [String: Double] { get }

  /// Steps between two checks.
  var period: Int { get }

  /// Whether a guard goes by it, which may ask for checks more often than `period` says.
  var isGuiding: Bool { get }

  /// Whether its check comes after the step, to look at the step itself: `TrackingMoment.origin`.
  var looksAtSteps: Bool { get }

  /// One check, before the step or after it.
  ///
  /// - Throws: `CurvatureError` where the loss lacks what is measured; `CancellationError`.
  func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue]
}

extension Tracker {
  public var isGuiding: Bool { false }
  public var looksAtSteps: Bool { false }
}

/// Where a run stands when a tracker looks at it.
public struct TrackingMoment<Scalar: LinearMapScalar> {
  /// The parameters.
  public let point: [Scalar]
  /// What the optimizer of the next step says of it; nil where a method with inner iterations takes it.
  public let stepper: Stepper?
  /// Samples of a step's gradient.
  public let batchSize: Int
  /// Losses of disjoint groups of equal size of the samples of `sample`, where that cannot be cut by itself.
  public let groups: [any Loss<Scalar>]
  /// The loss that checks are made on: a fixed sample of the training data, or all of them.
  public let sample: any Loss<Scalar>
  /// The rate of the step to come.
  public let rate: Double
  public let seed: UInt64
  /// The parameters before the step, for a tracker that looks at steps: the run stands after it, and `rate` is the
  /// step's.
  public let origin: [Scalar]?

  public init(
    run: any TrainingSteps<Scalar>, sample: any Loss<Scalar>, rate: Double, seed: UInt64,
    origin: [Scalar]? = nil
  ) {
    let optimizerRun = run.optimizerRun
    var size = run.loss.sampleCount
    if case .batches(let batches)? = optimizerRun?.source { size = batches.size }
    self.init(
      at: run.parameters, sample: sample, rate: rate, seed: seed, origin: origin,
      stepper: optimizerRun.map { run in
        Stepper(rule: run.optimizer.stability, hasRateFactors: run.rules.rateFactors != nil) {
          run.inversePreconditioner
        }
      }, batchSize: size)
  }

  /// Where a loop stands that somebody else runs, its parameters in double precision.
  public init(
    atNumbers numbers: [Double], sample: any Loss<Scalar>, rate: Double, seed: UInt64,
    stepper: Stepper? = nil, groups: [any Loss<Scalar>] = []
  ) {
    self.init(
      at: scalars(numbers), sample: sample, rate: rate, seed: seed, stepper: stepper,
      groups: groups)
  }

  /// Where a loop stands that somebody else runs.
  public init(
    at point: [Scalar], sample: any Loss<Scalar>, rate: Double, seed: UInt64,
    origin: [Scalar]? = nil, stepper: Stepper? = nil, batchSize: Int? = nil,
    groups: [any Loss<Scalar>] = []
  ) {
    self.point = point
    self.sample = sample
    self.rate = rate
    self.seed = seed
    self.origin = origin
    self.stepper = stepper
    self.batchSize = batchSize ?? sample.sampleCount
    self.groups = groups
  }

  /// What an optimizer says of its next step.
  public struct Stepper {
    /// Which rates are stable; nil where nothing is known.
    public let rule: StepRule?
    /// Whether parameters have rates of their own, as factors in `inversePreconditioner`.
    public let hasRateFactors: Bool
    private let inverse: () -> [Double]?

    public init(
      rule: StepRule?, hasRateFactors: Bool = false, inverse: @escaping () -> [Double]? = { nil }
    ) {
      (self.rule, self.hasRateFactors, self.inverse) = (rule, hasRateFactors, inverse)
    }

    /// The diagonal of what steps are multiplied by beside the rate; nil where that is nothing, or not known yet.
    public var inversePreconditioner: [Double]? { inverse() }
  }
}

/// What a tracker keeps from one check to the next.
public struct TrackerMemory: Sendable, Equatable, Codable {
  public var vectors: [String: [Double]] = [:]
  public var numbers: [String: Double] = [:]

  public init() {}
}

/// One number of a check.
public struct TrackedValue: Sendable, Equatable, Codable {
  /// `sharpness`; a tracker of several has several names.
  public var name: String
  /// The parameter or layer that it is of; nil for all.
  public var part: String?
  public var value: Double
  /// Half the width of what it may be off by; nil where nothing is known.
  public var error: Double?
  /// The value at which the run becomes unstable, where there is one.
  public var threshold: Double?
  /// Whether `error` is small enough to go by.
  public var isReliable: Bool

  public init(
    _ name: String, part: String? = nil, _ value: Double, error: Double? = nil,
    threshold: Double? = nil, isReliable: Bool = true
  ) {
    self.name = name
    self.part = part
    self.value = value
    self.error = error
    self.threshold = threshold
    self.isReliable = isReliable
  }
}

/// The trackers that a person can name; command line, help, docs and JSON read this list.
public enum TrackerCatalogue: Catalogue {
  public static let kind = "tracker"
  public static let all: [TrackerEntry] = [
    Sharpness.entry, PreconditionedSharpness.entry, GradientNoise.entry, LayerSteps.entry,
    DeadUnits.entry, StepError.entry, Oscillation.entry,
  ]
  public static let standard = Sharpness.entry.name
  public typealias Made = any Tracker
}

public typealias TrackerEntry = CatalogueEntry<TrackerCatalogue>
public typealias TrackerSetting = CatalogueSetting<TrackerCatalogue>
