import Foundation
import Presentation
import Training

/// A line of `events.jsonl`: a JSON object whose `event` says what happened; `docs/json.md` lists them.
enum LogLine {
  static let schema = "eigenstep.training-log/1"

  private struct Started: Encodable {
    let event = "start"
    let schema = LogLine.schema
    let step: Int
    let stepCount: Int
    let stepsPerPass: Int
  }

  private struct Step: Encodable {
    let event = "step"
    let step: Int
    let pass: Int
    let loss: Double
    let gradientNorm: Double
    let rate: Double
  }

  private struct Tracked: Encodable {
    let event = "tracked"
    let step: Int
    let values: [Value]
    let gradients: Double
    let seconds: Double
  }

  private struct Value: Encodable {
    let name: String
    let part: String?
    let value: Double
    let error: Double?
    let threshold: Double?
    let isReliable: Bool
  }

  private struct Noted: Encodable {
    let event = "note"
    let step: Int
    let kind: String
    let sentence: String
    let values: [String: Double]
  }

  private struct Alarm: Encodable {
    let event = "alarm"
    let step: Int
    let sentence: String
    let rateFactor: Double
  }

  private struct Evaluated: Encodable {
    let event = "evaluation"
    let step: Int
    let pass: Int
    let training: Reading
    let heldOut: Reading?
    let meanLossOfSteps: Double?
  }

  private struct Reading: Encodable {
    let loss: Double?
    let accuracy: Double?
    let rSquared: Double?

    init(_ reading: DataReading) {
      (loss, accuracy, rSquared) = (reading.loss, reading.accuracy, reading.rSquared)
    }
  }

  private struct Kept: Encodable {
    let event = "checkpoint"
    let step: Int
    let place: String
  }

  private struct Ended: Encodable {
    let event = "end"
    let step: Int
    let reason: String
    let sentence: String
  }

  /// The line, with its end.
  static func text(_ event: TrainingEvent) throws -> String {
    func line(_ value: some Encodable) throws -> String {
      try OrderedJSON.string(value, indented: false) + "\n"
    }
    switch event {
    case .started(let step, let count, let pass):
      return try line(Started(step: step, stepCount: count, stepsPerPass: pass))
    case .step(let record):
      return try line(
        Step(
          step: record.step, pass: record.pass, loss: record.loss,
          gradientNorm: record.gradientNorm, rate: record.rate))
    case .tracked(let record):
      return try line(
        Tracked(
          step: record.step,
          values: record.values.map {
            Value(
              name: $0.name, part: $0.part, value: $0.value, error: $0.error,
              threshold: $0.threshold, isReliable: $0.isReliable)
          }, gradients: record.gradients, seconds: record.seconds))
    case .noted(let note):
      return try line(
        Noted(
          step: note.step, kind: note.kind.rawValue, sentence: note.sentence, values: note.values))
    case .alarm(let step, let alarm):
      return try line(
        Alarm(step: step, sentence: alarm.sentence, rateFactor: alarm.rateFactor))
    case .evaluated(let evaluation):
      return try line(
        Evaluated(
          step: evaluation.step, pass: evaluation.pass, training: Reading(evaluation.training),
          heldOut: evaluation.heldOut.map(Reading.init),
          meanLossOfSteps: evaluation.meanLossOfSteps))
    case .kept(let step, let place): return try line(Kept(step: step, place: place))
    case .ended(let step, let ending):
      return try line(
        Ended(step: step, reason: ending.reason.rawValue, sentence: ending.sentence))
    }
  }

  private struct Place: Decodable {
    let event: String
    let step: Int
  }

  /// Whether a line is of what was before a run went on after so many steps; one that was cut is not.
  static func isBefore(_ step: Int, _ line: Substring) -> Bool {
    guard let place = try? JSONDecoder().decode(Place.self, from: Data(line.utf8)) else {
      return false
    }
    switch place.event {
    // Those of a step come before the count of steps taken that it leads to.
    case "step", "tracked", "alarm": return place.step < step
    default: return place.step <= step && step > 0
    }
  }
}
