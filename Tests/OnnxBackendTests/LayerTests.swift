import Foundation
import PrimitiveTable
import TensorPrograms
import Testing

@testable import OnnxBackend

/// Forms of layers that the onnx package has no case for, against ONNX Runtime's own kernels.
@Suite struct LayerTests {
  /// A node with its inputs and what is expected of it, as `Fixtures/make_layers.py` writes them.
  struct Layer: CustomTestStringConvertible {
    let file: URL
    var testDescription: String { file.deletingPathExtension().lastPathComponent }

    static let all = fixtures(in: "layers").map(Layer.init)

    /// The layer as a program of its floating-point inputs that can be parameters.
    func traced(
      _ element: ElementType?
    ) throws -> (program: Program, inputs: [Tensor], expected: [Tensor]) {
      let model = try OnnxModel(contentsOf: file.path, element: element)
      let node = model.proto.graph.node[0]
      let rule = try #require(OperatorCatalogue.rule(node.opType, domain: node.canonicalDomain))
      let names = node.input.enumerated().filter { index, name in
        !rule.constants.contains(index) && model.initializers[name]?.element.isFloating == true
      }.map(\.element)
      let inputs = names.map { model.initializers[$0]! }
      return (try model.program(of: names), inputs, model.expected)
    }
  }

  private static let onnx = Result { try OnnxExecutor() }

  @Test func fixturesAreThere() { #expect(Layer.all.count >= 56) }

  @Test(arguments: Layer.all)
  func valuesAreThoseOfONNXRuntime(_ layer: Layer) throws {
    let (program, inputs, expected) = try layer.traced(nil)
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

  @Test(arguments: Layer.all)
  func derivativesAreThoseOfDifferences(_ layer: Layer) throws {
    let (program, inputs, _) = try layer.traced(.float64)
    let result = try #require(DerivativeCheck(program, inputs)).run()
    #expect(result.first == .checked && result.second == .checked)
    #expect(result.failures.isEmpty, "\(result.failures)")
  }

  /// Attributes, sizes and inputs of layers replaced at random: imported or refused, never a crash.
  @Test(arguments: Layer.all)
  func damagedLayersAreReadOrRefused(_ layer: Layer) throws {
    let proto = try Onnx_ModelProto(serializedBytes: Data(contentsOf: layer.file))
    let numbers: [Int64] = [-1 << 63, -1 << 31, -2, -1, 0, 1, 2, 3, 7, 1 << 20, 1 << 31, .max]
    var generator = SeededGenerator(11)
    for _ in 0..<60 {
      var damaged = proto
      let node = damaged.graph.node[0]
      var changed = node
      switch Int.random(in: 0..<4, using: &generator) {
      case 0 where !node.attribute.isEmpty:
        let index = Int.random(in: 0..<node.attribute.count, using: &generator)
        if node.attribute[index].hasI {
          changed.attribute[index].i = numbers.randomElement(using: &generator)!
        } else if node.attribute[index].hasF {
          changed.attribute[index].f = [-1, 0, .nan, .infinity, 1e30].randomElement(
            using: &generator)!
        } else {
          changed.attribute[index].ints = node.attribute[index].ints.map { value in
            Bool.random(using: &generator) ? value : numbers.randomElement(using: &generator)!
          }
        }
      case 1: changed.input.removeLast()
      case 2: changed.input.shuffle(using: &generator)
      default:
        // The same numbers under another shape, or of another type.
        let index = Int.random(in: 0..<node.input.count, using: &generator)
        guard
          let place = proto.graph.initializer.firstIndex(where: { $0.name == node.input[index] })
        else { continue }
        if Bool.random(using: &generator) {
          damaged.graph.initializer[place].dims.shuffle(using: &generator)
        } else {
          let count = proto.graph.initializer[place].dims.reduce(1, *)
          damaged.graph.initializer[place].dims = [[count], [1, count], [count, 1, 1]]
            .randomElement(using: &generator)!
        }
      }
      damaged.graph.node[0] = changed
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

  /// While training a share of the numbers is dropped, the same for one seed and another for another,
  /// and the rest grows to keep the mean.
  @Test func dropoutIsSeeded() throws {
    let file = try #require(Layer.all.first { $0.testDescription == "dropout_9" }).file
    let model = try OnnxModel(contentsOf: file.path)
    func dropped(_ training: Bool, _ seed: UInt64) throws -> [Double] {
      let program = try Program.trace([TensorType.float32(3, 4, 2, 3)]) { values in
        try model.trace(
          parameters: ["x0": values[0]], inputs: [:], outputs: model.outputs, training: training,
          seed: seed, builder: values[0].builder)
      }
      return try ReferenceExecutor().compile(program)
        .run([Tensor(repeating: 1, type: program.inputTypes[0])])[0].doubles
    }
    #expect(try dropped(false, 1) == [Double](repeating: 1, count: 72))
    let once = try dropped(true, 1)
    #expect(Set(once) == [0, Double(Float(1 / 0.7))])
    #expect(try dropped(true, 1) == once)
    #expect(try dropped(true, 2) != once)
    let kept = try (1...50).reduce(0) { sum, seed in
      try sum + dropped(true, seed).filter { $0 != 0 }.count
    }
    // 3600 numbers, each kept with probability 0.7: five standard deviations are 138.
    #expect(abs(kept - 2520) < 138)
  }
}
