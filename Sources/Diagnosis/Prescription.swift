/// A change to training, what theory promises of it, and what running it gave.
public struct Prescription: Sendable, Equatable, Codable {
  /// What is known of a remedy before anything is measured; each stands in the remedy's own file.
  public struct Kind: Sendable, Hashable, CaseIterable {
    /// Whether a loss that is low once can rise again.
    public enum Swing: Sendable, Hashable {
      case never
      /// Where the loss is no quadratic.
      case onCurvedLosses
      case always
      /// As the given optimizer does.
      case asGiven
    }

    /// The stable name, listed in `docs/json.md`.
    public let rawValue: String
    /// What it takes to act on, in rising order; nil for what needs products by the Hessian, which few
    /// training programs offer.
    public let effort: Int?
    public let swing: Swing

    public init(_ name: String, effort: Int?, swing: Swing = .onCurvedLosses) {
      rawValue = name
      self.effort = effort
      self.swing = swing
    }

    /// The kind of this name; nil where there is none.
    public init?(rawValue: String) {
      guard let kind = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
      self = kind
    }

    /// In the order in which they are tried.
    public static var allCases: [Kind] { RemedyCatalogue.all.map(\.kind) + [.newtonCG] }
  }

  /// What theory says beforehand; nil where it gives no number.
  public struct Predicted: Sendable, Equatable, Codable {
    public let conditionNumber: Double?
    public let rate: Double?
    /// Steps until the loss gap is at or below the tolerance, to stay.
    public let iterations: Int?
    /// The heavy-ball coefficient, where there is one.
    public let momentum: Double?
    /// The largest gap on the way, relative to the start's; nil where it only falls.
    public let peakRelativeGap: Double?
    /// In mini-batches: the mean gap over the last passes of the run, relative to the start's.
    public let meanGap: Double?

    public init(
      conditionNumber: Double? = nil, rate: Double? = nil, iterations: Int? = nil,
      momentum: Double? = nil, peakRelativeGap: Double? = nil, meanGap: Double? = nil
    ) {
      self.meanGap = meanGap
      self.conditionNumber = conditionNumber
      self.rate = rate
      self.iterations = iterations
      self.momentum = momentum
      self.peakRelativeGap = peakRelativeGap
    }
  }

  /// What the run gave.
  public struct Measured: Sendable, Equatable, Codable {
    /// Steps to the tolerance, to stay; nil where it was not reached.
    public let iterations: Int?
    /// Whether the gap to a certified minimum came down to the tolerance and stayed there.
    public let reached: Bool
    public let diverged: Bool
    /// The last loss, of the original objective; nil where it is not finite.
    public let loss: Double?
    /// `(f_k - f*) / (f_0 - f*)` at that step or the last one, or a bound on it where rounding blurs it.
    public let relativeGap: Double?
    /// The work in evaluations of the full gradient; a Hessian product counts what it costs.
    public let gradientEquivalents: Double?
    /// Steps that were run, reached or not.
    public let stepsRun: Int?
    /// The lowest loss for the work that every run had; where nothing certifies a minimum, runs are
    /// ranked by it.
    public let lossAtEqualWork: Double?
    /// The learning rate that the run chose itself; nil where it was given one.
    public let rate: Double?
    /// True where it was stopped before the end of its work, since it could no longer win; else nil.
    public let wasCut: Bool?
    /// The loss where the run ended, watched steps included, in mini-batches that in the order which a training draws;
    /// nil where it is not finite.
    public let lossAtEnd: Double?
    /// Whether the loss ended below its start and was below it for the second half of the run.
    public let settled: Bool?
    /// The largest eigenvalue found where the run ended; nil where it was not measured.
    public let sharpnessAtEnd: Double?
    /// Of training in mini-batches, how long and how surely; nil where every step is of all samples.
    public let inBatches: InBatches?

