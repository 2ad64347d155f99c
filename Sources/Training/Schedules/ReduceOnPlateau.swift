import Presentation

/// The rate multiplied by `factor` each time that more than `patience` evaluations in a row were no better than the
/// best, by a share `threshold` of it.
///
/// PyTorch's `ReduceLROnPlateau(mode="min", threshold_mode="rel")`, whose defaults these are, with its losses
/// being those that `observe` is told; optax' `reduce_on_plateau` with a patience one higher. `minimum` is a
/// share of the rate. Of a negative loss the threshold is a share of its magnitude, where PyTorch's would take
/// a worse one for better.
public struct ReduceOnPlateau: Schedule {
  public static let entry = ScheduleEntry(
    "reduce-on-plateau", formula: "rate factor^k, k counting plateaus of the loss",
    source: "PyTorch, ReduceLROnPlateau",
    hyperparameters: [
      Hyperparameter(
        "factor", 0.1, .above(0, to: 1), "what the rate is multiplied by at a plateau"),
      Hyperparameter("patience", 10, .count(from: 0), "evaluations in a row that may be no better"),
      Hyperparameter(
        "threshold", 1e-4, .from(0, below: 1), "the share of the best that a better one is below it"
      ),
      Hyperparameter("cooldown", 0, .count(from: 0), "evaluations after a cut that do not count"),
      Hyperparameter(
        "minimum", 0, .from(0, to: 1), "the least rate, as a share of the rate given"),
    ]
  ) {
    ReduceOnPlateau(
      factor: $0["factor"]!, patience: $0["patience"]!, threshold: $0["threshold"]!,
      cooldown: $0["cooldown"]!, minimum: $0["minimum"]!)
  }

  public let name = "reduce-on-plateau"
  public let factor: Double
  public let patience: Double
  public let threshold: Double
  public let cooldown: Double
  public let minimum: Double

  /// Share of the rate, best loss, losses since it, losses that still do not count.
  public var memory: [Double] = [1, .greatestFiniteMagnitude, 0, 0]

  public init(
    factor: Double = 0.1, patience: Double = 10, threshold: Double = 1e-4, cooldown: Double = 0,
    minimum: Double = 0
  ) {
    precondition(factor > 0 && factor <= 1, "a factor \(factor) is outside of (0, 1]")
    precondition(patience >= 0 && cooldown >= 0, "patience and cooldown are not below 0")
    precondition(threshold >= 0 && threshold < 1, "a threshold \(threshold) is outside of [0, 1)")
    precondition(minimum >= 0 && minimum <= 1, "a minimum of \(minimum) is outside of [0, 1]")
    self.factor = factor
    self.patience = patience
    self.threshold = threshold
    self.cooldown = cooldown
    self.minimum = minimum
  }

  public var phrase: String {
    "the rate multiplied by \(Wording.number(factor)) after more than "
      + "\(Wording.number(patience)) evaluations in a row that were no better"
  }
  public var hyperparameters: [String: Double] {
    [
      "factor": factor, "patience": patience, "threshold": threshold, "cooldown": cooldown,
      "minimum": minimum,
    ]
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double { moment.rate * memory[0] }

  public mutating func observe(loss: Double) {
    let best = memory[1]
    // A loss that is not a number is none of the better ones.
    if best == .greatestFiniteMagnitude ? loss < best : loss < best - threshold * abs(best) {
      memory[1] = loss
      memory[2] = 0
    } else {
      memory[2] += 1
    }
    if memory[3] > 0 {
      memory[3] -= 1
      memory[2] = 0
    }
    guard memory[2] > patience else { return }
    memory[0] = max(memory[0] * factor, minimum)
    memory[2] = 0
    memory[3] = cooldown
  }
}
