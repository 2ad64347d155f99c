/// The learning rate as a function of the step, and of what the schedule saw on the way.
///
/// All that a schedule remembers is in `memory`, so that a resumed run goes on bit for bit; it never reads a
/// clock.
public protocol Schedule: Sendable {
  /// The name in the catalogue.
  var name: String { get }
  /// The schedule in words, with what was set: `cosine to 0.1 of the rate`.
  var phrase: String { get }
  var hyperparameters: [String: Double] { get }

  /// What has to be measured for it, and how often; nil for one that only counts.
  var measurement: ScheduleMeasurement? { get }

  /// What it remembers between steps.
  var memory: [Double] { get set }

  /// The rate of a step; asked once for each, in order.
  mutating func rate(_ moment: ScheduleMoment) -> Double

  /// Told the held-out loss, or where there is none the mean training loss of the pass, whenever one is known.
  mutating func observe(loss: Double)
}

extension Schedule {
  public var hyperparameters: [String: Double] { [:] }
  public var measurement: ScheduleMeasurement? { nil }
  public var memory: [Double] {
    get { [] }
    set {}
  }
  public mutating func observe(loss: Double) {}
}

/// When a rate is asked for.
public struct ScheduleMoment: Sendable, Equatable {
  /// Steps taken before.
  public var step: Int
  /// Steps of the whole run.
  public var stepCount: Int
  /// Steps of a pass over the samples; 1 on all samples.
  public var stepsPerPass: Int
  /// The learning rate that the run was given; 0 where a schedule that measures was given none.
  public var rate: Double
  /// The loss that the last step saw; nil before the first.
  public var lastLoss: Double?
  /// What `Schedule.measurement` asked for, where this step is one of those that it is made at.
  public var measured: ScheduleReading?

  public init(
    step: Int, stepCount: Int, stepsPerPass: Int = 1, rate: Double, lastLoss: Double? = nil,
    measured: ScheduleReading? = nil
  ) {
    self.step = step
    self.stepCount = stepCount
    self.stepsPerPass = stepsPerPass
    self.rate = rate
    self.lastLoss = lastLoss
    self.measured = measured
  }
}

/// What a schedule wants to know of the loss every so many steps, on a fixed sample or on all samples; see
/// `ScheduleMeasurer`.
public enum ScheduleMeasurement: Sendable, Equatable {
  /// The largest eigenvalue of the Hessian, warm-started; where an optimizer divides its steps by what it has
  /// seen, of the divided Hessian, and at least the curvature of the loss along the next step over its slope.
  case sharpness(every: Int)
  /// Slope `g'u` and curvature `u'Hu` along the direction `u` that the optimizer would step along.
  case directionalCurvature(every: Int)
  /// The largest rate along that direction up to which the loss is no higher than before the step.
  case criticalRate(every: Int)

  /// Why it cannot be made for a run of this method; nil where it can.
  public func refusal(for method: TrainingMethod) -> ScheduleError? {
    switch (self, method) {
    case (_, .method(let setting)): .noUpdate(method: setting.name)
    case (.sharpness, .optimizer(let setting)):
      setting.make().stability == nil ? .noLimit(optimizer: setting.name) : nil
    case (_, .optimizer): nil
    }
  }

  public var period: Int {
    switch self {
    case .sharpness(let every), .directionalCurvature(let every), .criticalRate(let every): every
    }
  }
}

/// What was measured for a schedule; NaN where the loss or a product was not finite.
public enum ScheduleReading: Sendable, Equatable {
  /// 2 over the largest stable rate: for gradient descent the largest eigenvalue of the Hessian; for an
  /// optimizer with another limit, the curvature with which descent would have the same. Not above 0 where
  /// nothing curves upwards.
  case sharpness(Double)
  case directionalCurvature(slope: Double, curvature: Double)
  case criticalRate(Double)
}

/// The schedules that a person can name; command line, help, docs and JSON read this list.
public enum ScheduleCatalogue: Catalogue {
  public static let kind = "schedule"
  public static let all: [ScheduleEntry] = [
    Constant.entry,
    StepDecay.entry,
    Exponential.entry,
    InverseTime.entry,
    Polynomial.entry,
    Cosine.entry,
    WarmUpStableDecay.entry,
    CosineRestarts.entry,
    Cyclical.triangular,
    Cyclical.triangular2,
    Cyclical.expRange,
    OneCycle.entry,
    ReduceOnPlateau.entry,
    SharpnessFollowing.entry,
    CurvatureDynamicsAware.entry,
    CriticalSharpness.entry,
  ]
  public static let standard = Constant.entry.name
  public typealias Made = any Schedule
}

public typealias ScheduleEntry = CatalogueEntry<ScheduleCatalogue>
public typealias ScheduleSetting = CatalogueSetting<ScheduleCatalogue>
