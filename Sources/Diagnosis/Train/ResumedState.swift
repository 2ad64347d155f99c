import Foundation
import LinearMaps
import Presentation
import Training

/// The state of an earlier run that a request goes on from: the newest checkpoint that is whole.
struct ResumedState<Scalar: LinearMapScalar> {
  /// Nil to begin at the start.
  private(set) var state: TrainerState<Scalar>?
  /// What the run was asked for before.
  private(set) var earlier: TrainingRequest?
  /// `Checkpoint.records`.
  private(set) var records: [String: String] = [:]
  /// The checkpoint's place, for people.
  private(set) var place: String?
  private(set) var notes: [String] = []

  /// - Throws: `DiagnosisFailure` where the checkpoints are of another run, or all damaged, or are there and
  ///   nobody asked to go on from them.
  init(_ store: any CheckpointStore, _ request: TrainingRequest, fingerprint: String) throws {
    let stored = try store.stored()
    let folder = Printable.line(request.files.checkpoints ?? "")
    guard request.files.resumes else {
      guard let newest = stored.first else { return }
      throw DiagnosisFailure(
        .usage,
        "'\(folder)' holds checkpoints of an earlier run (\(Printable.line(newest.place))): add "
          + "\(option: .resumes) to go on from them, or give \(option: .checkpoints) another folder."
      )
    }
    guard !stored.isEmpty else {
      notes.append("There is no checkpoint in '\(folder)' yet: the run began at the start.")
      return
    }
    var damages: [String] = []
    for checkpoint in stored {
      do {
        let bytes = try checkpoint.read()
        let earlier = try Self.checked(
          CheckpointOrigin(bytes), checkpoint.place, request, fingerprint)
        let found = try Checkpoint<Scalar>(bytes)
        (state, self.earlier, records) = (found.state, earlier, found.records)
        place = checkpoint.place
        notes += damages.map { "\($0), so the one before it was used." }
        notes.append(
          "The run went on after step \(Wording.count(found.state.run.stepCount)), from "
            + "\(Printable.line(checkpoint.place)).")
        return
      } catch CheckpointError.damaged(let reason) {
        damages.append("\(Printable.line(checkpoint.place)) is damaged (\(reason))")
      } catch CheckpointError.foreign(let reason) {
        throw Self.foreign(checkpoint.place, "\(reason)")
      }
    }
    throw DiagnosisFailure(
      .badData,
      "No checkpoint in '\(folder)' can be used: \(damages.joined(separator: "; ")). Remove them to begin "
        + "at the start.")
  }

  private static func foreign(_ place: String, _ reason: Message) -> DiagnosisFailure {
    DiagnosisFailure(
      .usage,
      "The checkpoint \(Printable.line(place)) is of another run: " + reason
        + "; give the options and files of that run, or \(option: .checkpoints) another folder.")
  }

  /// The request that the run was begun by.
  private static func checked(
    _ found: CheckpointOrigin, _ place: String, _ request: TrainingRequest, _ fingerprint: String
  ) throws -> TrainingRequest {
    let earlier: TrainingRequest
    do {
      earlier = try JSONDecoder().decode(TrainingRequest.self, from: Data(found.request.utf8))
    } catch {
      throw CheckpointError.damaged("its request cannot be read")
    }
    let difference = RequestDifference(earlier, request)
    guard found.fingerprint == fingerprint else {
      throw foreign(
        place,
        difference.ofProblem ?? "its model, data, start or factors of the rate are not these")
    }
    guard found.precision == Scalar.precisionName else {
      throw foreign(
        place, "it is in \(found.precision), and this run in \(Scalar.precisionName)")
    }
    if let difference = difference.ofCourse { throw foreign(place, difference) }
    return earlier
  }
}

/// What decides the course of a run and is not the same in two requests. A run may be made longer, and its files
/// may lie elsewhere.
private struct RequestDifference {
  let earlier: TrainingRequest
  let request: TrainingRequest

  init(_ earlier: TrainingRequest, _ request: TrainingRequest) {
    (self.earlier, self.request) = (earlier, request)
  }

