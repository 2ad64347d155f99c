import Diagnosis
import Foundation
import OnnxBackend
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// A program's request, the command's flags and the request in a file lead to one answer, bit for bit: of one
/// number of threads, which the linear algebra of this process may have been set to before.
@Suite struct SameAnswerTests {
  /// Runs the program, which is to succeed without complaint.
  private func output(_ arguments: [String]) throws -> String {
    let outcome = try BuiltProgram.run(arguments)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    return outcome.output
  }

  private func check(_ request: DiagnosisRequest, _ options: [String], _ folder: TemporaryFolder)
    throws
  {
    let (json, again) = (folder.path("r.json"), folder.path("again.json"))
    let text = try output(["diagnose"] + options + ["--json", json])
    let report = try diagnose(request).json() + "\n"
    #expect(try String(contentsOfFile: json, encoding: .utf8) == report)
    // The request by itself, then the one of the result.
    let own = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
    for stored in [try folder.write(own, to: "request.json"), json] {
      #expect(try output(["run", stored, "--json", again]) == text)
      #expect(try String(contentsOfFile: again, encoding: .utf8) == report)
    }
  }

  @Test func `a table`() throws {
    let folder = try TemporaryFolder()
    let table = try SmallFiles.table(SmallFiles.words, in: folder)
    var request = DiagnosisRequest(file: table.file, target: "kind")
    var changed = table
    changed.dropped = ["spare"]
    changed.l2 = 0.01
    request.problem = .table(changed)
    request.training.rate = 0.1
    request.resources.executor = .reference
    request.resources.threads = 1
    request.trials.maxIterations = 50
    try check(
      request,
      [
        table.file, "--target", "kind", "--drop", "spare", "--l2", "0.01", "--lr", "0.1",
        "--executor", "reference", "--threads", "1", "--max-iterations", "50",
      ], folder)
  }

  @Test func `a model file`() throws {
    let folder = try TemporaryFolder()
    var request = DiagnosisRequest(.model(try SmallFiles.model(in: folder)))
    request.training.rate = 0.05
    request.training.steps = 4
    request.resources.executor = .onnxRuntime
    request.resources.seed = 2
    request.trials.maxIterations = 20
    try check(
      request,
      [
        SmallFiles.gate, "--data", folder.path("batch.npz"), "--loss", "cross-entropy", "--lr",
        "0.05", "--at", "4", "--executor", "onnxruntime", "--seed", "2", "--max-iterations", "20",
      ], folder)
  }

  @Test func `a spectrum`() throws {
    let folder = try TemporaryFolder()
    let table = try SmallFiles.table(in: folder)
    var request = SpectrumRequest(.table(table))
    request.resources.executor = .reference
    request.resources.threads = 1
    request.count = 2
    request.trace = true
    request.intervals = true
    let (json, again) = (folder.path("r.json"), folder.path("again.json"))
    let text = try output([
      "spectrum", table.file, "--target", "y", "--executor", "reference", "--threads", "1",
      "--count", "2", "--trace", "--intervals", "--json", json,
    ])
    let report = try measureSpectrum(request).report.json() + "\n"
    #expect(try String(contentsOfFile: json, encoding: .utf8) == report)
    #expect(try output(["run", json, "--json", again]) == text)
    #expect(try String(contentsOfFile: again, encoding: .utf8) == report)
  }

  @Test func `second moments of a file are read`() throws {
    let folder = try TemporaryFolder()
    var request = SpectrumRequest(.table(try SmallFiles.table(in: folder)))
    request.resources.executor = .reference
    let moments = [4.0, 0.25, 1]
    let file = folder.path("v.npy")
    try NumpyArray.write(Tensor(moments, shape: [3]), to: file)
    request.preconditioning = .adamState(file: file)
    let read = try measureSpectrum(request).report
    #expect(read.request == request)
    request.preconditioning = .adam(secondMoments: moments)
    let given = try measureSpectrum(request).report
    #expect(read.largest == given.largest && read.smallest == given.smallest)
    request.preconditioning = .adamState(file: folder.path("none.npy"))
    let error = try #require(throws: DiagnosisFailure.self) { try measureSpectrum(request) }
    #expect(error.kind == .noInput)
  }

  @Test func `a failure of a stored request is in its own words`() throws {
    let folder = try TemporaryFolder()
    let request = DiagnosisRequest(
      file: try folder.write("a,y\n1,2\n,4\n5,6\n", to: "t.csv"), target: "y")
    let own = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
    let outcome = try BuiltProgram.run(["run", folder.write(own, to: "request.json")])
    #expect(outcome.status == 65 && outcome.output.isEmpty)
    #expect(outcome.errors.contains("with `kept: a`") && !outcome.errors.contains("--keep"))
  }

  @Test func `progress, cancellation and a profile`() throws {
    let folder = try TemporaryFolder()
    var request = DiagnosisRequest(.model(try SmallFiles.model(in: folder)))
    request.trials.areRun = false
    request.resources.isProfiled = true
    let stages = Stages()
    var profile: ExecutionProfile?
    let report = try diagnose(
      request, context: RunContext(progress: { stages.add($0.stage) }, isCancelled: { false })
    ) { profile = $0 }
    #expect(report.request == request && report.problem.executor == "onnxruntime")
    #expect(stages.all.first == "reading \(SmallFiles.gate)" && stages.all.count > 2)
    #expect(try #require(profile).milliseconds > 0)
    request.resources.isProfiled = false
    profile = nil
    let cancelled = RunContext(progress: { _ in }, isCancelled: { true })
    do {
      let partial = try diagnose(request, context: cancelled) { profile = $0 }
      #expect(partial.prescriptions.allSatisfy { $0.measured == nil })
    } catch {
      #expect(DiagnosisFailure.Kind(of: error) == .interrupted)
    }
    #expect(profile == nil)
  }

  /// The stages that were reported, from whatever thread.
  private final class Stages: @unchecked Sendable {
    private let lock = NSLock()
    private var stages: [String] = []

    var all: [String] { lock.withLock { stages } }
    func add(_ stage: String) { lock.withLock { stages.append(stage) } }
  }
}
