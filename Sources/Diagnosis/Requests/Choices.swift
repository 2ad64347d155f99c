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

/// What to do with the cells of a table that no number or category stands in.
public enum MissingValues: String, NamedChoice {
  /// Leave out rows with missing cells, columns that are mostly missing or identify rows, and say so.
  case leaveOut = "leave-out"
  /// Fill in the mean of the column.
  case mean
  /// Stop at the first one.
  case refuse
}

/// How the losses of the samples make one loss.
public enum LossReduction: String, NamedChoice {
  case mean
  /// `n` times the mean: curvature grows with the number of rows, and the stable rate falls with it.
  case sum
}

/// A tabular model: `linear`, `logistic`, `softmax`, `mlp:64,64:tanh`.
public enum ModelChoice: Sendable, Equatable {
  public enum Activation: String, NamedChoice {
    case tanh
    case relu
    case gelu
  }

  case linear
  /// One logit `z = w'x + b` of two classes, under the loss `log(1 + exp(-s z))` for `s` of -1 or 1.
  ///
  /// The softmax of two classes has a weight vector for each, and at equal probabilities twice the
  /// curvature.
  case logistic
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
    case "logistic":
      self = .logistic
      return
    case "softmax":
      self = .softmax
      return
    default: break
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts[0] == "mlp" else {
      throw DiagnosisFailure(
        .usage,
        "There is no model '\(text)': choose linear, logistic, softmax, or mlp:64,64:tanh.")
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
    case .logistic: "logistic"
    case .softmax: "softmax"
    case .mlp(let hidden, let activation):
      "mlp:\(hidden.map(String.init).joined(separator: ",")):\(activation.rawValue)"
    }
  }
}
