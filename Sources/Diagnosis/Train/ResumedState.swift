import Foundation
import LinearMaps
import Presentation
import Training

/// The state of an earlier run that a request goes on from: the newest checkpoint that is whole.
struct ResumedState<Scalar: LinearMapScalar> {
  /// Nil to begin at the start.
  private(set) var state: TrainerState<Scalar>?
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
        let found = try Checkpoint<Scalar>(checkpoint.read())
        state = try Self.checked(found, checkpoint.place, request, fingerprint)
        notes += damages.map { "\($0), so the one before it was used." }
        notes.append(
          "The run went on after step \(Wording.count(found.state.run.stepCount)), from "
            + "\(Printable.line(checkpoint.place)).")
        return
      } catch CheckpointError.damaged(let reason) {
        damages.append("\(Printable.line(checkpoint.place)) is damaged (\(reason))")
      } catch CheckpointError.foreign(let reason) {
        throw Self.foreign(checkpoint.place, reason)
      }
    }
    throw DiagnosisFailure(
      .badData,
      "No checkpoint in '\(folder)' can be used: \(damages.joined(separator: "; ")). Remove them to begin "
        + "at the start.")
  }

  private static func foreign(_ place: String, _ reason: String) -> DiagnosisFailure {
    DiagnosisFailure(
      .usage,
      "The checkpoint \(Printable.line(place)) is of another run: \(reason); give the options and files of "
        + "that run, or \(option: .checkpoints) another folder.")
  }

  private static func checked(
    _ found: Checkpoint<Scalar>, _ place: String, _ request: TrainingRequest, _ fingerprint: String
  ) throws -> TrainerState<Scalar> {
    guard found.fingerprint == fingerprint else {
      throw foreign(place, "its model, data or start are not these")
    }
    let earlier: TrainingRequest
    do {
      earlier = try JSONDecoder().decode(TrainingRequest.self, from: Data(found.request.utf8))
    } catch {
      throw CheckpointError.damaged("its request cannot be read")
    }
    if let field = difference(earlier, request) {
      throw foreign(place, "its `\(field)` is another")
    }
    return found.state
  }

  /// The first field that decides the course of a run and is not the same; nil where none is.
  ///
  /// A run may be made longer, and its files may lie elsewhere.
  private static func difference(_ one: TrainingRequest, _ other: TrainingRequest) -> String? {
    if one.optimizer != other.optimizer { return "optimizer" }
    if one.then != other.then { return "then" }
    if one.switching != other.switching { return "switching" }
    if one.rate != other.rate { return "rate" }
    if one.schedule != other.schedule { return "schedule" }
    if one.warmUp != other.warmUp { return "warmUp" }
    if one.batches != other.batches { return "batches" }
    if one.rules != other.rules { return "rules" }
    if one.heldOut != other.heldOut { return "heldOut" }
    if one.patience != other.patience { return "patience" }
    if one.trackers != other.trackers { return "trackers" }
    if one.guarding != other.guarding { return "guarding" }
    if one.resources.seed != other.resources.seed { return "resources.seed" }
    return nil
  }
}
