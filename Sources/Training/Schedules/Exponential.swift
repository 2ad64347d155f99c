import Foundation
import Presentation

/// `rate factor^(t / length)`: the same factor from each step to the next.
///
/// optax' `exponential_decay(transition_steps=length, decay_rate=factor)`; PyTorch's `ExponentialLR` with
/// `gamma = factor^(1 / length)`.
public struct Exponential: Schedule {
  public static let entry = ScheduleEntry(
    "exponential", formula: "rate factor^(t / length)", source: "optax, exponential_decay",
    hyperparameters: [
      Hyperparameter(
        "factor", 0.01, .above(0, to: 1), "what the rate is multiplied by over the length"),
      .length("length", 1, "the stretch over which the factor is reached"),
    ]
  ) { Exponential(factor: $0["factor"]!, length: $0["length"]!) }

  public let name = "exponential"
  public let factor: Double
  public let length: ScheduleLength

  public init(factor: Double = 0.01, length: Double = 1) {
    precondition(factor > 0 && factor <= 1, "a factor \(factor) is outside of (0, 1]")
    self.factor = factor
    self.length = ScheduleLength(length)
  }

  public var phrase: String {
    "exponential decay to \(Wording.number(factor)) of the rate over \(length.phrase)"
  }
  public var hyperparameters: [String: Double] { ["factor": factor, "length": length.value] }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    moment.rate * pow(factor, Double(moment.step) / length.steps(of: moment.stepCount))
  }
}
