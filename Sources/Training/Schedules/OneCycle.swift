import Presentation

/// Up along half a cosine from `start rate` to `rate`, then down along another to `end rate` at the last step.
///
/// PyTorch's `OneCycleLR(max_lr=rate, pct_start=rise, div_factor=1 / start)` with its defaults: the peak is at
/// step `rise - 1`, the end at the last one. The momentum, which that one cycles too, stays as it is.
/// Reference: Smith and Topin, "Super-Convergence", arXiv:1708.07120.
public struct OneCycle: Schedule {
  public static let entry = ScheduleEntry(
    "one-cycle", formula: "half a cosine from start rate up to rate, another down to end rate",
    source: "Smith and Topin, arXiv:1708.07120; PyTorch, OneCycleLR",
    hyperparameters: [
      .length("rise", 0.3, "the stretch up to the peak"),
      Hyperparameter(
        "start", 0.04, .from(0, to: 1), "the first rate, as a share of the rate given"), .end(4e-6),
    ]
  ) { OneCycle(rise: $0["rise"]!, start: $0["start"]!, end: $0["end"]!) }

  public let name = "one-cycle"
  public let rise: ScheduleLength
  public let start: Double
  public let end: Double

  public init(rise: Double = 0.3, start: Double = 0.04, end: Double = 4e-6) {
    precondition(start >= 0 && start <= 1, "a start of \(start) is outside of [0, 1]")
    precondition(end >= 0 && end <= 1, "an end of \(end) is outside of [0, 1]")
    self.rise = ScheduleLength(rise)
    self.start = start
    self.end = end
  }

  public var phrase: String {
    "one cycle: up from \(Wording.number(start)) of the rate over \(rise.phrase), "
      + "then down to \(Wording.number(end)) of it"
  }
  public var hyperparameters: [String: Double] {
    ["rise": rise.value, "start": start, "end": end]
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let step = Double(moment.step)
    let peak = rise.steps(of: moment.stepCount) - 1
    let last = Double(moment.stepCount - 1)
    // Without a step to rise in, the first is the peak.
    if step <= peak { return moment.rate * cosineBetween(start, 1, peak > 0 ? step / peak : 1) }
    return moment.rate * cosineBetween(1, end, min(1, (step - peak) / max(1, last - peak)))
  }
}
