import Foundation
import Presentation

/// `rate factor^floor(t / every)`: held, then cut, and again.
///
/// PyTorch's `StepLR(step_size=every, gamma=factor)`; optax' `exponential_decay(staircase=True)`. The defaults
/// are those of PyTorch's ImageNet example, a tenth after each third.
public struct StepDecay: Schedule {
  public static let entry = ScheduleEntry(
    "step", formula: "rate factor^floor(t / every)", source: "PyTorch, StepLR",
    hyperparameters: [
      Hyperparameter(
        "factor", 0.1, .above(0, to: 1), "what the rate is multiplied by at each cut"),
      .length("every", 1.0 / 3, "the stretch between two cuts"),
    ]
  ) { StepDecay(factor: $0["factor"]!, every: $0["every"]!) }

  public let name = "step"
  public let factor: Double
  public let every: ScheduleLength

  public init(factor: Double = 0.1, every: Double = 1.0 / 3) {
    precondition(factor > 0 && factor <= 1, "a factor \(factor) is outside of (0, 1]")
    self.factor = factor
    self.every = ScheduleLength(every)
  }

  public var phrase: String {
    "the rate cut to \(Wording.number(factor)) of it after every \(every.phrase)"
  }
  public var hyperparameters: [String: Double] { ["factor": factor, "every": every.value] }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let cuts = (Double(moment.step) / every.steps(of: moment.stepCount)).rounded(.down)
    return moment.rate * pow(factor, cuts)
  }
}
