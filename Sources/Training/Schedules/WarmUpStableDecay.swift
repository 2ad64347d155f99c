import Foundation
import Presentation

/// Up along a line, held, then down: `rate (t + 1) / (warmUp + 1)`, `rate`, and over the last `decay` steps
/// `rate (end + (1 - end) (1 - x^power))` with the share `x` of them that is gone.
///
/// With power 1/2, the default, the last part is the "1-sqrt" of Hägele et al., who find it better than a line
/// and a fifth of the run enough for it. Where both parts do not fit into the run, the decay begins where the
/// warm-up ends.
/// Reference: Hu et al., "MiniCPM", arXiv:2404.06395; Hägele et al., "Scaling Laws and Compute-Optimal Training
/// Beyond Fixed Training Durations", arXiv:2405.18392.
public struct WarmUpStableDecay: Schedule {
  public static let entry = ScheduleEntry(
    "warmup-stable-decay",
    formula: "rate (t + 1) / (warm-up + 1), rate, then rate (end + (1 - end) (1 - x^power))",
    source: "Hu et al., arXiv:2404.06395; Hägele et al., arXiv:2405.18392",
    hyperparameters: [
      .length("warm-up", 0.05, "the stretch over which the rate rises"),
      .length("decay", 0.2, "the stretch at the run's end over which it falls"),
      .end(),
      Hyperparameter("power", 0.5, .above(0), "of the fall: 1 for a line, 0.5 for 1 - sqrt"),
    ]
  ) {
    WarmUpStableDecay(
      warmUp: $0["warm-up"]!, decay: $0["decay"]!, end: $0["end"]!, power: $0["power"]!)
  }

  public let name = "warmup-stable-decay"
  public let warmUp: ScheduleLength
  public let decay: ScheduleLength
  public let end: Double
  public let power: Double

  public init(
    warmUp: Double = 0.05, decay: Double = 0.2, end: Double = 0, power: Double = 0.5
  ) {
    precondition(end >= 0 && end <= 1, "an end of \(end) is outside of [0, 1]")
    precondition(power > 0 && power.isFinite, "a power \(power) is not above 0")
    self.warmUp = ScheduleLength(warmUp)
    self.decay = ScheduleLength(decay)
    self.end = end
    self.power = power
  }

  public var phrase: String {
    "a warm-up of \(warmUp.phrase), the rate held, and a fall to "
      + "\(end == 0 ? "0" : "\(Wording.number(end)) of it") over the last \(decay.phrase)"
  }
  public var hyperparameters: [String: Double] {
    ["warm-up": warmUp.value, "decay": decay.value, "end": end, "power": power]
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let (step, count) = (Double(moment.step), Double(moment.stepCount))
    let rise = warmUp.steps(of: moment.stepCount)
    if step < rise { return moment.rate * (step + 1) / (rise + 1) }
    let fall = max(rise, count - decay.steps(of: moment.stepCount))
    guard step > fall else { return moment.rate }
    let gone = min(1, (step - fall) / max(1, count - fall))
    return moment.rate * (end + (1 - end) * (1 - pow(gone, power)))
  }
}
