import Curvature
import Diagnosis
import Foundation
import OnnxBackend
import Presentation
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing
import Training

/// What cannot be opened: its kind, and its sentence in the words of requests and of the command.
@Suite struct FailureTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: DiagnosisFailure.Kind
    /// The sentence of the library; `FOLDER` stands for the path of the folder.
    let fields: String
    /// Where it differs, the sentence of the command.
    var flags: String?
    let source: @Sendable (TemporaryFolder) throws -> ProblemSource
    var testDescription: String { name }

    init(
      _ name: String, _ kind: DiagnosisFailure.Kind, _ fields: String, flags: String? = nil,
      source: @escaping @Sendable (TemporaryFolder) throws -> ProblemSource
    ) {
      self.name = name
      self.kind = kind
      self.fields = fields
      self.flags = flags
      self.source = source
    }
  }

  static func table(
    _ text: String, _ change: @escaping @Sendable (inout TableRequest) -> Void = { _ in }
  ) -> @Sendable (TemporaryFolder) throws -> ProblemSource {
    { folder in
      var table = TableRequest(file: try folder.write(text, to: "t.csv"), target: "y")
      change(&table)
      return .table(table)
    }
  }

  static func model(
    _ arrays: [(name: String, tensor: Tensor)] = [
      ("x", SmallFiles.inputs), ("target", SmallFiles.labels),
    ],
    _ change: @escaping @Sendable (inout ModelFileRequest) -> Void
  ) -> @Sendable (TemporaryFolder) throws -> ProblemSource {
    { folder in
      var model = try SmallFiles.model(arrays, in: folder)
      change(&model)
      return .model(model)
    }
  }

  @Test(arguments: files + tables + models)
  func `is refused in one sentence`(row: Row) throws {
    let folder = try TemporaryFolder()
    let source = try row.source(folder)
    let error = try #require(throws: (any Error).self) { try DiagnosisProblem(opening: source) }
    #expect(DiagnosisFailure.Kind(of: error) == row.kind)
    func expected(_ sentence: String) -> String {
      let losses = ModelLoss.all.map(\.name).joined(separator: ", ")
      return sentence.replacingOccurrences(of: "FOLDER", with: folder.url.path)
        .replacingOccurrences(of: "GATE", with: SmallFiles.gate)
        .replacingOccurrences(of: "LOSSES", with: losses)
    }
    #expect("\(error)" == expected(row.fields))
    if let error = error as? any MessageError {
      #expect(error.message.text(.flags) == expected(row.flags ?? row.fields))
    } else {
      #expect(row.flags == nil)
    }
  }

  @Test(.enabled(if: geteuid() != 0, "the superuser may read every file"))
  func `a file that may not be read`() throws {
    let folder = try TemporaryFolder()
    let table = try SmallFiles.table(in: folder)
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: table.file)
    let error = try #require(throws: DiagnosisFailure.self) {
      try DiagnosisProblem(opening: .table(table))
    }
    #expect(error.kind == .noInput)
    #expect(
      "\(error)" == "The file '\(table.file)' may not be read; check its permissions.")
  }

  @Test func `a file that is no model`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("rubbish", to: "m.onnx")
    var model = try SmallFiles.model(in: folder)
    model.file = file
    let error = try #require(throws: OnnxModelError.self) {
      try DiagnosisProblem(opening: .model(model))
    }
    #expect(
      DiagnosisFailure.Kind(of: error) == .badData && "\(error)".contains("not an ONNX model"))
  }

  @Test func `data and tensors have to fit into the memory given`() throws {
    let folder = try TemporaryFolder()
    let model = try SmallFiles.model(in: folder)
    var resources = Resources()
    for memory in [95, 4] {
      resources.memory = memory
      let error = try #require(throws: DiagnosisFailure.self) {
        try DiagnosisProblem(opening: .model(model), resources: resources)
      }
      #expect(error.kind == .badData && "\(error)".contains("GiB that `memory` allows"))
      #expect(error.message.text(.flags).contains("GiB that --memory allows"))
      // The arrays take 96 and 64 bytes.
      #expect("\(error)".contains("`samples: 4`") == (memory == 95), "\(error)")
    }
    resources.memory = 160
    #expect(try DiagnosisProblem(opening: .model(model), resources: resources).sampleCount == 8)
  }

  /// One error of each type and case that a diagnosis may throw.
  static let kinds: [(any Error & Sendable, DiagnosisFailure.Kind)] =
    DiagnosisFailure.Kind.allCases.map { (DiagnosisFailure($0, ""), $0) } + [
      (RequestError("training.rate", "is wrong"), .usage),
      (CatalogueError.unknown("sgd", kind: "optimizer", known: []), .usage),
      (OnnxRuntimeError.notFound(tried: []), .unavailable),
      (OnnxRuntimeError.notLoadable(path: "", reason: ""), .unavailable),
      (OnnxRuntimeError.tooOld(path: "", version: "", neededApi: 1), .unavailable),
      (OnnxRuntimeError.terminated, .interrupted),
      (OnnxRuntimeError.failed(doing: "", code: 1, message: ""), .software),
      (OnnxRuntimeError.configuredTooLate, .software),
      (CancellationError(), .interrupted), (CocoaError(.fileReadUnknown), .software),
      (ProgramError.mismatch("shapes"), .software),
    ]

  @Test func `every failure has its kind`() throws {
    for (error, kind) in Self.kinds { #expect(DiagnosisFailure.Kind(of: error) == kind) }
    let folder = try TemporaryFolder()
    let array = Tensor([1.0], shape: [1])
    let thrown: [(DiagnosisFailure.Kind, () throws -> Void)] = [
      (.noInput, { _ = try NumpyArray.read(folder.path("none.npy")) }),
      (.badData, { _ = try NumpyArray.read(folder.write("no array", to: "a.npy")) }),
      (.cannotCreate, { try NumpyArray.write(array, to: folder.path("none/a.npy")) }),
      (.badData, { _ = try OnnxModel(contentsOf: folder.write("no model", to: "m.onnx")) }),
      (
        .cannotCreate,
        { try OnnxModel(contentsOf: SmallFiles.gate).write(to: folder.path("n/m.onnx")) }
      ),
    ]
    for (kind, work) in thrown {
      let error = try #require(throws: (any Error).self) { try work() }
      #expect(DiagnosisFailure.Kind(of: error) == kind, "\(error)")
    }
  }
}
