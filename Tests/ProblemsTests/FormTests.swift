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

/// Models in the forms of those that packages ship, as `Forms/make_forms.py` writes them: quantised,
/// of half precision, with weights in Constant nodes, branches, loops, a batch anywhere.
@Suite struct FormTests {
  struct Form: Sendable, CustomTestStringConvertible {
    var name: String
    var loss = "cross-entropy"
    /// How far the file's own outputs may be: by roundings that are left out, in their own units.
    var tolerance = 2e-5
    var batchAxis: Int?
    /// The ids of what is said to be decided.
    var readings: [String] = []
    var parameters: Int
    var samples: Int
    var testDescription: String { name }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Forms").path

    func path(_ suffix: String) -> String { "\(Self.folder)/\(name)\(suffix)" }

    var request: ModelFileRequest {
      var request = ModelFileRequest(file: path(".onnx"))
      request.data = path(".npz")
      request.loss = loss
      request.batchAxis = batchAxis
      return request
    }
  }

  static let all = [
    Form(
      name: "quantized_speech", tolerance: 0.1, readings: ["quantised"], parameters: 167, samples: 6
    ),
    Form(
      name: "quantized_text", tolerance: 0.05, readings: ["quantised"], parameters: 183, samples: 8),
    Form(
      name: "quantized_vision", tolerance: 0.1, readings: ["quantised"], parameters: 68, samples: 10
    ),
    Form(
      name: "quantized_matmul", loss: "mse", tolerance: 0.07, readings: ["quantised"],
      parameters: 40, samples: 9),
    Form(
      name: "quantized_attention", tolerance: 0.1, readings: ["quantised"], parameters: 119,
      samples: 5),
    Form(
      name: "quantized_recognition", tolerance: 0.05, readings: ["quantised"], parameters: 291,
      samples: 5),
    Form(
      name: "block_text", tolerance: 1e-4, readings: ["quantised"], parameters: 1808, samples: 5),
    Form(name: "four_bits", readings: ["quantised"], parameters: 1176, samples: 4),
    Form(
      name: "half_text", tolerance: 0.02, readings: ["half-precision"], parameters: 257,
      samples: 8),
    Form(name: "brain_text", readings: ["half-precision"], parameters: 135, samples: 5),
    Form(
      name: "super_resolution", loss: "mse", tolerance: 0.01, readings: ["half-precision"],
      parameters: 184, samples: 5),
    Form(
      name: "paddle_detection", loss: "binary", parameters: 137, samples: 4),
    Form(name: "paddle_recognition", readings: ["batch-axis"], parameters: 372, samples: 6),
    Form(
      name: "voice_activity", loss: "binary", readings: ["batch-axis", "branches"],
      parameters: 200, samples: 7),
    Form(name: "merged_decoder", readings: ["branches"], parameters: 88, samples: 6),
    Form(name: "scripted_loop", readings: ["loops"], parameters: 38, samples: 6),
    Form(name: "counted_loop", loss: "mse", readings: ["loops"], parameters: 9, samples: 8),
    Form(name: "frames_first", batchAxis: 1, parameters: 133, samples: 6),
    Form(name: "no_batch", loss: "mse", readings: ["one-batch"], parameters: 39, samples: 9),
    Form(name: "one_image", loss: "mse", parameters: 454, samples: 6),
    Form(name: "synthesis", loss: "mse", readings: ["random-nodes"], parameters: 126, samples: 5),
    Form(name: "face", loss: "mse", parameters: 101, samples: 8),
  ]

  // MARK: The outputs

  /// Of the file's numbers and the data's, all known: on the interpreter.
  private func outputs(_ form: Form) throws -> Tensor {
    let model = try OnnxModel(contentsOf: form.path(".onnx"), element: .float64)
    let data = try NpzArchive(form.path(".npz"))
    let whole = try model.inputs.map { input -> Tensor in
      let array = try data.tensor(input.name)
      return Tensor(array.doubles, type: TensorType(input.element, array.shape))
    }
    func run(_ inputs: [Tensor]) throws -> Tensor {
      let builder = ProgramBuilder()
      let values = Dictionary(
        uniqueKeysWithValues: zip(model.inputs.map(\.name), inputs.map(builder.constant)))
      let result = try model.trace(inputs: values, outputs: [model.outputs[0]], builder: builder)
      return try ReferenceExecutor().compile(builder.build(result)).run([])[0]
    }
    guard case .fixed(1)? = model.inputs[0].dimensions?.first else { return try run(whole) }
    // A model of one sample takes them one by one.
    let parts = try (0..<whole[0].shape[0]).map { row -> [Double] in
      try run(
        whole.map { tensor in
          let size = tensor.shape.count / tensor.shape[0]
          var type = tensor.type
          type.shape[0] = 1
          return Tensor(Array(tensor.doubles[(row * size)..<((row + 1) * size)]), type: type)
        }
      ).doubles
    }
    return Tensor(parts.flatMap { $0 }, shape: try data.tensor("expected").shape)
  }

