import Foundation
import TensorPrograms
import Testing

@testable import OnnxBackend

/// What skl2onnx exports of scikit-learn's models by default, against ONNX Runtime's own kernels.
@Suite struct ScikitLearnTests {
  /// An export with inputs and what is expected of them, as `Fixtures/make_scikit.py` writes them.
  struct Export: CustomTestStringConvertible {
    let file: URL
    var testDescription: String { file.deletingPathExtension().lastPathComponent }

    static let all: [Export] = {
      let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/scikit")
      let files = try? FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil)
      return (files ?? []).sorted { $0.path < $1.path }.map(Export.init)
    }()

    static func named(_ name: String) throws -> OnnxModel {
      let export = try #require(all.first { $0.testDescription == name })
      return try OnnxModel(contentsOf: export.file.path)
    }
  }

  /// Outputs as a program of the parameters of the score, and the parameters' values.
  /// - Parameter gap: what stands in the inputs for NaN, if not itself.
  private func traced(
    _ model: OnnxModel, _ outputs: [String], gap: Double = .nan
  ) throws -> (program: Program, inputs: [Tensor]) {
    let score = try #require(model.scoreOutput).name
    let parameters = try model.parameters(for: [score])
    let given = try #require(model.initializers["given:X"])
    let x = Tensor(given.doubles.map { $0.isNaN ? gap : $0 }, type: given.type)
    let program = try Program.trace(parameters.map(\.value.type)) { values in
      try model.trace(
        parameters: Dictionary(uniqueKeysWithValues: zip(parameters.map(\.name), values)),
        inputs: ["X": values[0].builder.constant(x)], outputs: outputs, builder: values[0].builder)
    }
    return (program, parameters.map(\.value))
  }

  private static let onnx = Result { try OnnxExecutor() }

  @Test func exportsAreThere() { #expect(Export.all.count == 23) }

  /// Labels that are texts come as their places.
  @Test(arguments: Export.all)
  func valuesAreThoseOfONNXRuntime(_ export: Export) throws {
    let model = try OnnxModel(contentsOf: export.file.path)
    let (program, inputs) = try traced(model, model.outputs)
    for executor in [ReferenceExecutor() as any Executor, try Self.onnx.get()] {
      let results = try executor.compile(program).run(inputs)
      for (name, result) in zip(model.outputs, results) {
        let value = try #require(model.initializers["expected:\(name)"])
        try #require(result.shape == value.shape, "\(executor.name): \(name)")
        let agrees = zip(result.doubles, value.doubles).allSatisfy { x, y in
          abs(x - y) <= 2e-5 * (1 + abs(y))
        }
        #expect(agrees, "\(executor.name), \(name): \(result), not \(value)")
      }
    }
  }

  @Test(arguments: Export.all)
  func derivativesAreThoseOfDifferences(_ export: Export) throws {
    let model = try OnnxModel(contentsOf: export.file.path, element: .float64)
    let score = try #require(model.scoreOutput).name
    let (program, inputs) = try traced(model, [score], gap: 0.25)
    let result = try #require(DerivativeCheck(program, inputs)).run()
    #expect(result.first == .checked && result.second == .checked)
    #expect(result.failures.isEmpty, "\(result.failures)")
  }

  /// The output after the labels, and the numbers that fitting moves: no scales, no formulas' numbers.
  @Test(arguments: [
    ("pipeline_2", "output_probability", ["[1, 4]", "[1]"]),
    ("pipeline_3", "output_probability", ["[3, 4]", "[3]"]),
    ("linear", "variable", ["[1, 4]", "[1]"]), ("ridge_2", "variable", ["[2, 4]", "[2]"]),
    ("lasso", "variable", ["[1, 4]", "[1]"]),
    ("one_vs_rest", "output_probability", ["[1, 4]", "[1]", "[1, 4]", "[1]", "[1, 4]", "[1]"]),
    ("mlp_2", "output_probability", ["[4, 4]", "[1, 4]", "[4, 1]", "[1, 1]"]),
    ("sgd_3", "output_probability", ["[4, 3]", "[3]"]),
    ("pca", "output_probability", ["[3, 2]", "[3]"]),
    ("ridge_classifier", "probabilities", ["[3, 4]", "[3]"]),
  ])
  func parametersAreTheCoefficients(
    _ name: String, _ output: String, _ shapes: [String]
  ) throws {
    let model = try Export.named(name)
    let score = try #require(model.scoreOutput).name
    #expect(score == output)
    let found = try model.parameters(for: [score]).map { "\($0.value.shape)" }
    #expect(found.sorted() == shapes.sorted())
  }

  /// New coefficients are written to the attributes that they came from, both rows of a mirrored one.
  @Test func coefficientsAreWrittenBack() throws {
    let model = try Export.named("pipeline_2")
    let names = try model.parameters(for: ["output_probability"]).map(\.name)
    let weights = Tensor([1, 2, 3, 4] as [Float], shape: [1, 4])
    let bias = Tensor([0.5] as [Float], shape: [1])
    let values = Dictionary(
      uniqueKeysWithValues: names.map { ($0, $0.hasSuffix("coefficients") ? weights : bias) })
    let data = try model.settingInitializers(values)
    let proto = try Onnx_ModelProto(serializedBytes: data)
    let node = try #require(proto.graph.node.first { $0.opType == "LinearClassifier" })
    #expect(node.attribute("coefficients")?.floats == [-1, -2, -3, -4, 1, 2, 3, 4])
    #expect(node.attribute("intercepts")?.floats == [-0.5, 0.5])
    let again = try OnnxModel(data: data)
    for name in names { #expect(again.initializers[name] == values[name]) }
  }

  @Test func inputsThatAreImputedAreKnown() throws {
    #expect(try Export.named("imputer").imputedInputs == ["X"])
    #expect(try Export.named("pipeline_2").imputedInputs == [])
  }
}
