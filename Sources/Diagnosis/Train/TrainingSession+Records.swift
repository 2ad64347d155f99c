import Foundation
import LinearMaps
import Presentation
import Training

extension TrainingSession {
  /// What checkpoints hold beside the run: what its rate rests on, and how its columns were standardised.
  func records() throws -> [String: String] {
    var records: [String: String] = [:]
    if let chosen {
      records[ResumedState<Scalar>.chosenRate] = try OrderedJSON.string(chosen, indented: false)
    }
    if let standardisation {
      records["standardisation"] = try OrderedJSON.string(standardisation, indented: false)
    }
    return records
  }

  var standardisation: Standardisation? {
    data.training.table?.standardisation(rows: data.training.sampleCount)
  }

  /// What a schedule that goes by losses is told, and when.
  static func words(
    of schedule: any Schedule, _ request: TrainingRequest, _ stepsPerPass: Int, steps: Int
  ) -> [String] {
    guard request.schedule.name == ReduceOnPlateau.entry.name else { return [] }
    let period = request.batches == nil ? period(steps: steps, stepsPerPass) : stepsPerPass
    let what = request.heldOut == nil ? "the mean loss of the steps since" : "the held-out loss"
    return [
      "The schedule \(request.schedule.name) is told \(what)"
        + (request.heldOut == nil ? " the last evaluation, of which there is" : ", evaluated")
        + " one every "
        + "\(period == 1 ? "step" : Wording.count(period, "step"))."
    ]
  }
}

extension ResumedState {
  static var chosenRate: String { "chosen rate" }

  /// What the rate of the run rests on, where `auto` chose it.
  var chosen: AutoRate? {
    records[Self.chosenRate].flatMap {
      try? JSONDecoder().decode(AutoRate.self, from: Data($0.utf8))
    }
  }

  /// What another length makes another run of, which is not that of a run so long from the start.
  func words(
    goingOnTo steps: Int, of schedule: any Schedule, _ request: TrainingRequest, stepsPerPass: Int
  ) throws -> [String] {
    guard let state, let earlier, let rate = state.memories.rate,
      let before = earlier.steps ?? earlier.epochs.map({ $0 * stepsPerPass }), before != steps
    else { return [] }
    var notes: [String] = []
    let taken = state.run.stepCount
    if schedule.measurement == nil {
      func next(of steps: Int) -> Double {
        var schedule = schedule
        schedule.memory = state.memories.schedule
        return schedule.rate(
          ScheduleMoment(
            step: min(taken, max(0, steps - 1)), stepCount: steps, stepsPerPass: stepsPerPass,
            rate: rate)) * state.memories.rateFactor
      }
      let (old, new) = (next(of: before), next(of: steps))
      if abs(old - new) > 1e-9 * max(old, new) {
        notes.append(
          "The run was begun for \(Wording.count(before, "step")) and goes on to \(Wording.count(steps)): "
            + "\(request.warmUp == nil ? "the schedule \(schedule.name)" : "its schedule") counts the run's "
            + "length, so that after step \(Wording.count(taken)) the rate is \(Wording.number(new)) in place "
            + "of \(Wording.number(old)). It is not what a run of \(Wording.count(steps, "step")) from the "
            + "start would be.")
      }
    }
    if chosen != nil {
      notes.append("The rate was chosen for \(Wording.count(before, "step")).")
    }
    return notes
  }
}
