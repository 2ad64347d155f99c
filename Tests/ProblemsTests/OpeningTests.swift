import Curvature
import Diagnosis
import Foundation
import LinearMaps
import OnnxBackend
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// What a request names, opened.
@Suite struct OpeningTests {
  private func loss<Scalar: LinearMapScalar>(
    _ problem: DiagnosisProblem, _: Scalar.Type = Double.self
  ) throws -> Double {
    guard case .traced(let definition, let data) = problem.loss else {
      throw DiagnosisFailure(.software, "the loss is not traced")
    }
    let arrays = data.map {
      $0.element.isFloating ? Tensor($0.doubles, type: TensorType(Scalar.element, $0.shape)) : $0
    }
    return try Objective<Scalar>(definition, data: arrays, executor: ReferenceExecutor())
      .value(at: problem.start.map { Scalar($0) })
  }

  @Test func `a table of numbers gets a line from zero`() throws {
    let folder = try TemporaryFolder()
    var table = try SmallFiles.table(in: folder)
    table.l2 = 0.5
    let problem = try DiagnosisProblem(opening: .table(table))
    #expect(problem.name == "t.csv" && problem.modelName == "linear")
    #expect(problem.lossName == "half-squared-error" && problem.targetName == "y")
    #expect(problem.start == [0, 0, 0] && problem.sampleCount == 6 && problem.l2 == 0.5)
    #expect(problem.isQuadratic && problem.isLinearInParameters)
    // Of the zero line it is half the mean square of the target.
    let squares = [0.25, 2.75, 1.5, -2.25, 3.125, 6.75].reduce(0) { $0 + $1 * $1 }
    #expect(abs(try loss(problem) - squares / 12) < 1e-12)
  }

  @Test func `a table of words gets its options`() throws {
    let folder = try TemporaryFolder()
    var table = try SmallFiles.table(SmallFiles.words, in: folder)
    table.dropped = ["spare"]
    let classes = try TabularProblem(table)
    #expect(classes.featureNames == ["size", "colour=blue", "colour=red"])
    #expect(classes.target == .classes([1, 0, 0, 1, 0, 1], count: 2))
    #expect(classes.model == .softmax && classes.loss.name == "cross-entropy")
    // Of two classes that are equally likely.
    #expect(abs(try loss(DiagnosisProblem(classes)) - log(2)) < 1e-12)
    table.features = ["size"]
    table.model = .mlp(hidden: [4], activation: .relu)
    let network = try TabularProblem(table, seed: 3)
    #expect(network.featureNames == ["size"])
    let problem = try DiagnosisProblem(
      opening: .table(table),
      resources: {
        var resources = Resources()
        resources.seed = 3
        return resources
      }())
    #expect(problem.start == DiagnosisProblem(network).start)
    #expect(problem.start.count == 4 + 4 + 8 + 2 && !problem.isLinearInParameters)
    #expect(try problem.start != DiagnosisProblem(opening: .table(table)).start)
  }

  @Test func `missing cells are left out, refused or filled in`() throws {
    let folder = try TemporaryFolder()
    var table = TableRequest(
      file: try folder.write("a,y\n1,2.5\n,3.5\n3,1.25\n", to: "t.csv"), target: "y")
    // A row of three is more than a fifth.
    #expect(throws: TableError.self) { try TabularProblem(table) }
    table.kept = ["a"]
    #expect(try TabularProblem(table).features == [1, 3])
    table.kept = []
    table.missing = .mean
    #expect(try TabularProblem(table).features == [1, 2, 3])
    table.missing = .refuse
    #expect(throws: TableError.self) { try TabularProblem(table) }
  }

