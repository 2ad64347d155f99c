import Presentation

/// A choice that the command line names by its raw value.
public protocol NamedChoice: RawRepresentable, CaseIterable, Sendable, Codable
where RawValue == String {}

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

  /// The most that a hidden layer may be wide.
  static let mostWidth = 1_000_000

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
    guard !widths.isEmpty, widths.allSatisfy({ (1...Self.mostWidth).contains($0 ?? 0) }) else {
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
