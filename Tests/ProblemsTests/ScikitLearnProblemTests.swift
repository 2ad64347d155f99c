import Diagnosis
import Foundation
import OnnxBackend
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// Classifiers as scikit-learn's exporter writes them by default, without an option that names an output.
@Suite struct ScikitLearnProblemTests {
  private static func request(
    _ name: String, in folder: TemporaryFolder
  ) throws -> (request: ModelFileRequest, model: OnnxModel) {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
      .appendingPathComponent("OnnxBackendTests/Fixtures/scikit/\(name).onnx").path
    let model = try OnnxModel(contentsOf: file)
    let x = try #require(model.initializers["given:X"])
    let target = Tensor((0..<x.shape[0]).map { Int64($0 % 2) }, shape: [x.shape[0]])
    try NpzArchive.write([("X", x), ("target", target)], to: folder.path("batch.npz"))
    var request = ModelFileRequest(file: file)
    request.data = folder.path("batch.npz")
    request.loss = "cross-entropy"
    return (request, model)
  }

  @Test(arguments: [("pipeline_2", 5, true), ("pipeline_3", 15, true), ("mlp_2", 25, false)])
  func theScoreIsTakenAndSaidSo(_ name: String, _ count: Int, _ isInAttributes: Bool) throws {
    let folder = try TemporaryFolder()
    let (request, _) = try Self.request(name, in: folder)
    let problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.start.count == count)
    let ids = problem.readings.map(\.id)
    #expect(ids.contains("score-output"))
    #expect(ids.contains("attribute-parameters") == isInAttributes)
    let reading = try #require(problem.readings.first { $0.id == "score-output" })
    #expect(reading.names == ["output_probability"])
    #expect(reading.sentence.contains("output_label"))
  }

  @Test func anOutputThatIsNamedNeedsNoReading() throws {
    let folder = try TemporaryFolder()
    var (request, _) = try Self.request("pipeline_2", in: folder)
    request.output = "output_probability"
    let ids = try DiagnosisProblem(opening: .model(request)).readings.map(\.id)
    #expect(!ids.contains("score-output"))
  }

  /// Missing values belong to a model that fills them in, and to no other.
  @Test func missingValuesAreForAnImputer() throws {
    let folder = try TemporaryFolder()
    let (request, model) = try Self.request("imputer", in: folder)
    let x = try #require(model.initializers["given:X"])
    let gaps = Tensor([Float.nan] + x.doubles.dropFirst().map { Float($0) }, shape: x.shape)
    let target = Tensor((0..<x.shape[0]).map { Int64($0 % 2) }, shape: [x.shape[0]])
    try NpzArchive.write([("X", gaps), ("target", target)], to: folder.path("batch.npz"))
    #expect(try DiagnosisProblem(opening: .model(request)).start.count == 5)
    var other = request
    other.file = request.file.replacingOccurrences(of: "imputer", with: "pipeline_2")
    #expect(throws: ArrayFileError.self) { try DiagnosisProblem(opening: .model(other)) }
  }
}
