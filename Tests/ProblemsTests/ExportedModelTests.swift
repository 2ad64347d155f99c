import Curvature
import Diagnosis
import Foundation
import OnnxBackend
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// What exporters do to a model, and what batches it takes.
@Suite struct ExportedModelTests {
  private static func opened(
    _ model: ModelSketch, _ x: Tensor, loss: String? = "cross-entropy", in folder: TemporaryFolder
  ) throws -> DiagnosisProblem {
    var request = ModelFileRequest(file: try model.write(in: folder))
    let labels = Tensor((0..<x.shape[0]).map { Int64($0 * 5 % 3) }, shape: [x.shape[0]])
    try NpzArchive.write([("x", x), ("target", labels)], to: folder.path("d.npz"))
    request.data = folder.path("d.npz")
    request.loss = loss
    return try DiagnosisProblem(opening: .model(request))
  }

  private static func report(_ problem: DiagnosisProblem) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.trials.areRun = false
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  // MARK: What exporters do

  private static func convolution(weight: String, bias: String, result: String) -> ModelSketch {
    var model = ModelSketch()
    model.input("x", ["n", "1", "3", "3"])
    model.output("out", ["n", "3"])
    model.tensor(weight, [3, 1, 3, 3], wave(27))
    model.tensor(bias, [3], wave(3, 1))
    model.node("Conv", ["x", weight, bias], [result], name: "c")
    model.node("Relu", [result], ["r"])
    model.node("Flatten", ["r"], ["out"])
    return model
  }

  @Test(arguments: [
    ("c.weight", "c.weight_bias", "conv2d", true), ("c.weight", "c.bias", "getitem_3", true),
    ("onnx::Conv_24", "onnx::Conv_25", "/c/Conv_output_0", true),
    ("c.weight", "c.bias", "/bn1/BatchNormalization_output_0", true),
    ("w/Conv2D_weights_fused_bn", "b", "y", true), ("c.weight", "c.bias", "conv2d", false),
    ("c.weight", "c.bias", "/c/Conv_output_0", false),
  ])
  func `a folded normalisation leaves names`(
    _ weight: String, _ bias: String, _ result: String, _ isFolded: Bool
  ) throws {
    let folder = try TemporaryFolder()
    let images = Tensor((0..<72).map { Float(sin(Double($0) * 1.7)) }, shape: [8, 1, 3, 3])
    let problem = try Self.opened(
      Self.convolution(weight: weight, bias: bias, result: result), images, in: folder)
    #expect(problem.findings.map(\.id) == (isFolded ? ["folded-normalisation"] : []))
    #expect(problem.readings.map(\.id) == (isFolded ? ["folded-normalisation"] : []))
    #expect(problem.parameters.map(\.name) == [weight, bias])
    if isFolded { #expect(problem.findings[0].evidence["weights"] == .list([weight])) }
  }

  @Test(arguments: [true, false])
  func `a tensor that is stored twice is said`(_ isTransposed: Bool) throws {
    let folder = try TemporaryFolder()
    let numbers = wave(9)
    var model = ModelSketch()
    model.input("x", ["n", "3"])
    model.output("out", ["n", "3"])
    model.tensor("embedding", [3, 3], numbers)
    model.tensor(
      "head", [3, 3],
      isTransposed ? (0..<9).map { numbers[$0 % 3 * 3 + $0 / 3] } : numbers)
    // Equal because they are not trained yet, and another of the same sum.
    model.tensor("ones", [3], [1, 1, 1])
    model.tensor("more", [3], [1, 1, 1])
    model.tensor("other", [3, 3], numbers.reversed())
    for (index, name) in ["embedding", "head", "other"].enumerated() {
      model.node("MatMul", [index == 0 ? "x" : "t\(index)", name], ["p\(index)"])
      model.node("Tanh", ["p\(index)"], ["t\(index + 1)"])
    }
    model.node("Mul", ["t3", "ones"], ["s"])
    model.node("Add", ["s", "more"], ["out"])
    let problem = try Self.opened(model, SmallFiles.inputs, in: folder)
    let finding = try #require(problem.findings.first)
    #expect(problem.findings.map(\.id) == ["tied-weights-stored-twice"])
    #expect(
      finding.evidence["pairs"] == .list(["embedding = head" + (isTransposed ? "^T" : "")]))
  }

