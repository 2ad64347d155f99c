import Curvature
import Presentation

/// What is diagnosed, as a request names it: a table, a model file, or a problem that the program holds.
public enum ProblemSource: Sendable, Equatable {
  case table(TableRequest)
  case model(ModelFileRequest)
  /// A problem in memory, of this name; it cannot be opened again.
  case memory(String)

  /// The penalty `c` of `c/2 ||w||^2`.
  public var l2: Double {
    get {
      switch self {
      case .table(let table): table.l2
      case .model(let model): model.l2
      case .memory: 0
      }
    }
    set {
      switch self {
      case .table(var table):
        table.l2 = newValue
        self = .table(table)
      case .model(var model):
        model.l2 = newValue
        self = .model(model)
      case .memory: break
      }
    }
  }

  /// What the fields of this source are found under.
  private var path: String {
    switch self {
    case .table: "problem.table"
    case .model: "problem.model"
    case .memory: "problem.memory"
    }
  }

  /// - Throws: `RequestError`.
  public func check() throws {
    try RequestError.check(l2, path + ".l2", .atLeast(0))
    switch self {
    case .table(let table):
      for (names, field) in [(table.features, "features"), (table.dropped, "dropped")]
      where names.contains(table.target) {
        throw RequestError(
          "\(path).\(field)", "holds the target '\(table.target)'; take it out of one")
      }
      guard case .mlp(let hidden, _)? = table.model else { return }
      guard !hidden.isEmpty else {
        throw RequestError(path + ".model", "has no hidden layer; give one, as in mlp:64:tanh")
      }
      for width in hidden {
        try RequestError.check(width, path + ".model", atLeast: 1, atMost: ModelChoice.mostWidth)
      }
    case .model(let model):
      try RequestError.check(model.samples, path + ".samples", atLeast: 1)
      try RequestError.check(model.batchAxis, path + ".batchAxis", atLeast: 0)
      if let saved = model.saved?.lowercased(), !saved.hasSuffix(".safetensors"),
        !saved.hasSuffix(".onnx")
      {
        throw RequestError(
          path + ".saved", "is '\(model.saved ?? "")', but it must end in .safetensors or .onnx")
      }
    case .memory: break
    }
  }
}

/// A table (CSV with a header) and the model that is fitted to it.
public struct TableRequest: Sendable, Equatable {
  public var file: String
  /// The column to predict.
  public var target: String
  /// Columns to use; empty for all but the target and the dropped ones.
  public var features: [String] = []
  public var dropped: [String] = []
  /// Columns that stay though they identify rows, hold dates or many words, or miss many values.
  public var kept: [String] = []
  /// Nil: `linear` or `softmax`, from the target.
  public var model: ModelChoice?
  /// A name of ``ModelLoss/tabular``; nil: half the squared error for numbers, cross-entropy for classes.
  public var loss: String?
  /// Whether the model has biases; without, no layer has one.
  public var intercept = true
  public var reduction = LossReduction.mean
  public var missing = MissingValues.leaveOut
  /// Whether each column has its mean subtracted and is divided by its standard deviation; see
  /// ``Standardisation``.
  public var standardised = false
  /// The penalty `c` of `c/2 ||w||^2`, biases excluded.
  public var l2: Double = 0
  /// A file of arrays by the names of parameters, as a training saves them, that measuring and training begin
  /// at; nil: zeros, or a network's random weights. Of standardised columns where these are.
  public var start: String?

  public init(file: String, target: String) {
    self.file = file
    self.target = target
  }

  /// Why a model and a loss do not go together; nil where they do.
  package static func mismatch(_ model: ModelChoice?, _ loss: String?) -> Message? {
    guard let loss else { return nil }
    let (crossEntropy, binary) = (ModelLoss.crossEntropy.name, ModelLoss.binary.name)
    switch model {
    case .softmax where loss != crossEntropy:
      return "The model softmax goes with \(option: .loss, crossEntropy) alone."
    case .logistic where loss != crossEntropy && loss != binary:
      return
        "The model logistic goes with \(option: .loss, crossEntropy) alone, which is \(binary) for one logit."
    case .linear where loss == crossEntropy || loss == binary:
      return
        "The model linear has no \(option: .loss, loss); use \(option: .model, "softmax") for classes."
    case .linear, .logistic, .softmax, .mlp, nil: return nil
    }
  }
}

