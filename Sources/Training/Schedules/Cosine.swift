import Foundation
import Presentation

/// `rate (end + (1 - end) (1 + cos(pi t / length)) / 2)`, and `rate end` from there on.
///
/// optax' `cosine_decay_schedule(alpha=end)`; PyTorch's `CosineAnnealingLR(T_max=length)` up to its `T_max`,
/// after which that one rises again.
/// Reference: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
/// arXiv:1608.03983, equation 5.
public struct Cosine: Schedule {
  public static let entry = ScheduleEntry(
    "cosine", formula: "rate (end + (1 - end) (1 + cos(pi t / length)) / 2)",
    source: "Loshchilov and Hutter, arXiv:1608.03983; optax, cosine_decay_schedule",
    hyperparameters: [.end(), .length("length", 1, "the stretch over which the rate falls")]
  ) { Cosine(end: $0["end"]!, length: $0["length"]!) }

  public let name = "cosine"
  public let end: Double
  public let length: ScheduleLength

  public init(end: Double = 0, length: Double = 1) {
    precondition(end >= 0 && end <= 1, "an end of \(end) is outside of [0, 1]")
    self.end = end
    self.length = ScheduleLength(length)
  }

  public var phrase: String {
    "a cosine to \(end == 0 ? "0" : "\(Wording.number(end)) of the rate") over \(length.phrase)"
  }
  public var hyperparameters: [String: Double] { ["end": end, "length": length.value] }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let gone = min(1, Double(moment.step) / length.steps(of: moment.stepCount))
    return moment.rate * cosineBetween(1, end, gone)
  }
}

/// From `first` to `last` along half a cosine, `gone` in 0...1 of the way.
func cosineBetween(_ first: Double, _ last: Double, _ gone: Double) -> Double {
  last + (first - last) * (1 + cos(.pi * gone)) / 2
}
