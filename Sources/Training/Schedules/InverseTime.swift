import Presentation

/// `rate / (1 + decay t / length)`: the 1/t of stochastic approximation.
///
/// TensorFlow's `InverseTimeDecay`. With rate 1, `decay=2` and `length=2` it is `1 / (t + 1)`, under which
/// descent on `(x - xi_t)^2 / 2` is the running mean of `xi`.
/// Reference: Robbins and Monro, "A stochastic approximation method" (1951).
public struct InverseTime: Schedule {
  public static let entry = ScheduleEntry(
    "inverse-time", formula: "rate / (1 + decay t / length)",
    source: "Robbins and Monro (1951); TensorFlow, InverseTimeDecay",
    hyperparameters: [
      Hyperparameter("decay", 9, .atLeast(0), "the divisor less one at the end of the length"),
      .length("length", 1, "the stretch that the decay is of"),
    ]
  ) { InverseTime(decay: $0["decay"]!, length: $0["length"]!) }

  public let name = "inverse-time"
  public let decay: Double
  public let length: ScheduleLength

  public init(decay: Double = 9, length: Double = 1) {
    precondition(decay >= 0 && decay.isFinite, "a decay \(decay) is below 0")
    self.decay = decay
    self.length = ScheduleLength(length)
  }

  public var phrase: String {
    "inverse-time decay to \(Wording.number(1 / (1 + decay))) of the rate over \(length.phrase)"
  }
  public var hyperparameters: [String: Double] { ["decay": decay, "length": length.value] }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    moment.rate / (1 + decay * Double(moment.step) / length.steps(of: moment.stepCount))
  }
}
