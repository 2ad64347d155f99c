import Presentation
import Training

extension SchedulePlan {
  /// Refuses a stretch that was given as a share of the run and is shorter than one of its steps: a schedule would
  /// take it for a whole step, or for none.
  ///
  /// - Throws: `DiagnosisFailure`.
  func checkStretches(steps: Int) throws {
    func isTooShort(_ share: Double) -> Bool { share <= 1 && share * Double(steps) < 0.999 }
    let instead =
      "give a share of at least \(Wording.number(1 / Double(max(1, steps)))), or above 1 a number of steps."
    let length = "one step of the run's \(Wording.count(steps))"
    if let warmUp, isTooShort(warmUp) {
      throw DiagnosisFailure(
        .usage, "\(option: .warmUp, Wording.number(warmUp)) is less than \(length); \(instead)")
    }
    let entry = ScheduleCatalogue.named(schedule.name)
    for item in entry?.hyperparameters ?? [] where item.isStretch {
      guard let value = schedule.hyperparameters[item.name], value != item.standard,
        isTooShort(value)
      else { continue }
      let given = "\(schedule.name):\(item.name)=\(Wording.number(value))"
      throw DiagnosisFailure(
        .usage, "\(option: .schedule, given) is less than \(length); \(instead)")
    }
  }
}
