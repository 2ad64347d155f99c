import Presentation

/// A stretch of a run, as one number: above 1 so many steps, up to 1 this share of the run's steps.
public struct ScheduleLength: Sendable, Equatable {
  public let value: Double

  public init(_ value: Double) {
    precondition(value > 0 && value.isFinite, "a stretch of \(value) is none")
    self.value = value
  }

  /// In steps, at least one; a share needs not be a whole number of them.
  func steps(of stepCount: Int) -> Double {
    max(1, value > 1 ? value : value * Double(stepCount))
  }

  /// `the whole run`, `30 % of the run`, `500 steps`.
  var phrase: String {
    if value == 1 { return "the whole run" }
    return value < 1
      ? "\(Wording.number(100 * value)) % of the run" : "\(Wording.number(value)) steps"
  }
}

extension Hyperparameter {
  /// A stretch of the run, `ScheduleLength`.
  static func length(
    _ name: String, _ standard: Double, _ meaning: String
  ) -> Hyperparameter {
    Hyperparameter(
      name, standard, .above(0), "\(meaning): above 1 in steps, up to 1 as a share of the run",
      isStretch: true)
  }

  /// What a rate is multiplied by where it ends.
  static func end(_ standard: Double = 0) -> Hyperparameter {
    Hyperparameter("end", standard, .from(0, to: 1), "the last rate, as a share of the rate given")
  }
}
