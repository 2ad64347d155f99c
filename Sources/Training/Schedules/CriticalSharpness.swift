import Presentation

/// `share r_c`, with `r_c` the largest rate along the update up to which the loss does not rise, found by five
/// to six values of the loss; `2 / r_c` is the critical sharpness.
///
/// On a quadratic `share` is half the `sigma` of the curvature-dynamics-aware rule: 0.5 is greedy, 1 on edge.
/// A rate that suits one update overshoots where a later one turns to sharper directions: measure at every step,
/// or few apart. The rate given is used until there is one that lowers the loss; what holds it where the curvature
/// falls is in `MeasuredRate`.
/// Reference: Kalra et al., "A Scalable Measure of Loss Landscape Curvature for Analyzing the Training Dynamics
/// of LLMs", arXiv:2601.16979.
public struct CriticalSharpness: Schedule {
  public static let entry = ScheduleEntry(
    "critical-sharpness",
    formula: "share r_c, r_c the largest rate along the update without a rise",
    source: "Kalra et al., arXiv:2601.16979",
    hyperparameters: [
      Hyperparameter("share", 0.9, .above(0, to: 2), "the rate, as a share of the critical one"),
      .every(1), .ceiling(3),
    ]
  ) {
    CriticalSharpness(share: $0["share"]!, every: Int($0["every"]!), ceiling: $0["ceiling"]!)
  }

  public let name = "critical-sharpness"
  public let share: Double
  /// Steps between two measurements.
  public let every: Int
  private var measured: MeasuredRate

  public init(share: Double = 0.9, every: Int = 1, ceiling: Double = 3) {
    precondition(share > 0 && share.isFinite, "a share \(share) of the rate is not above 0")
    precondition(every >= 1, "something is measured every \(every) steps")
    self.share = share
    self.every = every
    measured = MeasuredRate(ceiling: ceiling)
  }

  public var phrase: String {
    "\(Wording.number(share)) of the rate at which the loss would not fall, "
      + Wording.measured(every: every)
  }
  public var hyperparameters: [String: Double] {
    ["share": share, "every": Double(every), "ceiling": measured.ceiling]
  }
  public var measurement: ScheduleMeasurement? { .criticalRate(every: every) }
  public var memory: [Double] {
    get { measured.memory }
    set { measured.memory = newValue }
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    guard case .criticalRate(let rate)? = moment.measured, rate > 0 else {
      return measured.next(nil, moment)
    }
    return measured.next(share * rate, moment)
  }
}