  @Test func `a model file gets its data`() throws {
    let folder = try TemporaryFolder()
    let request = try SmallFiles.model(in: folder)
    let problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.name == "gate.onnx" && problem.dataName == "batch.npz")
    #expect(problem.lossName == "cross-entropy" && problem.targetName == "target")
    let stored = [
      "scale.weight": [0.5, -1, 2], "scale.bias": [0.1, 0, -0.2], "gain.weight": [1.5],
    ]
    #expect(Set(problem.parameters.map(\.name)) == Set(stored.keys))
    let start = problem.parameters.flatMap { stored[$0.name]! }
    #expect(zip(problem.start, start).allSatisfy { abs($0 - $1) < 1e-7 })
    #expect(problem.start.count == 7 && problem.sampleCount == 8)
    // The formula by hand.
    var sum = 0.0
    for row in 0..<8 {
      let logits = (0..<3).map { column in
        1.5 * tanh(SmallFiles.inputs.doubles[row * 3 + column] * stored["scale.weight"]![column])
          + stored["scale.bias"]![column]
      }
      sum += log(logits.reduce(0) { $0 + exp($1) }) - logits[Int(SmallFiles.labels.doubles[row])]
    }
    #expect(abs(try loss(problem, Float.self) - sum / 8) < 1e-6)
  }

  @Test func `a model file with all its options`() throws {
    let folder = try TemporaryFolder()
    var request = try SmallFiles.model(
      [("x", SmallFiles.inputs), ("label", SmallFiles.labels)], in: folder)
    request.target = "label"
    request.output = "logits"
    request.samples = 5
    request.l2 = 0.25
    request.frozen = "gain*"
    request.training = true
    request.saved = folder.path("p.safetensors")
    var resources = Resources()
    resources.precision = .float64
    let problem = try DiagnosisProblem(opening: .model(request), resources: resources)
    #expect(problem.targetName == "label" && problem.sampleCount == 5 && problem.l2 == 0.25)
    #expect(Set(problem.parameters.map(\.name)) == ["scale.weight", "scale.bias"])
    #expect(problem.notes.contains { $0.contains("BatchNormalization") })
    let point = problem.start.indices.map { Double($0) + 0.125 }
    let save = try #require(problem.atPoint)
    try save(point)
    let saved = try SafetensorsFile(folder.path("p.safetensors"))
    #expect(
      try problem.parameters.flatMap { try saved.tensor($0.name).doubles } == point)
    #expect(try saved.tensor("scale.weight").element == .float64)
    request.frozen = nil
    request.parameters = "*bias"
    #expect(
      try DiagnosisProblem(opening: .model(request)).parameters.map(\.name) == ["scale.bias"])
  }

  @Test func `a loss that the model computes`() throws {
    let folder = try TemporaryFolder()
    var request = try SmallFiles.model(in: folder)
    request.loss = nil
    request.lossOutput = "energy"
    let problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.lossName == "energy" && problem.targetName == nil)
    #expect(problem.parameters.map(\.name) == ["gain.weight"])
    #expect(abs(try loss(problem, Float.self) - 2.25) < 1e-7)
    #expect(problem.notes.contains { $0.contains("'energy'") && $0.contains("no data") })
  }

  @Test func `the files of a source`() throws {
    var model = ModelFileRequest(file: "m.onnx")
    #expect(ProblemSource.model(model).files == ["m.onnx"])
    model.data = "d.npz"
    #expect(ProblemSource.model(model).files == ["m.onnx", "d.npz"])
    #expect(ProblemSource.table(TableRequest(file: "t.csv", target: "y")).files == ["t.csv"])
    #expect(ProblemSource.memory("m").files.isEmpty)
  }

  @Test func `the executor that was asked for`() throws {
    var resources = Resources()
    resources.executor = .reference
    let (reference, notes) = try resources.makeExecutor()
    #expect(reference is ReferenceExecutor && notes.isEmpty)
    resources.executor = .onnxRuntime
    #expect(try resources.makeExecutor().executor is OnnxExecutor)
    resources.executor = .automatic
    let (automatic, remarks) = try resources.makeExecutor()
    #expect(automatic is OnnxExecutor && remarks.isEmpty)
    // Only a profile needs the times of ONNX Runtime's kernels.
    resources.isProfiled = true
    let profiled = try #require(try resources.makeExecutor().executor as? OnnxExecutor)
    #expect(try profiled.profile()?.entries.isEmpty == true)
  }

  /// A library that is no library, in a process of its own: this one has loaded the right one.
  @Test func `an executor that is broken or missing`() throws {
    let folder = try TemporaryFolder()
    let table = try SmallFiles.table(in: folder)
    let broken = try folder.write("no library", to: "libonnxruntime.so")
    for (executor, status) in [("auto", 69), ("onnxruntime", 69), ("reference", 0)] {
      let outcome = try BuiltProgram.run(
        ["diagnose", table.file, "--target", "y", "--no-trials", "--executor", executor],
        environment: ["ORT_DYLIB_PATH": broken])
      #expect(outcome.status == Int32(status), "\(executor): \(outcome.errors)")
      #expect(outcome.errors.contains(broken) == (status != 0))
    }
    // Away from the bootstrap's folder and from Python there is none.
    let other = try TemporaryFolder()
    let away = other.url.appendingPathComponent("eigenstep")
    try FileManager.default.copyItem(at: BuiltProgram.url, to: away)
    for (executor, words) in [
      ("auto", "ONNX Runtime was not found, so the slower reference"),
      ("onnxruntime", "or use `--executor reference`"),
    ] {
      let outcome = try BuiltProgram.run(
        ["diagnose", table.file, "--target", "y", "--no-trials", "--executor", executor],
        environment: ["ORT_DYLIB_PATH": "", "PATH": "/nowhere"], program: away)
      #expect(outcome.status == (executor == "auto" ? 0 : 69))
      let said = (outcome.output + outcome.errors).split(whereSeparator: \.isWhitespace)
      #expect(said.joined(separator: " ").contains(words), "\(outcome)")
    }
  }
}
