import Foundation
import Presentation

/// Cosines one after the other, each `growth` times as long as the one before:
/// `rate (end + (1 - end) (1 + cos(pi s / L)) / 2)` for step `s` of a cycle of `L`.
///
/// PyTorch's `CosineAnnealingWarmRestarts(T_0=length, T_mult=growth)`. By default a first cycle of a seventh of
/// the run and two more, each twice as long, end with the run.
/// Reference: Loshchilov and Hutter, arXiv:1608.03983, equation 5 and section 3.
public struct CosineRestarts: Schedule {
  public static let entry = ScheduleEntry(
    "sgdr", formula: "rate (end + (1 - end) (1 + cos(pi s / L)) / 2), L <- growth L at a restart",
    source: "Loshchilov and Hutter, arXiv:1608.03983; PyTorch, CosineAnnealingWarmRestarts",
    hyperparameters: [
      .length("length", 1.0 / 7, "the first cycle"),
      Hyperparameter("growth", 2, .from(1, to: 100), "how many times longer each cycle is"), .end(),
    ]
  ) { CosineRestarts(length: $0["length"]!, growth: $0["growth"]!, end: $0["end"]!) }

  public let name = "sgdr"
  public let length: ScheduleLength
  public let growth: Double
  public let end: Double

  public init(length: Double = 1.0 / 7, growth: Double = 2, end: Double = 0) {
    precondition(growth >= 1 && growth.isFinite, "a growth of \(growth) is below 1")
    precondition(end >= 0 && end <= 1, "an end of \(end) is outside of [0, 1]")
    self.length = ScheduleLength(length)
    self.growth = growth
    self.end = end
  }

  public var phrase: String {
    "cosines with restarts, the first over \(length.phrase)"
      + (growth == 1 ? "" : ", each \(Wording.number(growth)) times as long as the last")
  }
  public var hyperparameters: [String: Double] {
    ["length": length.value, "growth": growth, "end": end]
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let first = length.steps(of: moment.stepCount)
    let (start, length) = cycle(of: Double(moment.step), first: first)
    return moment.rate * cosineBetween(1, end, min(1, (Double(moment.step) - start) / length))
  }

  /// Where the cycle of a step begins, and how long it is.
  private func cycle(of step: Double, first: Double) -> (start: Double, length: Double) {
    guard growth > 1 else { return ((step / first).rounded(.down) * first, first) }
    func start(_ cycle: Double) -> Double {
      first * expm1(cycle * log(growth)) / (growth - 1)
    }
    // Where all numbers are whole, so is this.
    func exactStart(_ cycle: Double) -> Double {
      let power = pow(growth, cycle)
      return growth == growth.rounded() ? first * (power - 1) / (growth - 1) : start(cycle)
    }
    var cycle = (log1p(step / first * (growth - 1)) / log(growth)).rounded(.down)
    while cycle > 0, exactStart(cycle) > step { cycle -= 1 }
    while exactStart(cycle + 1) <= step { cycle += 1 }
    return (exactStart(cycle), first * pow(growth, cycle))
  }
}
