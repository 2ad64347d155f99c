import Diagnosis
import OnnxBackend
import Presentation
import TensorPrograms

/// Where the arrays of a model file have their samples: on the first axis, unless the file names the batch's
/// axis elsewhere, or the request does.
struct BatchAxes {
  /// One per input.
  var inputs: [Int]
  var output = 0
  var target = 0
  var readings: [Reading] = []

  /// Of no inputs.
  init() { inputs = [] }

  /// - Parameters:
  ///   - types: of the arrays, as they are in the file.
  ///   - given: inputs whose numbers are known already.
  /// - Throws: `DiagnosisFailure` where the axis that the request names is none of the output.
  init(
    of model: OnnxModel, output name: String, inputs: [OnnxModel.Input], types: [TensorType],
    given: [String: Tensor], target: TensorType?, options: ModelFileRequest, path: String
  ) throws {
    self.inputs = inputs.map { _ in 0 }
    let dimensions = model.outputDimensions(of: name)
    let symbol = Self.batch(of: inputs)
    func place(_ dimensions: [OnnxModel.Dimension]?) -> Int? {
      symbol.flatMap { dimensions?.firstIndex(of: .symbolic($0)) }
    }
    let named = zip(inputs, types).map { input, type in
      place(input.dimensions).flatMap { type.shape.dimensions.indices.contains($0) ? $0 : nil }
    }
    guard options.lossOutput == nil else { return }
    let isElsewhere = named.contains { $0 ?? 0 > 0 } || place(dimensions) ?? 0 > 0
    guard options.batchAxis != nil || isElsewhere else { return }
    let outputs = try model.type(
      of: name, inputs: zip(inputs, types).map { ($0.name, TensorType($0.element, $1.shape)) },
      given: given, training: options.training)
    let axis = options.batchAxis ?? place(dimensions) ?? 0
    guard outputs.shape.dimensions.indices.contains(axis) else {
      guard options.batchAxis != nil else { return }
      throw DiagnosisFailure(
        .usage,
        "\(option: .batchAxis) names axis \(axis), but the output '\(name)' of \(options.file) has the "
          + "shape \(outputs.shape), whose axes are \(Self.range(outputs.shape.rank)); name one of these."
      )
    }
    let samples = outputs.shape[axis]
    self.output = axis
    self.inputs = zip(named, types).map { named, type in
      if let named, type.shape[named] == samples { return named }
      let sizes = type.shape.dimensions
      let places = [0, axis] + Array(sizes.indices)
      return places.first { sizes.indices.contains($0) && sizes[$0] == samples } ?? 0
    }
    if let target {
      self.target = try Self.axis(
        of: target.shape, for: outputs.shape, axis, name, options, path)
    }
    if options.batchAxis == nil {
      let all =
        zip(inputs.map { "'\(Printable.line($0.name))'" }, self.inputs)
        + [("the output '\(Printable.line(name))'", axis)]
      let told = all.filter { $1 > 0 }.map { "axis \($1) of \($0)" }
      if !told.isEmpty {
        readings.append(
          Reading(
            "batch-axis",
            "The samples are taken along \(Wording.list(told)), which the file calls "
              + "'\(Printable.line(symbol ?? ""))'; --batch-axis names another axis of the output.",
            names: [name]))
      }
    }
  }

  private static func range(_ rank: Int) -> String {
    rank == 0 ? "none" : rank == 1 ? "0 alone" : "0 to \(rank - 1)"
  }

  /// The name that every input has for one of its sizes: such as tells of a batch, or that of the first axis.
  private static func batch(of inputs: [OnnxModel.Input]) -> String? {
    let names = inputs.map { input in
      (input.dimensions ?? []).compactMap { dimension -> String? in
        if case .symbolic(let name) = dimension, !name.isEmpty { name } else { nil }
      }
    }
    guard let first = names.first else { return nil }
    let shared = first.filter { name in names.allSatisfy { $0.contains(name) } }
    return shared.first { $0.lowercased().contains("batch") }
      ?? shared.first { ["n", "b", "bs"].contains($0.lowercased()) }
      ?? shared.first { .symbolic($0) == inputs[0].dimensions?.first }
  }

  /// A target lies as the output does, with or without its classes, or has its samples first.
  private static func axis(
    of target: Shape, for outputs: Shape, _ axis: Int, _ name: String,
    _ options: ModelFileRequest, _ path: String
  ) throws -> Int {
    if target == outputs { return axis }
    for other in (0..<outputs.rank).reversed()
    where other != axis && outputs.removing([other]) == target {
      return other < axis ? axis - 1 : axis
    }
    if target.dimensions.first == outputs[axis] { return 0 }
    throw DiagnosisFailure(
      .badData,
      "\(path): the target '\(options.target)' has the shape \(target) and the output '\(name)' "
        + "\(outputs), with \(outputs[axis]) samples on axis \(axis): give the target as many on its "
        + "first axis, or in the output's order, or choose another \(option: .batchAxis).")
  }
}

extension Tensor {
  /// With an axis moved to the front, the others in order.
  func batchFirst(_ axis: Int) throws -> Tensor {
    guard axis > 0 else { return self }
    let program = try Program.trace([type]) { [$0[0].movingAxis(axis, to: 0)] }
    return try ReferenceExecutor().compile(program).run([self])[0]
  }

  /// The part with these indices on its first axis.
  func rows(_ rows: Range<Int>) throws -> Tensor {
    let program = try Program.trace([type]) { [$0[0].slice(axis: 0, rows)] }
    return try ReferenceExecutor().compile(program).run([self])[0]
  }
}

extension TensorType {
  func batchFirst(_ axis: Int) -> TensorType {
    TensorType(element, shape.removing([axis]).inserting(shape[axis], at: 0))
  }
}