  /// The first that is not the same, with what it was and is; nil where none is.
  var ofCourse: Message? {
    let (rules, other) = (earlier.rules, request.rules)
    return first([
      (.optimizer, earlier.optimizer.spelled, request.optimizer.spelled),
      (.then, earlier.then?.spelled, request.then?.spelled),
      (.switching, earlier.switching.spelled, request.switching.spelled),
      (.rate, Self.text(earlier.rate), Self.text(request.rate)),
      (.schedule, earlier.schedule.spelled, request.schedule.spelled),
      (.warmUp, Self.text(earlier.warmUp), Self.text(request.warmUp)),
      (.batches, Self.text(earlier.batches), Self.text(request.batches)),
      (.clipValue, Self.text(rules.clipValue), Self.text(other.clipValue)),
      (.clipNorm, Self.text(rules.clipNorm), Self.text(other.clipNorm)),
      (.weightDecay, Self.text(rules.weightDecay), Self.text(other.weightDecay)),
      (.undecayed, rules.undecayed, other.undecayed),
      (.rates, Self.text(rules.rates), Self.text(other.rates)),
      (.rateFile, rules.rateFile, other.rateFile),
      (.heldOut, Self.text(earlier.heldOut), Self.text(request.heldOut)),
      (.patience, earlier.patience.map { "\($0)" }, request.patience.map { "\($0)" }),
      (.trackers, Self.text(earlier.trackers), Self.text(request.trackers)),
      (.guarding, earlier.guarding.rawValue, request.guarding.rawValue),
      (.seed, "\(earlier.resources.seed)", "\(request.resources.seed)"),
    ])
  }

  /// What is not the same of model and data, as far as the requests say it.
  var ofProblem: Message? {
    switch (earlier.problem, request.problem) {
    case (.table(let one), .table(let other)):
      if one.file != other.file { return Self.files(one.file, other.file) }
      if one.reduction != other.reduction {
        return
          "its loss was the \(one.reduction.rawValue) over samples, and this run's is the \(other.reduction.rawValue)"
      }
      return first([
        (.target, one.target, other.target), (.model, one.model?.name, other.model?.name),
        (.loss, one.loss, other.loss),
        (.standardised, "\(one.standardised)", "\(other.standardised)"),
        (.l2, "\(one.l2)", "\(other.l2)"),
        (.heldOut, Self.text(earlier.heldOut), Self.text(request.heldOut)),
        (.seed, "\(earlier.resources.seed)", "\(request.resources.seed)"),
      ])
    case (.model(let one), .model(let other)):
      if one.file != other.file { return Self.files(one.file, other.file) }
      if one.training != other.training || one.asLogits != other.asLogits {
        return "one of the two is with --training or --as-logits, and the other without"
      }
      return first([
        (.data, one.data, other.data), (.loss, one.loss, other.loss),
        (.parameters, one.parameters, other.parameters), (.frozen, one.frozen, other.frozen),
        (.samples, one.samples.map { "\($0)" }, other.samples.map { "\($0)" }),
        (.l2, "\(one.l2)", "\(other.l2)"),
      ])
    case (.table(let one), .model(let other)): return Self.files(one.file, other.file)
    case (.model(let one), .table(let other)): return Self.files(one.file, other.file)
    default: return nil
    }
  }

  private static func files(_ one: String, _ other: String) -> Message {
    "it was trained on '\(Printable.line(one))', and this run is of '\(Printable.line(other))'"
  }

  private func first(_ fields: [(Message.Option, String?, String?)]) -> Message? {
    guard let (option, before, now) = fields.first(where: { $0.1 != $0.2 }) else { return nil }
    return "its \(option: option) was \(before ?? "not given") and is \(now ?? "not given") now"
  }

  private static func text(_ number: Double?) -> String? { number.map { "\($0)" } }

  private static func text(_ rate: RateChoice?) -> String? {
    switch rate {
    case .number(let value)?: "\(value)"
    case .automatic?: "auto"
    case nil: nil
    }
  }

  private static func text(_ batches: BatchSetup?) -> String? {
    guard let batches else { return nil }
    let parts = [
      "\(batches.size)",
      batches.accumulation == 1 ? nil : "accumulated \(batches.accumulation) times",
      batches.sampling == .shuffle ? nil : "by \(batches.sampling.rawValue)",
      batches.last == .included ? nil : "the last \(batches.last.rawValue)",
    ]
    return parts.compactMap { $0 }.joined(separator: " ")
  }

  private static func text(_ heldOut: HeldOutSetup?) -> String? {
    switch heldOut {
    case .share(let share)?: "\(share)"
    case .file(let file)?: "'\(Printable.line(file))'"
    case nil: nil
    }
  }

  private static func text(_ rates: [RuleSetup.GroupRate]) -> String? {
    rates.isEmpty
      ? nil
      : rates.map { group in
        let value = group.factor.map { "\($0)x" } ?? group.rate.map { "\($0)" } ?? ""
        return "'\(Printable.line(group.parameters))=\(value)'"
      }.joined(separator: " ")
  }

  private static func text(_ trackers: [TrackerSetting]) -> String? {
    trackers.isEmpty ? nil : trackers.map(\.spelled).joined(separator: " ")
  }
}
