import Curvature
import Diagnosis
import OnnxBackend
import TensorFiles
import TensorPrograms

/// The arrays of a data file matched to a model's inputs, and the target.
struct ModelData {
  /// One per input, in the model's order.
  var inputs: [Tensor]
  /// Nil where the model computes its own loss.
  var target: Tensor?
  var targetName: String
  /// Samples where all arrays share a leading axis; nil where they do not.
  var sampleCount: Int?
  var notes: [String] = []
  private let path: String

  init(
    for model: OnnxModel, inputs wanted: [OnnxModel.Input], from path: String,
    options: ModelFileOptions
  ) throws {
    let needsTarget = options.lossOutput == nil
    let source = try openTensors(path, target: options.target)
    var keys: [String] = []
    for input in wanted {
      keys.append(try Self.key(for: input, among: wanted, in: source, options, needsTarget))
    }
    // A table calls its target column "target", whatever its name there.
    let table = source as? TableSource
    let targetKey = table == nil ? options.target : "target"
    if needsTarget, !source.keys.contains(targetKey) {
      if let table { throw table.missingTarget(options.target) }
      let rest = source.keys.filter { !keys.contains($0) }
      throw DiagnosisFailure(
        .badData,
        "\(path) has no target array '\(targetKey)'; it has \(Self.list(source.keys)): "
          + (rest.count == 1
            ? "add --target \(rest[0]) if that is the target."
            : "name the target with --target."))
    }
    let all = keys + (needsTarget ? [targetKey] : [])
    let sizes = try all.map { try source.type(of: $0).shape.dimensions.first }
    let shared = sizes.first.flatMap { first in sizes.allSatisfy { $0 == first } ? first : nil }
    if needsTarget, shared == nil, let input = keys.first {
      let shapes = try (source.type(of: input).shape, source.type(of: targetKey).shape)
      if shapes.0.dimensions.first != shapes.1.dimensions.first {
        throw DiagnosisFailure(
          .badData,
          "\(path): '\(input)' has the shape \(shapes.0) and the target '\(targetKey)' \(shapes.1): "
            + "they are not of the same samples.")
      }
    }
    var rows: Range<Int>?
    if let samples = options.samples {
      guard let shared else {
        throw DiagnosisFailure(
          .usage, "--samples needs arrays that share their first axis; those of \(path) do not.")
      }
      guard samples <= shared else {
        throw DiagnosisFailure(
          .usage, "--samples asks for \(samples) samples, but \(path) has \(shared).")
      }
      rows = 0..<samples
    }
    func read(_ key: String) throws -> Tensor {
      let tensor = try rows.map { try source.tensor(key, rows: $0) } ?? source.tensor(key)
      guard tensor.shape.count > 0 else {
        throw DiagnosisFailure(
          .badData, "\(path): the array '\(key)' is empty, of shape \(tensor.shape).")
      }
      try source.checkFinite(tensor, of: key)
      return tensor
    }
    inputs = try zip(wanted, keys).map { input, key in
      try Self.converted(read(key), key: key, path: path, for: input)
    }
    target = needsTarget ? try read(targetKey) : nil
    targetName = targetKey
    sampleCount = rows?.count ?? shared
    self.path = path
  }

  /// The array for an input: of its name; else, for an only input, `x` or the only array beside the target.
  private static func key(
    for input: OnnxModel.Input, among wanted: [OnnxModel.Input], in source: any TensorSource,
    _ options: ModelFileOptions, _ needsTarget: Bool
  ) throws -> String {
    if source.keys.contains(input.name) { return input.name }
    let others = source.keys.filter { !needsTarget || $0 != options.target && $0 != "target" }
    if wanted.count == 1 {
      if others.contains("x") { return "x" }
      if others.count == 1 { return others[0] }
    }
    throw DiagnosisFailure(
      .badData,
      "\(source.path) has no array for the model's input '\(input.name)'; it has "
        + "\(list(source.keys)): rename one to '\(input.name)'.")
  }

  static func list(_ names: [String]) -> String {
    names.isEmpty
      ? "no array"
      : Wording.list(names.prefix(12).map { "'\($0)'" } + (names.count > 12 ? ["..."] : []))
  }

  /// The array in the input's element type, where that keeps every number.
  private static func converted(
    _ tensor: Tensor, key: String, path: String, for input: OnnxModel.Input
  ) throws -> Tensor {
    if tensor.element == input.element { return tensor }
    let values = tensor.doubles
    func fits(_ value: Double) -> Bool {
      switch input.element {
      case .float32, .float64: true
      case .int32: Int32(exactly: value) != nil
      case .int64: Int64(exactly: value) != nil
      case .bool: value == 0 || value == 1
      }
    }
    if let index = values.firstIndex(where: { !fits($0) }) {
      throw DiagnosisFailure(
        .badData,
        "\(path): the array '\(key)' is \(tensor.element.rawValue) and holds "
          + "\(Wording.number(values[index], digits: 17)) at entry \(index), which the model's input "
          + "'\(input.name)' of \(input.element.rawValue) cannot take; mend the array.")
    }
    return Tensor(values, type: TensorType(input.element, tensor.shape))
  }

  /// The target as a loss of these outputs takes it.
  ///
  /// - Throws: `DiagnosisFailure` where a label is out of range, or is not whole.
  func target(for loss: ModelLoss, outputs: TensorType, outputName: String) throws -> Tensor {
    guard let target else { preconditionFailure("a loss of the model's own has no target") }
    return try loss.checked(
      target, named: "\(path): the target '\(targetName)'", outputs: outputs,
      outputName: outputName)
  }
}
