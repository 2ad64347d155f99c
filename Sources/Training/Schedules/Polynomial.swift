import Foundation
import Presentation

/// `rate (end + (1 - end) (1 - t / length)^power)`, and `rate end` from there on; with power 1 a straight line.
///
/// optax' `polynomial_schedule`; PyTorch's `PolynomialLR` and `LinearLR(1, end)`.
public struct Polynomial: Schedule {
  public static let entry = ScheduleEntry(
    "polynomial", aliases: ["linear"],
    formula: "rate (end + (1 - end) (1 - t / length)^power); a line at power 1",
    source: "optax, polynomial_schedule; PyTorch, PolynomialLR",
    hyperparameters: [
      .end(),
      Hyperparameter("power", 1, .above(0), "1 for a straight line, above 1 for an early fall"),
      .length("length", 1, "the stretch over which the rate falls"),
    ]
  ) { Polynomial(end: $0["end"]!, power: $0["power"]!, length: $0["length"]!) }

  public let name = "polynomial"
  public let end: Double
  public let power: Double
  public let length: ScheduleLength

  public init(end: Double = 0, power: Double = 1, length: Double = 1) {
    precondition(end >= 0 && end <= 1, "an end of \(end) is outside of [0, 1]")
    precondition(power > 0 && power.isFinite, "a power \(power) is not above 0")
    self.end = end
    self.power = power
    self.length = ScheduleLength(length)
  }

  public var phrase: String {
    (power == 1 ? "a straight line" : "polynomial decay of power \(Wording.number(power))")
      + " to \(end == 0 ? "0" : "\(Wording.number(end)) of the rate") over \(length.phrase)"
  }
  public var hyperparameters: [String: Double] {
    ["end": end, "power": power, "length": length.value]
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let gone = min(1, Double(moment.step) / length.steps(of: moment.stepCount))
    return moment.rate * (end + (1 - end) * pow(1 - gone, power))
  }
}
