import Foundation
import MutationFuzz
import OnnxBackend
import TensorPrograms
import Testing

/// Damaged model files are read and traced, or refused in one sentence, in bounded time and memory.
/// `EIGENSTEP_FUZZ=20000` runs that many and prints what they took.
@Suite struct ModelFuzzTests {
  static let limits: OnnxModel.Limits = {
    var limits = OnnxModel.Limits()
    limits.elements = 1 << 20
    limits.nodes = 20_000
    limits.foldedElements = 1 << 16
    return limits
  }()

  /// What the program would print for an error: one line.
  struct Said: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error) { description = "model.onnx: \(error)." }
  }

  static func readAndTrace(_ bytes: [UInt8]) throws {
    do {
      let model = try OnnxModel(data: Data(bytes), limits: limits)
      let types = model.inputs.map { input in
        TensorType(
          input.element,
          Shape(
            (input.dimensions ?? []).map {
              if case .fixed(let size) = $0, (0...64).contains(size) { size } else { 2 }
            }))
      }
      let names = model.inputs.map(\.name)
      let parameters = try model.parameters(for: model.outputs)
      let builder = ProgramBuilder()
      let inputs = types.map(builder.input)
      let values = parameters.map { builder.input($0.value.type) }
      let outputs = try model.trace(
        parameters: Dictionary(
          zip(parameters.map(\.name), values), uniquingKeysWith: { first, _ in first }),
        inputs: Dictionary(zip(names, inputs), uniquingKeysWith: { first, _ in first }),
        outputs: model.outputs, builder: builder)
      try builder.build(outputs).verify()
    } catch {
      throw Said(error)
    }
  }

  @Test func damagedModels() throws {
    let corpus = try GoldenModel.all.map { model in
      [UInt8](try Data(contentsOf: URL(fileURLWithPath: model.path(".onnx"))))
    }.filter { $0.count < 30_000 }
    for bytes in corpus { try Self.readAndTrace(bytes) }
    let count = MutationFuzz.count(standard: 400)
    let report = MutationFuzz(seed: 11, corpus: corpus).run(count, read: Self.readAndTrace)
    #expect(report.speechless == [])
    #expect(report.refused > count / 3 && report.accepted > count / 100, "\(report)")
    #expect(report.longest < .seconds(5), "case \(report.longestCase)")
    if count > 400 {
      print(
        "onnx: \(report.accepted) read, \(report.refused) refused, longest \(report.longest) "
          + "(case \(report.longestCase))")
    }
  }
}
