import Curvature
import Diagnosis
import OnnxBackend
import Presentation
import TensorFiles
import TensorPrograms

/// The arrays of a data file matched to a model's inputs, and the target: their types from the file's
/// headers, and once these have been looked at, the numbers.
struct ModelData {
  /// One per input, in the model's order, as the model takes them.
  let inputTypes: [TensorType]
  /// Nil where the model computes its own loss.
  let targetType: TensorType?
  /// Read by `load`.
  private(set) var inputs: [Tensor] = []
  private(set) var target: Tensor?
  var targetName: String
  /// Samples where all arrays share a leading axis; nil where they do not.
  var sampleCount: Int?
  /// Where inputs, output and target have their samples in the file; here they come first.
  let axes: BatchAxes
  /// Inputs that are the same for all samples, as the model takes them.
  let given: [String: Tensor]
  /// Why samples cannot be told from the arrays' sizes, should the target not fit the output of all.
  let apart: DiagnosisFailure?
  private let path: String
  /// Nil where there is nothing to read.
  private let source: (any TensorSource)?
  private let wanted: [OnnxModel.Input]
  private let keys: [String]
  private let rows: Range<Int>?
  /// The inputs whose missing values the model fills in itself.
  private let imputed: Set<String>

  /// Of a loss that depends on nothing but its parameters.
  init() {
    inputTypes = []
    targetType = nil
    targetName = ""
    path = ""
    source = nil
    wanted = []
    keys = []
    rows = nil
    imputed = []
    (axes, given, apart) = (BatchAxes(), [:], nil)
  }