  @Test func `equal tensors that were merged are said`() throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.input("x", ["n", "3"])
    model.output("out", ["n", "3"])
    model.tensor("scale", [3], [1, 1, 1])
    model.tensor("w", [3, 3], wave(9))
    model.node("Mul", ["x", "scale"], ["a"])
    model.node("MatMul", ["a", "w"], ["b"])
    model.node("Mul", ["b", "scale"], ["out"])
    let problem = try Self.opened(model, SmallFiles.inputs, in: folder)
    #expect(problem.findings.map(\.id) == ["equal-tensors-merged"])
  }

  @Test(arguments: [(true, 0.5, true), (false, 0.5, false), (true, 0, false)])
  func `nodes that draw at random are said`(
    _ isTraining: Bool, _ ratio: Double, _ isRandom: Bool
  ) throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.input("x", ["n", "3"])
    model.output("out", ["n", "3"])
    model.tensor("w", [3, 3], wave(9))
    model.tensor("ratio", [], [ratio])
    model.flag("training", isTraining)
    model.node("Dropout", ["x", "ratio", "training"], ["a"], name: "drop")
    model.node("MatMul", ["a", "w"], ["out"])
    let problem = try Self.opened(model, SmallFiles.inputs, in: folder)
    #expect(problem.findings.map(\.id) == (isRandom ? ["random-nodes"] : []))
  }

  // MARK: Batches

  /// `tanh(x w)` with its samples brought into the shape `[rows, -1, 3]` and back.
  private static func reshaped(rows: Int64, input: String = "n") -> ModelSketch {
    var model = ModelSketch()
    model.input("x", [input, "3"])
    model.output("out")
    model.tensor("w", [3, 3], wave(9))
    model.integers("cube", [rows, -1, 3])
    model.integers("flat", [rows, 3])
    model.node("MatMul", ["x", "w"], ["a"])
    model.node("Reshape", ["a", "cube"], ["b"], name: "unflatten")
    model.node("Tanh", ["b"], ["c"])
    model.node("Reshape", ["c", "flat"], ["out"], name: "back")
    return model
  }

  /// Of the model above, which mixes no samples: in NumPy, with labels `5 i mod 3`.
  private static func loss(_ x: Tensor) -> Double {
    let (numbers, w) = (x.doubles, wave(9))
    let losses = (0..<x.shape[0]).map { row in
      let out = (0..<3).map { column in
        tanh((0..<3).reduce(0) { $0 + numbers[3 * row + $1] * w[3 * $1 + column] })
      }
      return log(out.reduce(0) { $0 + exp($1) }) - out[row * 5 % 3]
    }
    return losses.reduce(0, +) / Double(x.shape[0])
  }

  @Test(arguments: [(8, "n"), (4, "n"), (1, "n"), (8, "8"), (4, "4"), (1, "1")])
  func `samples of a fixed batch stay apart`(_ rows: Int, _ input: String) throws {
    let folder = try TemporaryFolder()
    let problem = try Self.opened(
      Self.reshaped(rows: Int64(rows), input: input), SmallFiles.inputs, in: folder)
    let report = try Self.report(problem)
    #expect(abs((report.problem.loss ?? .nan) - Self.loss(SmallFiles.inputs)) < 1e-6)
    #expect(report.problem.samples == 8)
    #expect(!report.problem.notes.contains { $0.contains("depends on the others") })
    // The file's inputs say what they take; a node within has to be named.
    let node = report.problem.notes.first { $0.contains("alone, as it was exported") }
    #expect((node != nil) == (input == "n"))
    if rows < 8, input == "n" { #expect(node?.contains("The node unflatten") == true) }
  }

  @Test func `samples that fill no batch are refused`() throws {
    let folder = try TemporaryFolder()
    #expect(
      performing: {
        try Self.opened(Self.reshaped(rows: 3), SmallFiles.inputs, in: folder)
      }, throws: { "\($0)".contains("batches of 3 samples only") && "\($0)".contains("6") })
  }

  @Test(arguments: ["n", "8", "4"])
  func `the node where samples meet is named`(_ input: String) throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.input("x", [input, "3"])
    model.output("out", [input, "3"])
    model.tensor("w", [3, 3], wave(9))
    model.integers("axis", [0])
    model.node("MatMul", ["x", "w"], ["a"])
    model.node("Tanh", ["a"], ["b"])
    model.node("ReduceMean", ["b", "axis"], ["m"], name: "batch_mean", ["keepdims": 1])
    model.node("Sub", ["b", "m"], ["out"])
    let report = try Self.report(Self.opened(model, SmallFiles.inputs, in: folder))
    let note = try #require(report.problem.notes.first { $0.contains("depends on the others") })
    #expect(note.contains("by the node batch_mean"))
    #expect(note.contains(input == "4" ? "the mean over batches of 4" : "as one batch"))
  }
}
