import Diagnosis
import Foundation
import OnnxBackend
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// Which stored tensors of a model are parameters, and in which arithmetic it runs.
@Suite struct ModelParameterTests {
  /// `y = k sin(x w + b)` with a scalar `k`, then `erf`-GELU and an epsilon under a root.
  private static func scaled(_ store: (inout ModelSketch, String, [Int], [Double]) -> Void)
    -> ModelSketch
  {
    var model = ModelSketch()
    model.input("x", ["n", "2"])
    model.output("y", ["n", "3"])
    store(&model, "k", [], [0.3])
    store(&model, "w", [2, 3], wave(6))
    store(&model, "b", [3], wave(3, 1))
    model.node("MatMul", ["x", "w"], ["xw"])
    model.node("Add", ["xw", "b"], ["z"])
    model.node("Sin", ["z"], ["s"])
    model.node("Mul", ["k", "s"], ["y"])
    return model
  }

  private static func names(
    _ model: ModelSketch, _ parameters: String? = nil, frozen: String? = nil
  ) throws -> [String] {
    try ModelParameters(
      of: model.read(), outputs: ["y"], parameters: parameters, frozen: frozen
    ).names
  }

  @Test func `a scalar is a parameter, wherever it is stored`() throws {
    let stored = Self.scaled { $0.tensor($1, $2, $3) }
    #expect(try Self.names(stored) == ["k", "w", "b"])
    #expect(try Self.names(stored, "k") == ["k"])
    #expect(try Self.names(stored, frozen: "k,b") == ["w"])
  }