  /// Reads headers alone.
  init(
    for model: OnnxModel, inputs wanted: [OnnxModel.Input], from path: String,
    options: ModelFileRequest
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
            ? "add \(option: .target, rest[0]) if that is the target."
            : "name the target with \(option: .target)."))
    }
    let output = try DiagnosisProblem.output(of: model, options)
    let isGiven = GivenInputs.choose(
      wanted, try keys.map { try source.type(of: $0) },
      deciding: model.decidingInputs(for: [output]))
    var given: [String: Tensor] = [:]
    for (input, key) in zip(zip(wanted, keys), isGiven).filter(\.1).map(\.0) {
      given[input.name] = try Self.converted(source.tensor(key), key: key, path: path, for: input)
    }
    let wanted = zip(wanted, isGiven).filter { !$1 }.map(\.0)
    keys = zip(keys, isGiven).filter { !$1 }.map(\.0)
    let axes = try BatchAxes(
      of: model, output: output, inputs: wanted, types: keys.map { try source.type(of: $0) },
      given: given, target: needsTarget ? source.type(of: targetKey) : nil, options: options,
      path: path)
    let all = zip(keys, axes.inputs) + (needsTarget ? [(targetKey, axes.target)] : [])
    let sizes = try all.map { key, axis -> Int? in
      let sizes = try source.type(of: key).shape.dimensions
      return axis < sizes.count ? sizes[axis] : nil
    }
    let shared = sizes.first.flatMap { first in sizes.allSatisfy { $0 == first } ? first : nil }
    var apart: DiagnosisFailure?
    if needsTarget, shared == nil, let input = keys.first {
      let shapes = try (source.type(of: input).shape, source.type(of: targetKey).shape)
      if sizes.first != sizes.last {
        apart = DiagnosisFailure(
          .badData,
          "\(path): '\(input)' has the shape \(shapes.0) and the target '\(targetKey)' \(shapes.1): "
            + "they are not of the same samples.")
      }
    }
    var rows: Range<Int>?
    if let samples = options.samples {
      guard let shared else {
        throw DiagnosisFailure(
          .usage,
          "\(option: .samples) needs arrays that share their first axis; those of \(path) do not.")
      }
      guard samples <= shared else {
        throw DiagnosisFailure(
          .usage, "\(option: .samples) asks for \(samples) samples, but \(path) has \(shared).")
      }
      rows = 0..<samples
    }
    func type(_ key: String, _ axis: Int) throws -> TensorType {
      var type = try source.type(of: key)
      if axis > 0 { type = type.batchFirst(axis) }
      if let rows { type.shape[0] = rows.count }
      guard type.shape.count > 0 else {
        throw DiagnosisFailure(
          .badData, "\(path): the array '\(key)' is empty, of shape \(type.shape).")
      }
      return type
    }
    inputTypes = try zip(wanted, zip(keys, axes.inputs)).map {
      TensorType($0.element, try type($1.0, $1.1).shape)
    }
    targetType = needsTarget ? try type(targetKey, axes.target) : nil
    targetName = targetKey
    sampleCount = rows?.count ?? shared
    (self.axes, self.given, self.apart) = (axes, given, apart)
    self.path = path
    self.source = source
    self.wanted = wanted
    self.keys = keys
    self.rows = rows
    imputed = model.imputedInputs
  }

  /// Reads the numbers.
  ///
  /// - Parameter memory: bytes that they may take together; what the headers announce is compared with it
  ///   before anything is read.
  /// - Throws: `DiagnosisFailure`, `ArrayFileError`.
  mutating func load(memory: Int) throws {
    guard let source else { return }
    let types = try keys.map { try source.type(of: $0) } + (targetType.map { [$0] } ?? [])
    let bytes = zip(types, inputTypes + (targetType.map { [$0] } ?? [])).reduce(0.0) {
      total, pair in
      let count = Double(pair.1.shape.count)
      // An array of another type is held twice while it is converted.
      let sizes = pair.0.element == pair.1.element ? [pair.1] : [pair.0, pair.1]
      return total
        + sizes.reduce(0.0) { $0 + count * Double(TensorType($1.element, []).byteCount) }
    }
    guard bytes <= Double(memory) else {
      let fitting = sampleCount.map { Int(Double($0) * Double(memory) / bytes) } ?? 0
      throw DiagnosisFailure(
        .badData,
        "\(path): its arrays take \(Wording.number(bytes / 0x1p30)) GiB, more than the "
          + "\(Wording.number(Double(memory) / 0x1p30)) GiB that \(option: .memory) allows; "
          + (fitting > 0 ? "use \(option: .samples, "\(fitting)"), or allow more." : "allow more."))
    }
    func read(_ key: String, _ axis: Int, mayMiss: Bool = false) throws -> Tensor {
      var tensor =
        try axis == 0
        ? rows.map { try source.tensor(key, rows: $0) } ?? source.tensor(key)
        : source.tensor(key).batchFirst(axis)
      if axis > 0, let rows { tensor = try tensor.rows(rows) }
      if !mayMiss { try source.checkFinite(tensor, of: key) }
      return tensor
    }
    inputs = try zip(wanted, zip(keys, axes.inputs)).map { input, place in
      try Self.converted(
        read(place.0, place.1, mayMiss: imputed.contains(input.name)), key: place.0, path: path,
        for: input)
    }
    target = targetType == nil ? nil : try read(targetName, axes.target)
  }

  /// The array for an input: of its name; else, for an only input, `x` or the only array beside the target.
  private static func key(
    for input: OnnxModel.Input, among wanted: [OnnxModel.Input], in source: any TensorSource,
    _ options: ModelFileRequest, _ needsTarget: Bool
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

extension ModelData {
  /// The inputs that are data, in the model's order.
  var inputNames: [String] { wanted.map(\.name) }

  var readings: [Reading] {
    guard targetType != nil, sampleCount == nil else { return axes.readings }
    return axes.readings + [
      Reading(
        "one-batch",
        "The arrays do not share their first axis, so that all of them are measured as one batch; if "
          + "samples lie on another axis of the output, name it with --batch-axis.",
        names: keys + [targetName])
    ]
  }

  /// The size of the only batch that the model's inputs take.
  ///
  /// - Throws: `DiagnosisFailure` where they do not fill whole batches.
  func fixedBatch() throws -> Int? {
    guard let samples = sampleCount else { return nil }
    let sizes = zip(wanted, axes.inputs).map { input, axis -> Int? in
      guard let dimensions = input.dimensions, axis < dimensions.count,
        case .fixed(let size) = dimensions[axis]
      else { return nil }
      return size
    }
    guard let size = sizes.first ?? nil, size > 0, sizes.allSatisfy({ $0 == size })
    else { return nil }
    guard samples >= size, samples % size == 0 else {
      let shapes = zip(wanted, inputTypes).map { "'\($0.name)' is \($1.shape)" }
      throw DiagnosisFailure(
        .badData,
        "The model takes batches of \(size) samples only, but \(path) has \(samples) ("
          + "\(shapes.joined(separator: ", "))"
          + (samples > size
            ? "): use \(option: .samples, "\(samples / size * size)"), or export it with a dynamic "
              + "batch axis."
            : "): give at least \(size), or export it with a dynamic batch axis."))
    }
    return size
  }
}
