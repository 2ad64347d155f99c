import Foundation
import Presentation

/// `sigma n / d`, `n` and `d` moving means of `max(-g'u, 0)` and of `|u'Hu|` along the direction `u` that the
/// optimizer steps along.
///
/// With `sigma = 1` it is the rate that decreases the loss most along `u` on its quadratic, the greedy rule,
/// which undershoots the edge of stability and loses to constant rates in the long run; with 2 the rate at
/// which that quadratic is as high as before the step, on edge. The default stays a little below, since on a
/// bowl 2 itself never comes down. A rate that suits one update overshoots where a later one turns to sharper
/// directions: measure at every step, or few apart. The rate given is used until there is a curvature; what holds it
/// where the curvature falls is in `MeasuredRate`.
/// Reference: Roulet et al., "Stepping on the Edge: Curvature Aware Learning Rate Tuners", arXiv:2407.06183,
/// section 4.
public struct CurvatureDynamicsAware: Schedule {
  public static let entry = ScheduleEntry(
    "curvature-dynamics-aware",
    formula: "sigma mean(max(-g'u, 0)) / mean(|u'Hu|) along the update u",
    source: "Roulet et al., arXiv:2407.06183",
    hyperparameters: [
      Hyperparameter("sigma", 1.95, .above(0, to: 4), "1 for the greedy rule, 2 for the edge"),
      Hyperparameter(
        "memory", 0.9, .from(0, below: 1), "the share of both means that a measurement keeps"),
      .every(1), .ceiling(10),
    ]
  ) {
    CurvatureDynamicsAware(
      sigma: $0["sigma"]!, keeping: $0["memory"]!, every: Int($0["every"]!),
      ceiling: $0["ceiling"]!)
  }

  public let name = "curvature-dynamics-aware"
  public let sigma: Double
  /// The share of the moving means that a measurement keeps.
  public let kept: Double
  /// Steps between two measurements.
  public let every: Int
  private var means = (slope: 0.0, curvature: 0.0)
  private var measured: MeasuredRate

  public init(
    sigma: Double = 1.95, keeping kept: Double = 0.9, every: Int = 1, ceiling: Double = 10
  ) {
    precondition(sigma > 0 && sigma.isFinite, "a sigma of \(sigma) is not above 0")
    precondition(kept >= 0 && kept < 1, "a memory of \(kept) is outside of [0, 1)")
    precondition(every >= 1, "something is measured every \(every) steps")
    self.sigma = sigma
    self.kept = kept
    self.every = every
    measured = MeasuredRate(ceiling: ceiling)
  }

  public var phrase: String {
    "\(Wording.number(sigma)) times the slope over the curvature along the update, "
      + Wording.measured(every: every)
  }
  public var hyperparameters: [String: Double] {
    [
      "sigma": sigma, "memory": kept, "every": Double(every), "ceiling": measured.ceiling,
    ]
  }
  public var measurement: ScheduleMeasurement? { .directionalCurvature(every: every) }
  /// Both means, and what the rate goes by.
  public var memory: [Double] {
    get { [means.slope, means.curvature] + measured.memory }
    set {
      guard newValue.count > 2 else { return }
      means = (newValue[0], newValue[1])
      measured.memory = Array(newValue.dropFirst(2))
    }
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    guard case .directionalCurvature(let slope, let curvature)? = moment.measured,
      slope.isFinite, curvature.isFinite
    else { return measured.next(nil, moment) }
    means.slope = kept * means.slope + (1 - kept) * max(-slope, 0)
    means.curvature = kept * means.curvature + (1 - kept) * abs(curvature)
    return measured.next(sigma * means.slope / means.curvature, moment)
  }
}
