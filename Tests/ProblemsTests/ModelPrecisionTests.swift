import Diagnosis
import Foundation
import Problems
import ProgramRuns
import Testing
import Training

/// What users report: Adam, then L-BFGS, which float32 ends soon; of a model file in float32, by a request.
@Suite struct ModelPrecisionTests {
  private static func request(
    heldOut: HeldOutSetup?, precision: PrecisionChoice?, in folder: TemporaryFolder
  ) throws -> TrainingRequest {
    var model = try SmallFiles.model(in: folder)
    model.l2 = 0.05
    var request = TrainingRequest(.model(model))
    request.optimizer = try TrainingMethod("adam")
    request.rate = .number(0.01)
    request.then = try CatalogueSetting("lbfgs", ["tolerance": 0])
    request.switching = try CatalogueSetting("stalled", ["latest": 60])
    request.steps = 400
    request.heldOut = heldOut
    request.resources.precision = precision
    return request
  }

  /// The file's numbers are widened, the same samples held out, and the loss goes on from where it was.
  @Test(arguments: [nil, HeldOutSetup.share(0.25)], [nil, PrecisionChoice.float32])
  func `L-BFGS goes on in float64 by itself`(
    heldOut: HeldOutSetup?, precision: PrecisionChoice?
  ) throws {
    let folder = try TemporaryFolder()
    var losses: [Int: Double] = [:]
    let result = try train(
      try Self.request(heldOut: heldOut, precision: precision, in: folder),
      event: { if case .step(let record) = $0 { losses[record.step] = record.loss } })
    let notes = result.report.decisions
    #expect(notes.contains { $0.kind == .change && $0.step == 60 })
    let note = try #require(notes.first { $0.kind == .precision }, "\(notes.map(\.sentence))")
    #expect(note.sentence.contains("finds no lower loss in float32"), "\(note.sentence)")
    #expect(note.sentence.contains("It goes on from this point in float64"), "\(note.sentence)")
    #expect(result.report.problem.precision == "float32")
    let before = try #require(losses[note.step - 1])
    #expect(abs(try #require(note.values["loss"]) - before) < 1e-4 * before)
    // Where float32 saw no lower loss, float64 brings the gradient down further.
    let steps = result.report.length.steps
    #expect(steps > note.step + 20 && result.report.ending.sentence.contains("float64"))
  }
}