/// A model file with its data, its loss and what is trained.
public struct ModelFileRequest: Sendable, Equatable {
  /// An ONNX file.
  public var file: String
  /// NPZ, NPY, safetensors or CSV; arrays are matched to the model's inputs by name.
  public var data: String?
  /// The array that the loss compares the output with.
  public var target = "target"
  /// A name of ``ModelLoss/all``.
  public var loss: String?
  /// The output that the loss is of; nil for the first that holds no labels.
  public var output: String?
  /// The output that is a scalar loss itself.
  public var lossOutput: String?
  /// Patterns, between commas, of the stored tensors that training moves; nil for all that it can.
  public var parameters: String?
  /// Patterns of those that it does not.
  public var frozen: String?
  /// Only the first so many samples.
  public var samples: Int?
  /// The axis of the output that its samples lie along; nil for the first, or one that the file names so.
  public var batchAxis: Int?
  /// Whether BatchNormalization and Dropout act as while training.
  public var training = false
  /// Where the parameters at the point of diagnosis go: a .safetensors or .onnx file.
  public var saved: String?
  /// The penalty `c` of `c/2 ||w||^2`, over parameters of more than one axis.
  public var l2: Double = 0
  /// Whether a loss of logits is taken of an output that passed through a softmax or sigmoid as it is, as
  /// training with that mistake does.
  public var asLogits = false

  public init(file: String) { self.file = file }
}

extension ProblemSource: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case table, model, memory }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    let sources: [ProblemSource?] = [
      try fields.optional(.table, as: TableRequest.self).map { .table($0) },
      try fields.optional(.model, as: ModelFileRequest.self).map { .model($0) },
      try fields.optional(.memory, as: String.self).map { .memory($0) },
    ]
    let given = sources.compactMap { $0 }
    guard given.count == 1 else {
      throw RequestError(
        "problem", "names \(given.count) problems; give one of table, model and memory")
    }
    self = given[0]
    try check()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .table(let table): try container.encode(table, forKey: .table)
    case .model(let model): try container.encode(model, forKey: .model)
    case .memory(let name): try container.encode(name, forKey: .memory)
    }
  }
}

extension TableRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case file, target, features, dropped, kept, model, loss, intercept, reduction, missing, l2
    case standardised, start
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    self.init(file: try fields.value(.file), target: try fields.value(.target))
    features = try fields.optional(.features) ?? features
    dropped = try fields.optional(.dropped) ?? dropped
    kept = try fields.optional(.kept) ?? kept
    model = try fields.optional(.model, as: String.self).map { try ModelChoice($0) }
    loss = try fields.optional(.loss)
    intercept = try fields.optional(.intercept) ?? intercept
    reduction = try fields.optional(.reduction) ?? reduction
    missing = try fields.optional(.missing) ?? missing
    standardised = try fields.optional(.standardised) ?? standardised
    l2 = try fields.optional(.l2) ?? l2
    start = try fields.optional(.start)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(file, forKey: .file)
    try container.encode(target, forKey: .target)
    try container.encode(features, forKey: .features)
    try container.encode(dropped, forKey: .dropped)
    try container.encode(kept, forKey: .kept)
    try container.encodeIfPresent(model?.name, forKey: .model)
    try container.encodeIfPresent(loss, forKey: .loss)
    try container.encode(intercept, forKey: .intercept)
    try container.encode(reduction, forKey: .reduction)
    try container.encode(missing, forKey: .missing)
    try container.encode(standardised, forKey: .standardised)
    try container.encode(l2, forKey: .l2)
    try container.encodeIfPresent(start, forKey: .start)
  }
}

extension ModelFileRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case file, data, target, loss, output, lossOutput, parameters, frozen, samples, training, saved
    case l2, asLogits, batchAxis
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    self.init(file: try fields.value(.file))
    data = try fields.optional(.data)
    target = try fields.optional(.target) ?? target
    loss = try fields.optional(.loss)
    output = try fields.optional(.output)
    lossOutput = try fields.optional(.lossOutput)
    parameters = try fields.optional(.parameters)
    frozen = try fields.optional(.frozen)
    samples = try fields.optional(.samples)
    training = try fields.optional(.training) ?? training
    asLogits = try fields.optional(.asLogits) ?? asLogits
    saved = try fields.optional(.saved)
    batchAxis = try fields.optional(.batchAxis)
    l2 = try fields.optional(.l2) ?? l2
  }
}
