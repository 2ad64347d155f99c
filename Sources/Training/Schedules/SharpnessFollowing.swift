import Presentation

/// `share 2 / lambda_max`: a share of the stability limit, measured anew every few steps.
///
/// `2 / lambda_max` is the limit of gradient descent; for momentum and Adam it is their own
/// (`Optimizer.stability`), on the Hessian divided by the preconditioner where there is one; see
/// `ScheduleMeasurement.sharpness`. The rate given is used until something curves upwards.
///
/// Below its limit a network sharpens, so that the rate follows the sharpness down, and a share well below 1
/// falls behind a constant rate in the long run; near 1 the run stays at the edge of stability, where
/// sharpening stops. What holds the rate where the sharpness falls is in `MeasuredRate`.
/// Reference: Cohen et al., arXiv:2103.00065 and arXiv:2207.14484 on the limits; Roulet et al.,
/// arXiv:2407.06183, section 3, on rates that follow them.
public struct SharpnessFollowing: Schedule {
  public static let entry = ScheduleEntry(
    "sharpness-following", formula: "share 2 / lambda_max, or share of the optimizer's own limit",
    source: "Cohen et al., arXiv:2103.00065; Roulet et al., arXiv:2407.06183",
    hyperparameters: [
      Hyperparameter("share", 0.9, .above(0, to: 2), "the rate, as a share of the stability limit"),
      .every(10), .ceiling(10),
    ]
  ) {
    SharpnessFollowing(
      share: $0["share"]!, every: Int($0["every"]!), ceiling: $0["ceiling"]!)
  }

  public let name = "sharpness-following"
  public let share: Double
  /// Steps between two measurements.
  public let every: Int
  private var measured: MeasuredRate

  public init(share: Double = 0.9, every: Int = 10, ceiling: Double = 10) {
    precondition(share > 0 && share.isFinite, "a share \(share) of the limit is not above 0")
    precondition(every >= 1, "something is measured every \(every) steps")
    self.share = share
    self.every = every
    measured = MeasuredRate(ceiling: ceiling)
  }

  public var phrase: String {
    "\(Wording.number(share)) of the stability limit, \(Wording.measured(every: every))"
  }
  public var hyperparameters: [String: Double] {
    ["share": share, "every": Double(every), "ceiling": measured.ceiling]
  }
  public var measurement: ScheduleMeasurement? { .sharpness(every: every) }
  public var memory: [Double] {
    get { measured.memory }
    set { measured.memory = newValue }
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    guard case .sharpness(let sharpness)? = moment.measured, sharpness > 0, sharpness.isFinite
    else {
      return measured.next(nil, moment)
    }
    return measured.next(share * 2 / sharpness, moment)
  }
}
