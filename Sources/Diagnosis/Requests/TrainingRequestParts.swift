import Training

/// How a training run draws its batches.
public struct BatchSetup: Sendable, Equatable, Codable {
  /// Samples of a batch.
  public var size: Int
  public var sampling = Batches.Sampling.shuffle
  public var last = Batches.Last.included
  /// Batches whose mean gradient makes one step.
  public var accumulation = 1

  public init(size: Int) { self.size = size }

  func check() throws {
    try RequestError.check(size, "batches.size", atLeast: 1)
    try RequestError.check(accumulation, "batches.accumulation", atLeast: 1)
    guard !size.multipliedReportingOverflow(by: accumulation).overflow else {
      throw RequestError("batches.accumulation", "is \(accumulation), too many samples for a step")
    }
  }

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case size, sampling, last, accumulation
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    size = try fields.value(.size)
    sampling = try fields.optional(.sampling) ?? sampling
    last = try fields.optional(.last) ?? last
    accumulation = try fields.optional(.accumulation) ?? accumulation
  }
}

/// What a step does to gradients, rates and weights beside the update, with parameters named by patterns.
public struct RuleSetup: Sendable, Equatable, Codable {
  public var clipValue: Double?
  public var clipNorm: Double?
  /// Decoupled; nil for the optimizer's own.
  public var weightDecay: Double?
  /// Patterns, between commas, of the parameters that do not decay; `biases` for all that are no weights, `none` where
  /// all decay. Nil for none, and for `biases` with plain descent, whose decay is the penalty `l2`.
  public var undecayed: String?
  /// Rates of the parameters that patterns name, the last that fits.
  public var rates: [GroupRate] = []
  /// A file (NPZ or safetensors) of arrays by the names of parameters: a factor of the rate for each entry.
  public var rateFile: String?

  public struct GroupRate: Sendable, Equatable, Codable {
    /// Patterns between commas.
    public var parameters: String
    /// What the rate of all is multiplied by; nil beside `rate`.
    public var factor: Double?
    /// A rate of their own where the schedule begins, which it moves in step with that of all.
    public var rate: Double?

    public init(parameters: String, factor: Double) {
      self.parameters = parameters
      self.factor = factor
    }

    public init(parameters: String, rate: Double) {
      self.parameters = parameters
      self.rate = rate
    }

    /// The factor of a rate of all.
    func factor(of all: Double?) -> Double { factor ?? (rate ?? 1) / (all ?? 1) }

    private enum CodingKeys: String, CodingKey, CaseIterable { case parameters, factor, rate }

    public init(from decoder: any Decoder) throws {
      let fields = try RequestFields(decoder, CodingKeys.self)
      parameters = try fields.value(.parameters)
      factor = try fields.optional(.factor)
      rate = try fields.optional(.rate)
      guard (factor == nil) != (rate == nil) else {
        throw RequestError("rules.rates", "has to have one of factor and rate for each group")
      }
    }
  }

  /// What `undecayed` calls all parameters that are no weights.
  public static let biases = "biases"
  /// What it calls no parameter.
  public static let none = "none"

  /// Whether decay leaves biases alone where `undecayed` does not say.
  func leavesBiases(_ method: String) -> Bool {
    undecayed == nil && weightDecay != nil && method == GradientDescent.entry.name
  }

  public init() {}

  func check() throws {
    try RequestError.check(clipValue, "rules.clipValue", .above(0))
    try RequestError.check(clipNorm, "rules.clipNorm", .above(0))
    try RequestError.check(weightDecay, "rules.weightDecay", .atLeast(0))
    for group in rates {
      try RequestError.check(
        group.factor, "rules.rates factor of '\(group.parameters)'", .atLeast(0))
      try RequestError.check(
        group.rate, "rules.rates rate of '\(group.parameters)'", .atLeast(0))
    }
  }

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case clipValue, clipNorm, weightDecay, undecayed, rates, rateFile
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    clipValue = try fields.optional(.clipValue)
    clipNorm = try fields.optional(.clipNorm)
    weightDecay = try fields.optional(.weightDecay)
    undecayed = try fields.optional(.undecayed)
    rates = try fields.optional(.rates) ?? rates
    rateFile = try fields.optional(.rateFile)
  }
}

/// The samples that are not trained on.
public enum HeldOutSetup: Sendable, Equatable, Codable {
  /// A share of the samples, drawn by the seed.
  case share(Double)
  /// Those of another file of the same form.
  case file(String)

  func check() throws {
    if case .share(let share) = self {
      try RequestError.check(share, "heldOut.share", .between(0, 1))
    }
  }

  private enum CodingKeys: String, CodingKey, CaseIterable { case share, file }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    let share: Double? = try fields.optional(.share)
    let file: String? = try fields.optional(.file)
    switch (share, file) {
    case (let share?, nil): self = .share(share)
    case (nil, let file?): self = .file(file)
    default: throw RequestError("heldOut", "has to have one of share and file")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .share(let share): try container.encode(share, forKey: .share)
    case .file(let file): try container.encode(file, forKey: .file)
    }
  }
}

/// What a training run leaves behind.
public struct TrainingFiles: Sendable, Equatable, Codable {
  /// The folder of its checkpoints.
  public var checkpoints: String?
  /// How many of them are kept.
  public var kept = 3
  /// Steps between two; nil for a pass, or a hundredth of the run where that is longer.
  public var checkpointPeriod: Int?
  /// Whether the run goes on from the newest checkpoint.
  public var resumes = false
  /// The folder of its logs.
  public var log: String?
  /// Where the parameters at the end go: a .safetensors or .onnx file.
  public var saved: String?

  public init() {}

  func check() throws {
    try RequestError.check(kept, "files.kept", atLeast: 1)
    try RequestError.check(checkpointPeriod, "files.checkpointPeriod", atLeast: 1)
    if checkpoints == nil {
      if let checkpointPeriod {
        throw RequestError(
          "files.checkpointPeriod", "is \(checkpointPeriod), which needs `files.checkpoints`")
      }
      if kept != TrainingFiles().kept {
        throw RequestError("files.kept", "is \(kept), which needs `files.checkpoints`")
      }
    }
    if resumes, checkpoints == nil {
      throw RequestError("files.resumes", "is asked for, which needs `files.checkpoints`")
    }
    if let saved, ![".safetensors", ".onnx"].contains(where: saved.lowercased().hasSuffix) {
      throw RequestError("files.saved", "is '\(saved)', but it must end in .safetensors or .onnx")
    }
  }

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case checkpoints, kept, checkpointPeriod, resumes, log, saved
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    checkpoints = try fields.optional(.checkpoints)
    kept = try fields.optional(.kept) ?? kept
    checkpointPeriod = try fields.optional(.checkpointPeriod)
    resumes = try fields.optional(.resumes) ?? resumes
    log = try fields.optional(.log)
    saved = try fields.optional(.saved)
  }
}
