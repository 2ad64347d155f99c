import Foundation
import PrimitiveTable
import TensorPrograms
import Testing

@testable import OnnxBackend

/// Small graphs of sequences, grids, signals and classical models, against ONNX Runtime's own kernels.
@Suite struct GraphFormTests {
  /// A graph with its numbers and what is expected of it, as `Fixtures/make_forms.py` writes them.
  struct Form: CustomTestStringConvertible {
    let file: URL
    var testDescription: String { file.deletingPathExtension().lastPathComponent }

    static let all = fixtures(in: "forms").map(Form.init)

    /// The graph as a program of what it finds to be parameters.
    func traced(
      _ element: ElementType?
    ) throws -> (program: Program, names: [String], inputs: [Tensor], expected: [Tensor]) {
      let model = try OnnxModel(contentsOf: file.path, element: element)
      let parameters = try model.parameters(for: model.outputs)
      let names = parameters.map(\.name)
      return (try model.program(of: names), names, parameters.map(\.value), model.expected)
    }
  }

  private static let onnx = Result { try OnnxExecutor() }

  @Test func fixturesAreThere() { #expect(Form.all.count >= 68) }

  @Test(arguments: Form.all)
  func valuesAreThoseOfONNXRuntime(_ form: Form) throws {
    let (program, _, inputs, expected) = try form.traced(nil)
    for executor in [ReferenceExecutor() as any Executor, try Self.onnx.get()] {
      let results = try executor.compile(program).run(inputs)
      #expect(results.count == expected.count)
      for (result, value) in zip(results, expected) {
        try #require(result.type == value.type, "\(executor.name)")
        let agrees = zip(result.doubles, value.doubles).allSatisfy { x, y in
          abs(x - y) <= 2e-5 * (1 + abs(y))
        }
        #expect(agrees, "\(executor.name): \(result), not \(value)")
      }
    }
  }

  @Test(arguments: Form.all)
  func derivativesAreThoseOfDifferences(_ form: Form) throws {
    let (program, _, inputs, _) = try form.traced(.float64)
    let result = try #require(DerivativeCheck(program, inputs)).run()
    #expect(result.first == .checked && result.second == .checked)
    #expect(result.failures.isEmpty, "\(result.failures)")
  }

  /// Coefficients are parameters though they are attributes; windows and filters are none.
  @Test(arguments: [
    ("linear_classifier_3_softmax", ["label.coefficients", "label.intercepts", "x"]),
    ("linear_regressor", ["x", "y.coefficients"]), ("stft_window", ["x"]),
    ("mel_spectrogram", ["x"]), ("affinegrid_0", ["theta"]), ("scaler", ["x"]),
  ])
  func parametersAreFound(_ name: String, _ expected: [String]) throws {
    let form = try #require(Form.all.first { $0.testDescription == name })
    let names = try form.traced(nil).names.filter { $0 != "small" }
    #expect(names.sorted() == expected)
  }

  /// Numbers of nodes replaced at random: imported or refused in a sentence, never a crash.
  @Test(arguments: Form.all)
  func damagedFormsAreReadOrRefused(_ form: Form) throws {
    let proto = try Onnx_ModelProto(serializedBytes: Data(contentsOf: form.file))
    let numbers: [Int64] = [-1 << 63, -1 << 31, -2, -1, 0, 1, 2, 3, 7, 1 << 20, 1 << 31, .max]
    var generator = SeededGenerator(11)
    for _ in 0..<40 {
      var damaged = proto
      let place = Int.random(in: 0..<proto.graph.node.count, using: &generator)
      var node = proto.graph.node[place]
      switch Int.random(in: 0..<3, using: &generator) {
      case 0 where !node.attribute.isEmpty:
        let index = Int.random(in: 0..<node.attribute.count, using: &generator)
        if node.attribute[index].hasI {
          node.attribute[index].i = numbers.randomElement(using: &generator)!
        } else if !node.attribute[index].floats.isEmpty {
          node.attribute[index].floats.removeLast()
        } else {
          node.attribute[index].ints = node.attribute[index].ints.map { value in
            Bool.random(using: &generator) ? value : numbers.randomElement(using: &generator)!
          }
        }
      case 1 where !node.input.isEmpty: node.input.removeLast()
      default:
        guard let name = node.input.randomElement(using: &generator),
          let index = proto.graph.initializer.firstIndex(where: { $0.name == name })
        else { continue }
        var tensor = proto.graph.initializer[index]
        if tensor.dataType == OnnxElement.int64.rawValue {
          let changed = (0..<max(1, tensor.rawData.count / 8)).map { _ in
            numbers.randomElement(using: &generator)!
          }
          tensor.rawData = changed.withUnsafeBytes { Data($0) }
        } else {
          let count = tensor.dims.reduce(1, *)
          tensor.dims = [[count], [1, count], [count, 1, 1]].randomElement(using: &generator)!
        }
        damaged.graph.initializer[index] = tensor
      }
      damaged.graph.node[place] = node
      do {
        let model = try OnnxModel(data: damaged.serializedBytes())
        let names = model.initializers.keys.filter {
          !$0.hasPrefix("expected") && model.initializers[$0]!.element.isFloating
        }.sorted()
        _ = try Program.trace(names.map { model.initializers[$0]!.type }) { values in
          try model.trace(
            parameters: Dictionary(uniqueKeysWithValues: zip(names, values)), inputs: [:],
            outputs: model.outputs, builder: values[0].builder)
        }
      } catch let error as OnnxModelError {
        #expect(!error.description.contains("\n"))
      }
    }
  }
}