  @Test func `weights in Constant nodes are parameters where initializers hold none`() throws {
    // A scalar there may be a number of the formula: it is trained where it is named.
    let constants = Self.scaled { $0.constant($1, $2, $3) }
    #expect(try Self.names(constants) == ["w", "b"])
    #expect(try Self.names(constants, "*,k") == ["k", "w", "b"])
    var mixed = Self.scaled { $0.tensor($1, $2, $3) }
    mixed.constant("mix", [3, 3], wave(9))
    mixed.node("MatMul", ["y", "mix"], ["mixed"])
    let entries = try ModelParameters(
      of: mixed.read(), outputs: ["mixed"], parameters: nil, frozen: nil
    ).entries
    #expect(entries.filter { $0.reason == nil }.map(\.name) == ["k", "w", "b"])
    #expect(
      entries.last?.reason?.text(.flags)
        == "a Constant node, beside weights that are initializers")
  }

  @Test func `a quantised weight of a Constant node is no initializer`() throws {
    var model = ModelSketch()
    model.input("x", ["n", "2"])
    model.output("y", ["n", "3"])
    model.constant("whole", [2, 3], [1, -2, 3, 4, 0, -6], integers: true)
    model.constant("scale", [], [0.1])
    model.constant("b", [3], wave(3, 1))
    model.constant("v", [3, 3], wave(9))
    model.node("DequantizeLinear", ["whole", "scale"], ["w"])
    model.node("MatMul", ["x", "w"], ["xw"])
    model.node("Add", ["xw", "b"], ["z"])
    model.node("MatMul", ["z", "v"], ["y"])
    #expect(try Set(Self.names(model)) == ["whole", "b", "v"])
  }

  @Test func `numbers of formulas are no parameters`() throws {
    var model = ModelSketch()
    model.input("x", ["n", "3"])
    model.output("y")
    model.tensor("gain", [], [1.7])
    for (name, value) in [
      ("eps", 1e-5), ("half", 0.5), ("one", 1), ("root", 1.4142135), ("two", 2),
    ] {
      model.tensor(name, [], [value])
    }
    model.tensor("val_4", [], [3])
    // gain * gelu(x) / sqrt(x^2 + eps) + 3
    model.node("Div", ["x", "root"], ["d"])
    model.node("Erf", ["d"], ["e"])
    model.node("Add", ["e", "one"], ["f"])
    model.node("Mul", ["x", "f"], ["g"])
    model.node("Mul", ["g", "half"], ["gelu"])
    model.node("Pow", ["x", "two"], ["square"])
    model.node("Add", ["square", "eps"], ["padded"])
    model.node("Sqrt", ["padded"], ["norm"])
    model.node("Div", ["gelu", "norm"], ["unit"])
    model.node("Mul", ["unit", "gain"], ["h"])
    model.node("Add", ["h", "val_4"], ["y"])
    let reasons = try Dictionary(
      uniqueKeysWithValues: ModelParameters(
        of: model.read(), outputs: ["y"], parameters: nil, frozen: nil
      ).entries.map { ($0.name, $0.reason?.text(.flags)) })
    #expect(
      reasons == [
        "gain": nil, "eps": "an epsilon", "half": "a part of GELU", "one": "a part of GELU",
        "root": "a constant of a formula", "two": "an exponent",
        "val_4": "a constant of the exporter",
      ])
  }

  @Test func `what folding made is left out, and said`() throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.input("x", ["n", "3"])
    model.output("y", ["n", "3"])
    model.tensor("w", [3, 3], wave(9))
    model.tensor("val_7", [3, 3], [1.5, 1, 1, 1, 1.5, 1, 1, 1, 1.5])
    model.tensor("val_9", [3], wave(3))
    model.tensor("mean", [3], [0, 0, 0])
    model.tensor("variance", [3], [1, 2, 3])
    model.tensor("scale", [3], [1, 2, 3])
    model.tensor("shift", [3], [1, 2, 3])
    model.node("MatMul", ["x", "w"], ["a"])
    model.node("MatMul", ["a", "val_7"], ["b"])
    model.node("Add", ["b", "val_9"], ["c"])
    model.node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["y"])
    var request = ModelFileRequest(file: try model.write(in: folder))
    try NpzArchive.write(
      [("x", SmallFiles.inputs), ("target", SmallFiles.inputs)], to: folder.path("d.npz"))
    request.data = folder.path("d.npz")
    request.loss = "mse"
    var problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.parameters.map(\.name) == ["w", "scale", "shift"])
    let reading = try #require(problem.readings.first { $0.id == "parameters-left-out" })
    #expect(reading.names == ["val_7", "val_9", "mean", "variance"])
    #expect(
      reading.sentence.hasPrefix(
        "Stored, but no parameters: 12 numbers in val_7 and val_9 (made by the exporter's constant "
          + "folding) and 6 numbers in mean and variance (a running statistic)."))
    #expect(reading.sentence.contains("--parameters '*,val_7,val_9'"))
    request.parameters = "*,val_7,val_9"
    problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.parameters.map(\.name) == ["w", "val_7", "val_9", "scale", "shift"])
  }

  @Test func `the exporter's own list decides where there is one`() throws {
    var model = Self.scaled { $0.tensor($1, $2, $3) }
    model.metadata(
      "pkg.torch.export.ExportedProgram.graph_signature",
      "p_w: PARAMETER target='w'\np_k: PARAMETER target='k'\nb_b: BUFFER target='b'\n")
    #expect(try Self.names(model) == ["k", "w"])
  }

  @Test(arguments: [true, false])
  func `a model runs in the arithmetic that it is stored in`(_ isDouble: Bool) throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.input("x", ["n", "3"], double: isDouble)
    model.output("y", ["n", "1"], double: isDouble)
    // A number that float32 does not hold.
    model.tensor("w", [3, 1], [1.0 / 3, 0.1, 2.0 / 7], double: isDouble)
    model.node("MatMul", ["x", "w"], ["y"])
    var request = ModelFileRequest(file: try model.write(in: folder))
    try NpzArchive.write(
      [("x", SmallFiles.inputs), ("target", Tensor(wave(8), shape: [8]))], to: folder.path("d.npz"))
    request.data = folder.path("d.npz")
    request.loss = "mse"
    var diagnosis = DiagnosisRequest(.model(request))
    diagnosis.trials.areRun = false
    func precision(_ choice: PrecisionChoice?) throws -> (String, Double) {
      diagnosis.resources.precision = choice
      let problem = try DiagnosisProblem(
        opening: .model(request), resources: diagnosis.resources)
      let report = try diagnose(problem, request: diagnosis, executor: ReferenceExecutor())
      return (report.problem.precision, problem.start[0])
    }
    let own = try precision(nil)
    #expect(own.0 == (isDouble ? "float64" : "float32"))
    #expect(own.1 == (isDouble ? 1.0 / 3 : Double(Float(1.0 / 3))))
    #expect(try precision(.float32) == ("float32", Double(Float(1.0 / 3))))
    #expect(try precision(.float64).0 == "float64")
  }

  @Test func `a loss that depends on no input needs no data`() throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.output("loss", [], double: true)
    model.tensor("p", [4], [1, 2, 3, 4], double: true)
    model.node("Mul", ["p", "p"], ["squares"])
    model.node("ReduceSum", ["squares"], ["loss"], ["keepdims": 0])
    let request = ModelFileRequest(file: try model.write(in: folder))
    let problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.readings.map(\.id) == ["output-as-loss"] && problem.dataName == nil)
    var diagnosis = DiagnosisRequest(.model(request))
    diagnosis.trials.areRun = false
    let report = try diagnose(problem, request: diagnosis, executor: ReferenceExecutor())
    #expect(report.problem.loss == 30)
    #expect(abs((report.curvature.largest.value ?? .nan) - 2) < 1e-12)
    // A model with inputs says which it needs.
    var other = ModelSketch()
    other.input("speed", ["n", "2"])
    other.output("y", ["n", "2"])
    other.tensor("w", [2, 2], wave(4))
    other.node("MatMul", ["speed", "w"], ["y"])
    var lacking = ModelFileRequest(file: try other.write(in: folder, to: "o.onnx"))
    lacking.loss = "mse"
    #expect(
      performing: { try DiagnosisProblem(opening: .model(lacking)) },
      throws: { "\($0)".contains("with 'speed' and 'target'") })
  }
}
