import Presentation
import Training

/// A table, a model and everything else that `eigenstep diagnose` can be told.
public struct DiagnosisRequest: Sendable, Equatable {
  /// The CSV or ONNX file.
  public var file: String
  public var target: String
  /// Columns to use; empty for all but the target and the dropped ones.
  public var features: [String] = []
  public var dropped: [String] = []
  /// Nil: `linear` or `softmax`, from the target.
  public var model: ModelChoice?
  /// Nil: half the squared error for numbers, cross-entropy for classes.
  public var loss: LossChoice?
  public var optimizer = OptimizerSetting()
  /// Nil: none is judged.
  public var rate: Double?
  /// Full-batch steps before the diagnosis; 0 for the starting point.
  public var steps: Int = 0
  public var l2: Double = 0
  public var seed: Int = 0
  /// Nil: float64 for `linear` and `softmax`, float32 for networks.
  public var precision: PrecisionChoice?
  public var executor: ExecutorChoice = .automatic
  /// The relative loss gap at which trials stop.
  public var tolerance: Double = 1e-6
  /// Nil: 200,000, fewer where a step takes long.
  public var maxIterations: Int?
  /// Bytes that residuals kept for Hessian products may take.
  public var memory: Int = 2 << 30
  /// Nil: as many as the machine has.
  public var threads: Int?
  public var missing: MissingValues = .refuse
  /// What goes with an ONNX file; nil for a table.
  public var modelFile: ModelFileOptions?
  /// Where the time of the model's runs goes, node by node, as JSON; nil for nowhere.
  public var profile: String?
  /// Whether prescriptions are run.
  public var trials = true

  /// Work that a diagnosis of a large model may take, about, in operations of a large matrix product.
  /// Fewer samples are drawn where all would pass it, and measurements left out; the report says which.
  public var workLimit: Double = 2e13

  /// For a problem that is given, not read from a file.
  public init() { self.init(file: "", target: "") }

  public init(file: String, target: String) {
    self.file = file
    self.target = target
  }
}

/// A choice that the command line names by its raw value.
public protocol NamedChoice: RawRepresentable, CaseIterable, Sendable where RawValue == String {}

/// The loss of a tabular model.
public enum LossChoice: String, NamedChoice {
  /// `1/(2n) sum_i ||r_i||^2`: the Hessian of a linear model is `X'X/n`.
  case halfSquaredError = "half-squared-error"
  /// The mean of `r^2` over all elements, as PyTorch and Keras have it.
  case meanSquaredError = "mse"
  /// The mean over samples, in nats.
  case crossEntropy = "cross-entropy"
}

/// The arithmetic of the model.
public enum PrecisionChoice: String, NamedChoice {
  case float32
  case float64
}

/// Who runs the tensor programs.
public enum ExecutorChoice: String, NamedChoice {
  /// ONNX Runtime where it is found, else the reference interpreter.
  case automatic = "auto"
  case onnxRuntime = "onnxruntime"
  case reference
}

/// What to do with empty cells.
public enum MissingValues: String, NamedChoice {
  case refuse
  /// Fill in the mean of the column.
  case mean
}

/// A tabular model: `linear`, `softmax` (or `logistic`), `mlp:64,64:tanh`.
public enum ModelChoice: Sendable, Equatable {
  public enum Activation: String, NamedChoice {
    case tanh
    case relu
    case gelu
  }

  case linear
  case softmax
  /// Hidden widths and their activation.
  case mlp(hidden: [Int], activation: Activation)

  /// - Throws: ``DiagnosisFailure`` of kind `usage`, naming what is wrong with the text.
  public init(_ text: String) throws {
    switch text {
    case "linear":
      self = .linear
      return
    case "softmax", "logistic":
      self = .softmax
      return
    default: break
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts[0] == "mlp" else {
      throw DiagnosisFailure(
        .usage,
        "There is no model '\(text)': choose linear, softmax (or logistic), or mlp:64,64:tanh.")
    }
    guard parts.count == 2 || parts.count == 3 else {
      throw DiagnosisFailure(
        .usage, "The model '\(text)' needs hidden widths and an activation, as in mlp:64,64:tanh.")
    }
    let widths = parts[1].split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !widths.isEmpty, widths.allSatisfy({ ($0 ?? 0) >= 1 && ($0 ?? 0) <= 1_000_000 }) else {
      throw DiagnosisFailure(
        .usage, "The hidden widths '\(parts[1])' of '\(text)' must be whole numbers from 1 up.")
    }
    guard let activation = Activation(rawValue: parts.count == 3 ? parts[2] : "tanh") else {
      let known = Wording.list(Activation.allCases.map(\.rawValue))
      throw DiagnosisFailure(
        .usage, "There is no activation '\(parts[2])' in '\(text)': choose one of \(known).")
    }
    self = .mlp(hidden: widths.compactMap { $0 }, activation: activation)
  }

  /// The text that makes this model.
  public var name: String {
    switch self {
    case .linear: "linear"
    case .softmax: "softmax"
    case .mlp(let hidden, let activation):
      "mlp:\(hidden.map(String.init).joined(separator: ",")):\(activation.rawValue)"
    }
  }
}

extension DiagnosisRequest {
  /// The seed of random starts and probes, another stream than that of a network's first weights: a start
  /// that repeats those draws is no random direction to the curvature at them, and what is proved for
  /// random starts would not hold.
  var probeSeed: UInt64 { Self.probeSeed(seed) }

  static func probeSeed(_ seed: Int) -> UInt64 {
    UInt64(bitPattern: Int64(seed)) ^ 0x9E37_79B9_7F4A_7C15
  }
}