    public init(
      iterations: Int?, reached: Bool, diverged: Bool, loss: Double?, relativeGap: Double?,
      gradientEquivalents: Double?, stepsRun: Int? = nil, lossAtEqualWork: Double? = nil,
      rate: Double? = nil, wasCut: Bool? = nil, lossAtEnd: Double? = nil, settled: Bool? = nil,
      sharpnessAtEnd: Double? = nil, inBatches: InBatches? = nil
    ) {
      self.inBatches = inBatches
      self.lossAtEnd = lossAtEnd
      self.settled = settled
      self.sharpnessAtEnd = sharpnessAtEnd
      self.rate = rate
      self.wasCut = wasCut
      self.iterations = iterations
      self.reached = reached
      self.diverged = diverged
      self.loss = loss
      self.relativeGap = relativeGap
      self.gradientEquivalents = gradientEquivalents
      self.stepsRun = stepsRun
      self.lossAtEqualWork = lossAtEqualWork
    }
  }

  /// How a run was judged where the user trains in mini-batches: `loss` and `relativeGap` are means over orders of
  /// the batches, of the ends of its last passes.
  public struct InBatches: Sendable, Equatable, Codable {
    /// Samples of a step; nil where it took all of them, for the work of as many passes.
    public let batch: Int?
    /// Passes over all samples, the same for every run.
    public let passes: Int
    /// Passes of each order that the means are over, the last alone where the rate comes down to 0; nil for the last loss alone.
    public let averaged: Int?
    /// Standard errors of the means of loss and gap, over the orders where there are several; nil for a single value.
    public let lossError: Double?
    public let gapError: Double?
    /// What each order of the batches came to, the same orders for every run: `relativeGap` where that is known,
    /// else `loss`; nil for a single one.
    public let orders: [Double]?

    public init(
      batch: Int?, passes: Int, averaged: Int? = nil, lossError: Double? = nil,
      gapError: Double? = nil, orders: [Double]? = nil
    ) {
      self.orders = orders
      self.batch = batch
      self.passes = passes
      self.averaged = averaged
      self.lossError = lossError
      self.gapError = gapError
    }
  }

  public let id: String
  /// The change in words: "divide every column by its standard deviation".
  public let change: String
  public let predicted: Predicted
  /// Nil where it was not run.
  public let measured: Measured?
  /// A caveat, or why it was not run.
  public let note: String?
  /// How it was run, as a command takes it; nil where it was not run, or no command does it.
  public var course: TrainingCourse?

  public init(
    _ kind: Kind, change: String, predicted: Predicted = Predicted(), measured: Measured? = nil,
    note: String? = nil
  ) {
    id = kind.rawValue
    self.change = change
    self.predicted = predicted
    self.measured = measured
    self.note = note
  }

  /// With what the run gave, and with the change, its prediction and its note where only the run decided
  /// them.
  public func with(
    measured: Measured?, change: String? = nil, predicted: Predicted? = nil, note: String? = nil
  ) -> Prescription {
    Prescription(
      copying: self, measured: measured, change: change, predicted: predicted, note: note)
  }

  private init(
    copying other: Prescription, measured: Measured?, change: String?, predicted: Predicted?,
    note: String?
  ) {
    id = other.id
    self.change = change ?? other.change
    self.predicted = predicted ?? other.predicted
    self.measured = measured
    self.note = note ?? other.note
    course = other.course
  }
}

extension Sequence<Prescription> {
  /// Best first: those that reached the tolerance by measured work in gradient-equivalents, then
  /// those still on their way by the loss at equal work or the relative gap, then those not run by
  /// predicted iterations, then the diverged. Equals keep their order.
  public func ranked() -> [Prescription] {
    enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
      .map(\.element)
  }
}

extension Prescription {
  fileprivate struct Rank: Comparable {
    let group: Int
    let value: Double

    static func < (left: Rank, right: Rank) -> Bool {
      (left.group, left.value) < (right.group, right.value)
    }
  }

  fileprivate var rank: Rank {
    guard let measured else {
      return Rank(group: 2, value: predicted.iterations.map(Double.init) ?? .infinity)
    }
    if measured.diverged { return Rank(group: 3, value: 0) }
    return measured.reached
      ? Rank(group: 0, value: measured.gradientEquivalents ?? .infinity)
      : Rank(group: 1, value: measured.lossAtEqualWork ?? measured.relativeGap ?? .infinity)
  }
}