  @Test(arguments: all) func `outputs are those of ONNX Runtime`(_ form: Form) throws {
    let expected = try NpzArchive(form.path(".npz")).tensor("expected")
    let result = try outputs(form)
    try #require(result.shape == expected.shape)
    let far = zip(result.doubles, expected.doubles).map { abs($0 - $1) }.max()!
    #expect(far <= form.tolerance, "\(far)")
    // What is allowed is little beside what the outputs are.
    let size = expected.doubles.map { $0.magnitude }.max()!
    #expect(form.tolerance <= 0.2 * size, "\(size)")
  }

  // MARK: The problem

  private func objective(_ form: Form) throws -> (DiagnosisProblem, Objective<Double>) {
    var resources = Resources()
    resources.precision = .float64
    let problem = try DiagnosisProblem(opening: .model(form.request), resources: resources)
    guard case .traced(let definition, let data) = problem.loss else {
      throw DiagnosisFailure(.software, "the loss is not traced")
    }
    let arrays = data.map {
      $0.element.isFloating ? Tensor($0.doubles, type: TensorType(.float64, $0.shape)) : $0
    }
    return (problem, try Objective<Double>(definition, data: arrays, executor: ReferenceExecutor()))
  }

  @Test(arguments: all)
  func `opens, and says what was decided`(_ form: Form) throws {
    let (problem, objective) = try objective(form)
    #expect(problem.start.count == form.parameters)
    #expect(problem.sampleCount == form.samples)
    #expect(problem.readings.map(\.id).filter(Self.ownIds.contains) == form.readings)
    #expect(try objective.value(at: problem.start).isFinite)
  }

  /// Where states have their samples elsewhere than the inputs, that is said, too.
  @Test func `a batch that nothing names is one batch`() throws {
    var form = try #require(Self.all.first { $0.name == "frames_first" })
    form.batchAxis = nil
    #expect(try objective(form).0.readings.map(\.id) == ["one-batch"])
    form.batchAxis = 3
    #expect { try objective(form) } throws: { "\($0)".contains("axes are 0 to 2") }
  }

  /// Those of this suite: others come and go with the file's other traces.
  private static let ownIds: Set<String> = [
    "quantised", "half-precision", "batch-axis", "branches", "loops", "one-batch", "random-nodes",
  ]

  /// Along a random direction, by central differences.
  @Test(arguments: all)
  func `derivatives are those of differences`(_ form: Form) throws {
    let (problem, objective) = try objective(form)
    // Beside the start, where pieces may meet: a rounded weight is often exactly at one.
    let point = problem.start.enumerated().map { $1 + 1e-3 * sin(Double($0) * 2.3 + 0.4) }
    let direction = point.indices.map { cos(Double($0) * 1.7) }
    let step = 1e-6
    let sides = [step, -step].map { h in zip(point, direction).map { $0 + h * $1 } }
    let values = try sides.map { try objective.value(at: $0) }
    let gradient = try objective.valueAndGradient(at: point).gradient
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - (values[0] - values[1]) / (2 * step)) < 1e-6 * (1 + abs(slope)))
    let gradients = try sides.map { try objective.valueAndGradient(at: $0).gradient }
    let hessian = try objective.hessian(at: point)
    let product = try hessian(direction)
    let largest = product.map(\.magnitude).max()!
    let far = product.indices.map { index in
      abs(product[index] - (gradients[0][index] - gradients[1][index]) / (2 * step))
    }.max()!
    #expect(far < 1e-6 * (1 + largest), "\(far) beside \(largest)")
  }
}
